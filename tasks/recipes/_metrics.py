"""What the cards of the track's tasks share."""

from __future__ import annotations

from bench import Metric, Reference

REFERENCES = (
    Reference(name="plain", kind="low"),
    Reference(
        name="more-data",
        kind="high",
        title="Plain training on five times the rows, or all that there are",
        solve="train_on_more_rows",
    ),
)

ACCURACY = Metric(
    name="acc", primary=True, unit="%", bounds=(0, 100), chance=10, title="test accuracy"
)

CALIBRATION = (
    Metric(
        name="nll", direction="min", bounds=(0, None), title="mean -log p of the right class, raw"
    ),
    Metric(
        name="nll_ts",
        direction="min",
        bounds=(0, None),
        title="the same after one temperature, fitted by the task on hidden validation rows",
    ),
    Metric(name="brier", direction="min", bounds=(0, 2), title="mean squared error of all p, raw"),
    Metric(
        name="ece",
        direction="min",
        unit="%",
        bounds=(0, 100),
        title="expected calibration error, 15 bins, raw",
        column=True,
    ),
    Metric(
        name="ece_ts",
        direction="min",
        unit="%",
        bounds=(0, 100),
        title="the same after the temperature",
        column=True,
    ),
    Metric(
        name="mce",
        direction="min",
        unit="%",
        bounds=(0, 100),
        title="largest calibration error of a bin, raw",
    ),
    Metric(
        name="temperature_fit",
        direction="none",
        bounds=(0, None),
        title="the temperature that the task fits; above 1: the net is too sure",
    ),
)
"""Of the final model, as it is and after a temperature."""

TRAINING = (
    Metric(
        name="fidelity",
        unit="%",
        bounds=(0, 100),
        title="test rows on which model and teacher agree, where there is a teacher",
        column=True,
    ),
    Metric(
        name="fidelity_kl",
        direction="min",
        bounds=(0, None),
        title="mean KL divergence of the model's p from the teacher's",
    ),
    Metric(
        name="train_gap",
        direction="none",
        unit="points",
        bounds=(-100, 100),
        title="accuracy on the training rows minus that on the test rows",
    ),
)

SHIFTED = (
    Metric(
        name="acc_corrupt",
        unit="%",
        bounds=(0, 100),
        title="accuracy on corrupted test rows, mean of seven corruptions at five severities",
        column=True,
    ),
    Metric(
        name="ood_auroc",
        unit="%",
        bounds=(0, 100),
        title="how well confidence tells test rows from patches of photographs",
        column=True,
    ),
)

HELD_OUT = Metric(
    name="acc_val",
    validation=True,
    unit="%",
    bounds=(0, 100),
    title="accuracy on held-out training rows",
)

PICTURES = (ACCURACY, *CALIBRATION, *SHIFTED, *TRAINING, HELD_OUT)
"""Of tasks of ten classes of pictures."""
