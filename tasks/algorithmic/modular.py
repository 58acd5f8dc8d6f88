"""Arithmetic modulo a prime, of which a part of the table is shown."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, Reference, TaskCard

from ._modular import METRICS, ModularTask


class Modular(ModularTask):
    """Sums modulo 31; the fewer pairs are shown, the later a net finds the rule, if at all."""

    card: ClassVar = TaskCard(
        name="modular",
        title="Sums modulo a prime",
        track="algorithmic",
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"frac70": {}},
                params={"p": 7, "units": 16, "steps": 40},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "frac70": {},
                    "frac50": {"share": 0.5},
                    "frac40": {"share": 0.4},
                },
                seeds=5,
                timeout=300,
            ),
        },
        offers={"codes": {}},
        budget="400 updates on all shown pairs",
        references=(
            Reference(name="plain", kind="low"),
            Reference(
                name="all-data",
                kind="high",
                title="Plain training on all pairs",
                solve="train_on_all",
            ),
        ),
        paper="arXiv:2301.02679",
    )
