"""Entropy, the net held to what it said of old rows (arXiv:2305.06408)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, MethodCard

from ._continual import Continual


class CalDistill(Continual):
    """Replay old rows, and hold their logits to those that they had when they were new."""

    card: ClassVar = MethodCard(
        name="cal-distill",
        title="Entropy, with replay and distillation",
        track="active-learning",
        paper="arXiv:2305.06408",
        bibtex="""@article{das2023accelerating,
  title = {Accelerating Batch Active Learning Using Continual Learning Techniques},
  author = {Das, Arnav and Bhatt, Gantavya and Bhalerao, Megh and Gao, Vianne and Yang, Rui and
    Bilmes, Jeff},
  journal = {TMLR},
  year = {2023},
  eprint = {2305.06408},
  archivePrefix = {arXiv}
}""",
        claim="As accurate as training from scratch, at a third of the cost.",
        official_code="ok",
        deviates="A quarter of the steps from the second training on, and for each old row its "
        "cross entropy and .5 times the mean squared difference to the logits that it had after "
        "its first training. The authors take 40 of 100 epochs, .75 times the cross entropy and "
        ".25 times the Kullback-Leibler divergence from the outputs after its first epoch.",
        needs=("classes",),
        stacked=True,
        defaults_from="here",
    )
    replayed: Annotated[int, Meta(ge=1)] = 64
    """Rows of earlier rounds beside each batch; all where they are fewer."""
    distilled: Annotated[float, Meta(ge=0)] = 0.5
    """Weight of the squared difference to the logits that a row had when it was new."""

    @property
    def beside(self) -> int:
        """As ``replayed`` says."""
        return self.replayed

    @property
    def held(self) -> float:
        """As ``distilled`` says."""
        return self.distilled
