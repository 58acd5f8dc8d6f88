"""Noisy labels on classes of very different size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch

from bench import Case, Metric, Outcome, Preset, Score, Setup, TaskCard
from bench.training.state import predict

from ._metrics import METRICS, REFERENCES
from ._pictures import percent
from ._task import NoisyLabelTask


class NoisyLongTail(NoisyLabelTask):
    """Digits thinned to a long tail, with corrupted labels; the clean test
    part keeps all classes alike.
    """

    card: ClassVar = TaskCard(
        name="noisy-longtail",
        title="Digits with a long tail of classes and corrupted training labels",
        track="noisy-labels",
        datasets=("digits",),
        metrics=(
            *METRICS,
            Metric(
                name="acc_head",
                unit="%",
                bounds=(0, 100),
                title="clean test accuracy on the third of the classes with the most rows",
            ),
            Metric(
                name="acc_medium", unit="%", bounds=(0, 100), title="the same for the middle third"
            ),
            Metric(
                name="acc_tail",
                unit="%",
                bounds=(0, 100),
                title="the same for the third with the fewest rows",
            ),
        ),
        presets={
            "smoke": Preset(
                variants={"lt20": {"noise": "lt_imb", "rate": 0.2}},
                params={"n_train": 400, "epochs": 5},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "lt20": {"noise": "lt_imb", "rate": 0.2},
                    "lt40": {"noise": "lt_imb", "rate": 0.4},
                    "tail-sym40": {"noise": "tail_sym", "rate": 0.4},
                },
                params={"epochs": 120},
                seeds=5,
                timeout=300,
            ),
        },
        budget="120 epochs of batch 128; each net of a method costs its own passes",
        offers={"noise-rate": {}},
        tuning={"holdout": 0.2},
        references=REFERENCES,
        paper="arXiv:2211.10955",
    )
    source: ClassVar = "digits"
    n_test: ClassVar = 400

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Add the accuracy on head, medium and tail classes: thirds by the number of training rows
        with the true label, the larger thirds first.
        """
        score = super().evaluate(case, outcomes, run)
        if self.holdout:
            return score
        hidden = case.hidden
        counts = hidden.y_true.bincount(minlength=case.problems[0].n_classes)
        thirds = counts.argsort(descending=True, stable=True).tensor_split(3)
        right = predict(outcomes[0].solution.model, hidden.x_test).argmax(-1) == hidden.y_test
        for name, part in zip(("acc_head", "acc_medium", "acc_tail"), thirds, strict=True):
            score.metrics[name] = percent(right[torch.isin(hidden.y_test, part)])
        return score
