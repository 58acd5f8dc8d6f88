"""The metrics of corrective unlearning, as the card lists them."""

from __future__ import annotations

from bench import Metric

from ._metrics import EXACT, PRECOMPUTE, RTE, STORED

METRICS = (
    Metric(
        name="acc_corr",
        primary=True,
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="accuracy where the corruption struck: on test rows with the trigger, or "
        "of the confused classes",
    ),
    Metric(
        name="acc_retain",
        unit="%",
        bounds=(0, 100),
        title="accuracy on clean test rows, of the other classes where classes are confused",
    ),
    Metric(
        name="acc_corr_oracle",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="acc_corr of models trained without any corrupted row",
    ),
    Metric(
        name="acc_corr_original",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="acc_corr of the original",
    ),
    Metric(
        name="retain_gap",
        direction="none",
        unit="points",
        bounds=(-100, 100),
        title="acc_retain minus the oracles'",
    ),
    Metric(
        name="fa",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="known corrupted rows still predicted as they are labelled",
    ),
    Metric(
        name="fa_unknown",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="unknown corrupted rows still predicted as they are labelled",
    ),
    RTE,
    PRECOMPUTE,
    EXACT,
    STORED,
)
