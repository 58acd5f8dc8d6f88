"""Whether nets trained on condensed digits know how sure they may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch

from bench import Case, Metric, Outcome, Reference, Score, Setup, TaskCard
from bench.tracks.condensation import SmallSet, stored
from bench.tracks.condensation_evaluation import (
    accuracies,
    calibration_error,
    mean_nll,
    temperatures,
)
from bench.training import pictures

from ._digits import DEFAULT, SMOKE
from ._judge import Judge
from ._metrics import HELD_OUT
from ._shown import grid
from ._task import CondensationTask


class CondenseCalibration(CondensationTask):
    """Nets learn the 8x8 digits from one, three or five images a class; what counts is how far
    their confidence is from their accuracy.

    The problem is that of ``condense-digits``. A set that asks for a temperature gets one for each
    net, fitted on its own images or on validation images held out of the training part, which no
    method sees. A net that says 10 % of everything is calibrated and worthless, so a set that
    teaches less than as many random images fails the gate.
    """

    card: ClassVar = TaskCard(
        name="condense-calibration",
        title="Calibration of nets trained on few digits (8x8)",
        track="condensation-calibration",
        datasets=("digits",),
        metrics=(
            Metric(
                name="ece",
                direction="min",
                primary=True,
                unit="%",
                bounds=(0, 100),
                title="expected calibration error on test images, 15 bins, mean over the "
                "evaluation nets, after the temperature where the set asks for one",
            ),
            Metric(
                name="ece_raw",
                direction="min",
                unit="%",
                bounds=(0, 100),
                title="the same before any temperature",
            ),
            Metric(
                name="ece_ts",
                direction="min",
                unit="%",
                bounds=(0, 100),
                title="the same after plain temperature scaling on real validation images",
            ),
            Metric(
                name="nll",
                direction="min",
                unit="nats",
                bounds=(0, None),
                title="negative log likelihood, after the temperature",
            ),
            Metric(
                name="nll_raw",
                direction="min",
                unit="nats",
                bounds=(0, None),
                title="the same before any temperature",
            ),
            Metric(
                name="acc",
                unit="%",
                bounds=(0, 100),
                chance=10,
                title="test accuracy, which no temperature changes",
            ),
            Metric(
                name="acc_random",
                direction="none",
                unit="%",
                bounds=(0, 100),
                title="that of as many random images: the gate",
            ),
            Metric(
                name="temperature",
                direction="none",
                bounds=(0, None),
                title="what logits are divided by, mean over the nets; 1: none was asked for",
            ),
            Metric(
                name="ece_val",
                validation=True,
                direction="min",
                unit="%",
                bounds=(0, 100),
                title="ece on held-out training images, by their labels",
            ),
            Metric(
                name="stored_images",
                direction="none",
                bounds=(0, None),
                title="images stored: the budget",
            ),
            Metric(
                name="decoded_images",
                direction="none",
                bounds=(0, None),
                title="training images they are decoded to",
            ),
            Metric(
                name="stored_kb",
                direction="min",
                bounds=(0, None),
                title="kilobytes stored as float32, soft labels included",
            ),
        ),
        presets={
            "smoke": SMOKE,
            "default": DEFAULT,
        },
        budget="that of condense-digits; a temperature is fitted for all alike, on the set or on "
        "validation images that no method sees",
        tuning={"holdout": 0.2},
        references=(
            Reference(name="dm", kind="low"),
            Reference(
                name="full-data",
                kind="high",
                title="All training images, with a temperature",
                solve="full_data",
            ),
        ),
        paper="arXiv:2307.12463",
    )
    source: ClassVar = "digits"

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Train nets on the set, give each its temperature, and hold
        confidences against what is right.
        """
        small, problem, hidden = outcomes[0].solution, case.problems[0], case.hidden
        judge, whole = (
            Judge(self, problem, hidden, run),
            not isinstance(outcomes[0].solution, SmallSet),
        )
        raw, val, scale = self.final(judge, small)
        if scale is None:
            scale = torch.ones(len(raw), dtype=raw.dtype, device=raw.device)
        plain = raw / temperatures(val, hidden.y_val)[:, None, None]
        test = raw / scale[:, None, None]
        ece, acc = (
            100 * float(calibration_error(test, hidden.y_test).mean()),
            float(accuracies(test, hidden.y_test).mean()),
        )
        if self.holdout:
            return Score(metrics={"ece_val": ece}, not_rankable=HELD_OUT)
        random = judge.random(self.lrs[0])
        metrics: dict[str, float | None] = {
            "ece": ece,
            "ece_raw": 100 * float(calibration_error(raw, hidden.y_test).mean()),
            "ece_ts": 100 * float(calibration_error(plain, hidden.y_test).mean()),
            "nll": float(mean_nll(test, hidden.y_test).mean()),
            "nll_raw": float(mean_nll(raw, hidden.y_test).mean()),
            "acc": acc,
            "acc_random": random,
            "temperature": float(scale.mean()),
            **stored(SmallSet(x=problem.x, y=problem.y) if whole else small),
        }
        lines = {
            "perfect": [(0.0, 0.0), (100.0, 100.0)],
            "as trained": reliability(raw, hidden.y_test),
            "as judged": reliability(test, hidden.y_test),
        }
        shown = {
            "reliability": pictures.curves(
                lines, title="How often a net is right", x="confidence, %", y="accuracy, %"
            )
        }
        if not whole:
            shown["images"] = grid(small, problem)
        return Score(metrics=metrics, gates={"accuracy": acc >= random}, images=shown)


def reliability(
    logits: torch.Tensor, y: torch.Tensor, bins: int = 15
) -> list[tuple[float, float | None]]:
    """Return mean confidence and accuracy, both in percent, of every bin that holds a prediction,
    for all nets of logits (K, n, C) together.
    """
    confidence, predicted = (part.flatten().cpu().numpy() for part in logits.softmax(-1).max(-1))
    right = (predicted == y.expand(len(logits), -1).flatten().cpu().numpy()).astype(float)
    place = np.clip(np.ceil(confidence * bins), 1, bins).astype(int)
    return [
        (100 * float(confidence[place == k].mean()), 100 * float(right[place == k].mean()))
        for k in sorted(set(place.tolist()))
    ]
