"""What the cards of the track's tasks share."""

from __future__ import annotations

from bench import Metric, Reference

ERM = Reference(name="erm", kind="low")
BALANCED = Reference(
    name="balanced",
    kind="high",
    title="The baseline trained on the same rows with the attribute drawn without regard to labels",
    solve="train_balanced",
)
SPURIOUS_REFERENCES = (ERM, BALANCED)

WGA = Metric(
    name="wga",
    primary=True,
    unit="%",
    bounds=(0, 100),
    title="accuracy on the worst group of the chosen epoch",
)
WGA_SHOWN = Metric(
    name="wga",
    unit="%",
    bounds=(0, 100),
    title="accuracy on the worst group of the chosen epoch",
)
WGA_LAST = Metric(
    name="wga_last",
    unit="%",
    bounds=(0, 100),
    title="accuracy on the worst group of the model as returned",
)
GROUP_MEAN = Metric(
    name="acc_groupmean",
    unit="%",
    bounds=(0, 100),
    title="mean over groups of their accuracies",
)
AS_TRAINED = (
    Metric(
        name="acc_trainmix",
        unit="%",
        bounds=(0, 100),
        title="mean over groups, weighted as in training",
    ),
    Metric(
        name="wga_gap",
        direction="min",
        unit="points",
        bounds=(-100, 100),
        title="accuracy weighted as in training minus that of the worst group",
    ),
    Metric(name="worst_class", unit="%", bounds=(0, 100), title="accuracy on the worst class"),
)
GROUPS = (WGA_LAST, GROUP_MEAN, *AS_TRAINED)
"""Accuracies of groups beside the worst."""

ECE = Metric(
    name="ece",
    direction="min",
    unit="%",
    bounds=(0, 100),
    title="expected calibration error, 15 bins",
)
PARITY_GAP = Metric(
    name="parity_gap",
    direction="min",
    unit="points",
    bounds=(0, 100),
    title="largest difference between values of the attribute in the share of rows called 1",
)
R2_CORE = Metric(
    name="r2_core",
    direction="none",
    bounds=(0, 1),
    title="share of the features' variance that the label explains",
)
EPOCH = Metric(name="epoch", direction="none", bounds=(0, None), title="the epoch that was chosen")
SCORE_VAL = Metric(
    name="score_val",
    validation=True,
    unit="%",
    bounds=(0, 100),
    title="what the epoch is chosen by, on validation rows",
)
BELIEVED = (
    Metric(
        name="minority_prec",
        unit="%",
        bounds=(0, 100),
        title="rows believed to be minority that are",
    ),
    Metric(
        name="minority_rec",
        unit="%",
        bounds=(0, 100),
        title="minority rows that are believed to be",
    ),
)
FEATURES = (
    R2_CORE,
    Metric(
        name="r2_attr",
        direction="none",
        bounds=(0, 1),
        title="share of the features' variance that the attribute explains",
    ),
)
JUDGED = (ECE, PARITY_GAP, *BELIEVED, *FEATURES, EPOCH, SCORE_VAL)
"""Figures of predictions, of features and of what a solution says."""

METRICS = (WGA, *GROUPS, *JUDGED)
"""Of a task with a spurious attribute."""
