"""Environment label smoothing (arXiv:2302.00194)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, MethodCard

from ._adversarial import Adversarial


class EnvironmentSmoothing(Adversarial):
    """Domain-adversarial training whose discriminator is told ever softer environments."""

    card: ClassVar = MethodCard(
        name="els",
        title="Environment label smoothing",
        track="group-shift",
        paper="arXiv:2302.00194",
        bibtex="""@inproceedings{zhang2023free,
  title = {Free Lunch for Domain Adversarial Training: Environment Label Smoothing},
  author = {Zhang, YiFan and Wang, Xue and Liang, Jian and Zhang, Zhang and Wang, Liang and
    Jin, Rong and Tan, Tieniu},
  booktitle = {ICLR},
  year = {2023},
  eprint = {2302.00194},
  archivePrefix = {arXiv}
}""",
        claim="Soft environment labels make adversarial training stable, and more accurate in "
        "unseen domains.",
        official_code="ok",
        deviates="A linear discriminator with a step of its own before each step of the net.",
        needs=("env",),
        signal="env",
        stacked=True,
        defaults_from="here",
    )
    most: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """Share of (M - 1) / M, at which all environments are alike, that smoothing reaches; 0: none,
    which is dann.
    """

    def smoothing(self, envs: int, progress: float) -> float:
        """Return (M - 1) / M times the share of the steps that are done."""
        return self.most * (envs - 1) / envs * progress
