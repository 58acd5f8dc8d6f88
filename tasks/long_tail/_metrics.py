"""What the cards of the track's tasks share."""

from __future__ import annotations

from bench import Metric, Reference

REFERENCES = (
    Reference(name="plain", kind="low"),
    Reference(
        name="balanced-data",
        kind="high",
        title="Plain training on as many rows, as many of each class",
        solve="train_on_balanced_rows",
    ),
)

REST = (
    Metric(
        name="acc_head",
        unit="%",
        bounds=(0, 100),
        title="accuracy on the four tenths of the classes with the most training rows",
    ),
    Metric(
        name="acc_medium", unit="%", bounds=(0, 100), title="the same for the three tenths between"
    ),
    Metric(
        name="acc_tail",
        unit="%",
        bounds=(0, 100),
        title="the same for the three tenths with the fewest rows",
    ),
    Metric(name="worst_class", unit="%", bounds=(0, 100), title="accuracy on the worst class"),
    Metric(
        name="ece",
        direction="min",
        unit="%",
        bounds=(0, 100),
        title="expected calibration error, 15 bins",
    ),
    Metric(name="nll", direction="min", bounds=(0, None), title="mean -log p of the right class"),
    Metric(
        name="fit_rare",
        direction="none",
        bounds=(0, None),
        title="mean -log p of the training rows, over the half of them in the rarest classes",
    ),
    Metric(
        name="nc_angle_sd",
        direction="none",
        bounds=(0, 1),
        title="standard deviation of the cosines of centred class means; 0: a simplex",
    ),
    Metric(
        name="nc_cosine",
        direction="none",
        bounds=(-1, 1),
        title="mean cosine of class means, not centred; 0: orthogonal",
    ),
    Metric(
        name="nc_within",
        direction="none",
        bounds=(0, None),
        title="variance of features within classes over that between them",
    ),
    Metric(
        name="bal_acc_val",
        validation=True,
        unit="%",
        bounds=(0, 100),
        title="mean of the classes' accuracies on held-out training rows",
    ),
)


TEN = (
    Metric(
        name="bal_acc",
        primary=True,
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="mean of the classes' accuracies",
    ),
    *REST,
)
"""Of data with ten classes."""
