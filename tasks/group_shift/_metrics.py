"""What the cards of the track's tasks share."""

from __future__ import annotations

from typing import Any

from bench import Metric, Reference


def percent(name: str, title: str, **options: Any) -> Metric:
    """Return a metric in percent."""
    return Metric(name=name, title=title, unit="%", bounds=(0, 100), **options)


ERM = Reference(name="erm", kind="low")
BALANCED = Reference(
    name="balanced",
    kind="high",
    title="The baseline trained on the same rows with the attribute drawn without regard to labels",
    solve="train_balanced",
)
SPURIOUS_REFERENCES = (ERM, BALANCED)

WGA = percent("wga", "accuracy on the worst group of the chosen epoch", primary=True)
WGA_SHOWN = percent("wga", "accuracy on the worst group of the chosen epoch")

GROUPS = (
    percent("wga_last", "accuracy on the worst group of the model as returned"),
    percent("acc_groupmean", "mean over groups of their accuracies"),
    percent("acc_trainmix", "mean over groups, weighted as in training"),
    Metric(
        name="wga_gap",
        direction="min",
        unit="points",
        bounds=(-100, 100),
        title="accuracy weighted as in training minus that of the worst group",
    ),
    percent("worst_class", "accuracy on the worst class"),
)
"""Accuracies of groups beside the worst."""

JUDGED = (
    percent("ece", "expected calibration error, 15 bins", direction="min"),
    Metric(
        name="parity_gap",
        direction="min",
        unit="points",
        bounds=(0, 100),
        title="largest difference between values of the attribute in the share of rows called 1",
    ),
    percent("minority_prec", "rows believed to be minority that are"),
    percent("minority_rec", "minority rows that are believed to be"),
    Metric(
        name="r2_core",
        direction="none",
        bounds=(0, 1),
        title="share of the features' variance that the label explains",
    ),
    Metric(
        name="r2_attr",
        direction="none",
        bounds=(0, 1),
        title="share of the features' variance that the attribute explains",
    ),
    Metric(name="epoch", direction="none", bounds=(0, None), title="the epoch that was chosen"),
    percent("score_val", "what the epoch is chosen by, on validation rows", validation=True),
)
"""Figures of predictions, of features and of what a solution says."""

METRICS = (WGA, *GROUPS, *JUDGED)
"""Of a task with a spurious attribute."""
