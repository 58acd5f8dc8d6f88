"""What a model is judged by: calibration, corruptions, outliers, its teacher."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import torch
from torch.nn import functional as F

from bench import Setup
from bench.training.calibration import BINS, Bins, auroc, binned, brier, fit_temperature
from bench.training.corruptions import KINDS, SEVERITIES, corrupt
from bench.training.pictures import curves
from bench.training.state import predict

CORRUPTED = 500
"""Test rows that are corrupted."""


class Judged(msgspec.Struct):
    """What comes of a model's logits.

    Attributes:
        metrics: by name.
        raw: rows by confidence, as the model gives it.
        scaled: the same after the temperature.
    """

    metrics: dict[str, float | None]
    raw: Bins
    scaled: Bins


def accuracy(logits: torch.Tensor, y: torch.Tensor) -> float:
    """Return the share of the rows (n, C) with the right class, in percent."""
    return 100 * float((logits.argmax(-1) == y).double().mean())


def calibration(
    logits: torch.Tensor, y: torch.Tensor, val_logits: torch.Tensor, y_val: torch.Tensor
) -> Judged:
    """Judge the logits of test rows (n, C) as they are, and after the temperature that fits
    validation rows (v, C) best.
    """
    temperature = fit_temperature(val_logits, y_val)
    p, scaled_p = logits.softmax(-1), (logits / temperature).softmax(-1)
    raw, scaled = binned(p, y), binned(scaled_p, y)
    return Judged(
        {
            "nll": float(F.cross_entropy(logits.double(), y)),
            "nll_ts": float(F.cross_entropy(logits.double() / temperature, y)),
            "brier": brier(p, y),
            "ece": raw.ece,
            "ece_ts": scaled.ece,
            "mce": raw.mce,
            "temperature_fit": temperature,
        },
        raw,
        scaled,
    )


def fidelity(logits: torch.Tensor, teacher: Any, x: torch.Tensor) -> dict[str, float | None]:
    """Return how far a model with these logits (n, C) says what its teacher says of ``x``; None
    without a teacher.
    """
    if teacher is None:
        return {"fidelity": None, "fidelity_kl": None}
    taught = predict(teacher, x)
    kl = F.kl_div(
        logits.double().log_softmax(-1),
        taught.double().log_softmax(-1),
        reduction="batchmean",
        log_target=True,
    )
    return {
        "fidelity": 100 * float((logits.argmax(-1) == taught.argmax(-1)).double().mean()),
        "fidelity_kl": max(0.0, float(kl)),
    }


def corrupted(
    model: Any,
    pictures: torch.Tensor,
    y: torch.Tensor,
    scale: tuple[float, float],
    run: Setup,
) -> dict[str, list[float]]:
    """Return the accuracy at each severity of each corruption, in percent.

    Args:
        model: from standardised pictures to logits.
        pictures: (n, channels, H, W) on [0, 1].
        y: labels (n,).
        scale: mean and standard deviation that standardise the pictures.
        run: whose stream ``eval`` draws the corruptions, the same for every method.
    """
    mean, std = scale
    found = {}
    for kind in KINDS:
        generator = run.numpy_generator("eval", kind)
        shown = torch.cat([corrupt(pictures, kind, severity, generator) for severity in SEVERITIES])
        right = predict(model, (shown - mean) / std).argmax(-1) == y.repeat(len(SEVERITIES))
        found[kind] = (100 * right.view(len(SEVERITIES), -1).double().mean(1)).tolist()
    return found


def outliers(logits: torch.Tensor, others: torch.Tensor) -> float:
    """Return how well the largest probability tells rows (n, C) from outliers (m, C), in
    percent.
    """
    return auroc(logits.softmax(-1).amax(-1), others.softmax(-1).amax(-1))


def reliability(judged: Judged) -> np.ndarray:
    """Draw how often the model is right at each confidence."""

    def points(bins: Bins) -> list[tuple[float, float | None]]:
        return [
            (100 * float(bins.confidence[k]), 100 * float(bins.accuracy[k]))
            for k in range(BINS)
            if bins.share[k] > 0
        ]

    return curves(
        {
            "perfect": [(0.0, 0.0), (100.0, 100.0)],
            "raw": points(judged.raw),
            "after the temperature": points(judged.scaled),
        },
        "How often the model is right",
        "confidence, %",
        "accuracy, %",
    )


def severities(accuracies: dict[str, list[float]], clean: float) -> np.ndarray:
    """Draw the accuracy against the severity of each corruption, 0: none."""
    return curves(
        {kind: [(0.0, clean), *enumerate(values, 1)] for kind, values in accuracies.items()},
        "Accuracy on corrupted pictures",
        "severity",
        "%",
    )
