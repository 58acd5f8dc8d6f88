"""Digits judged by the rows that a method knows least well."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import msgspec
import torch
from torch.nn import functional as F

from bench import Case, Metric, Outcome, Preset, Score, Setup, TaskCard
from bench.training.state import predict

from ._metrics import OF_ROWS, REFERENCES
from ._task import NoisyLabelTask

SHARE = 0.05
"""Of the test rows, those with the largest losses."""
MOST = 16.11809565095832  # -log 1e-7
"""No row counts more than one of this probability; votes of trees can be 0."""

_SHOWN = ("acc_last", *(metric.name for metric in OF_ROWS))


class DigitsTail(NoisyLabelTask):
    """The noisy digits and their protocol; the mean loss of the worst twentieth of the clean test
    rows ranks.
    """

    card: ClassVar = TaskCard(
        name="digits-tail",
        title="Digits (8x8), judged by the test rows with the largest losses",
        track="noisy-labels",
        datasets=("digits",),
        metrics=(
            Metric(
                name="tail",
                primary=True,
                direction="min",
                unit="nats",
                bounds=(0, MOST),
                chance=2.302585092994046,  # log 10
                title="mean cross entropy of the worst twentieth of the clean test rows",
            ),
            Metric(
                name="tail_val",
                validation=True,
                direction="min",
                unit="nats",
                bounds=(0, MOST),
                title="the same of held-out training rows with their given labels",
            ),
            Metric(
                name="acc_last",
                unit="%",
                bounds=(0, 100),
                chance=10,
                title="clean test accuracy after the last epoch, of the first net",
            ),
            *OF_ROWS,
        ),
        presets={
            "smoke": Preset(
                variants={"clean": {"noise": "sym", "rate": 0.0}},
                params={"n_train": 300, "epochs": 5},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "clean": {"noise": "sym", "rate": 0.0},
                    "sym40": {"noise": "sym", "rate": 0.4},
                },
                seeds=5,
                timeout=300,
            ),
        },
        budget="60 epochs of batch 128; each net of a method costs its own passes",
        offers={"noise-rate": {}},
        tuning={"holdout": 0.2},
        references=REFERENCES,
        paper="arXiv:2501.14912",
    )
    source: ClassVar = "digits"
    n_test: ClassVar = 400

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score as the other tasks do, and by the worst rows."""
        score = super().evaluate(case, outcomes, run)
        logits = predict(outcomes[0].solution.model, case.hidden.x_test)
        worst = tail(logits, case.hidden.y_test)
        if self.holdout:
            return msgspec.structs.replace(score, metrics={"tail_val": worst})
        shown = {name: score.metrics[name] for name in _SHOWN if name in score.metrics}
        return msgspec.structs.replace(score, metrics={"tail": worst, **shown})


def tail(logits: torch.Tensor, y: torch.Tensor) -> float:
    """Return the mean cross entropy, in nats, of the ``SHARE`` of the rows where it is largest, at
    least of one.

    Args:
        logits: of the rows, (n, C).
        y: their labels (n,), int64.
    """
    losses = F.cross_entropy(logits.double(), y, reduction="none").clamp_max(MOST)
    return float(losses.topk(max(1, math.ceil(SHARE * len(y) - 1e-9))).values.mean())
