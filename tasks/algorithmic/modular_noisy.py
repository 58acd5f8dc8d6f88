"""Arithmetic modulo a prime, with wrong labels among those that are shown."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, Metric, Preset, Reference, TaskCard

from ._modular import METRICS, ModularTask


class ModularNoisy(ModularTask):
    """Sums modulo 41 with a fifth of the shown labels wrong: does a net learn the rule, the wrong
    labels, or both?
    """

    card: ClassVar = TaskCard(
        name="modular-noisy",
        title="Sums modulo a prime with wrong labels",
        track="algorithmic",
        metrics=(
            *METRICS,
            Metric(
                name="memorised",
                direction="none",
                unit="%",
                bounds=(0, 100),
                title="share of the wrong labels that are fitted",
            ),
            Metric(
                name="corrected",
                unit="%",
                bounds=(0, 100),
                title="share of the pairs with a wrong label that are answered by the rule",
            ),
        ),
        presets={
            "smoke": Preset(
                variants={"noise20": {}},
                params={"p": 7, "units": 16, "steps": 40},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"noise20": {}}, seeds=5, timeout=300),
        },
        offers={"codes": {}},
        budget="400 updates on all shown pairs",
        references=(
            Reference(name="plain", kind="low"),
            Reference(
                name="all-data",
                kind="high",
                title="Plain training on all pairs with true labels",
                solve="train_on_all",
            ),
        ),
        paper="arXiv:2310.13061",
        bibtex="""@inproceedings{doshi2024grok,
  title = {To grok or not to grok: Disentangling generalization and memorization on corrupted
           algorithmic datasets},
  author = {Doshi, Darshil and Das, Aritra and He, Tianyu and Gromov, Andrey},
  booktitle = {ICLR},
  year = {2024},
  eprint = {2310.13061},
  archivePrefix = {arXiv}
}""",
    )

    p: Annotated[int, Meta(ge=3, le=200)] = 41
    """The modulus."""
    noise: Annotated[float, Meta(ge=0, lt=1)] = 0.2
    """Share of the shown labels that is moved to another class, uniformly."""
