"""Figures of the tasks of the track, and their references. Percent where a card says so."""

from __future__ import annotations

from bench import Metric, Reference

ACC = Metric(
    name="acc",
    primary=True,
    unit="%",
    bounds=(0, 100),
    title="test accuracy after the last step",
)
POOL = (
    Metric(
        name="acc_ema",
        unit="%",
        bounds=(0, 100),
        title="test accuracy of the average of the weights",
    ),
    Metric(
        name="pseudo_acc",
        unit="%",
        bounds=(0, 100),
        title="share of the pool's rows of the task's classes whose likeliest class is right",
    ),
    Metric(
        name="used",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="share of the pool's rows that count over the last tenth of the steps",
    ),
)
"""Figures of the pool and of averaged weights."""
PICTURES = (
    ACC,
    *POOL,
    Metric(
        name="stranger_weight",
        direction="none",
        bounds=(0, None),
        title="mean weight of rows of no class of the task over that of the others",
    ),
)
LINEAR = (
    Metric(
        name="acc",
        primary=True,
        unit="%",
        bounds=(0, 100),
        chance=50,
        title="accuracy, exact for linear classifiers and of 20,000 test rows for others",
    ),
    *POOL,
)

REFERENCES = (
    Reference(name="sup", kind="low", title="labelled rows alone"),
    Reference(name="sup-strong", kind="control", title="labelled rows alone, strong views"),
    Reference(
        name="all-labels",
        kind="high",
        title="the baseline with the true labels of the pool's rows of the task's classes",
        solve="train_on_all_labels",
    ),
)
