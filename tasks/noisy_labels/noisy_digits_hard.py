"""Digits under noise that depends on the row, and digits of which most copies are wrong."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, TaskCard

from ._metrics import METRICS, REFERENCES
from ._task import NoisyLabelTask


class NoisyDigitsHard(NoisyLabelTask):
    """The noisy digits under two further kinds of noise."""

    card: ClassVar = TaskCard(
        name="noisy-digits-hard",
        title="Digits with labels that are wrong by what the digit looks like, or diluted",
        track="noisy-labels",
        datasets=("digits",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"dilute10": {"noise": "dilute", "rate": 10 / 11}},
                params={"n_train": 60, "epochs": 3},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "idn40": {"noise": "idn", "rate": 0.4},
                    "dilute10": {"noise": "dilute", "rate": 10 / 11, "epochs": 10},
                },
                seeds=5,
                timeout=300,
            ),
        },
        budget="60 epochs of batch 128, 10 where the rows are eleven times as many; each net of a "
        "method costs its own passes",
        offers={"noise-rate": {}},
        tuning={"holdout": 0.2},
        references=REFERENCES,
        paper="arXiv:1705.10694",
    )
    source: ClassVar = "digits"
    n_test: ClassVar = 400
