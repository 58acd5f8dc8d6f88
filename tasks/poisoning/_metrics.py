"""What the cards of the track's tasks share."""

from __future__ import annotations

from bench import Metric, Reference

ACC = Metric(
    name="acc",
    primary=True,
    unit="%",
    bounds=(0, 100),
    chance=10,
    title="accuracy on clean test rows",
)
OTHERS = (
    Metric(
        name="nll",
        direction="min",
        unit="nats",
        bounds=(0, None),
        title="mean negative log likelihood of clean test rows",
    ),
    Metric(
        name="train_acc",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="accuracy on the training rows as the attacker left them",
    ),
    Metric(
        name="caught",
        unit="%",
        bounds=(0, 100),
        chance=50,
        title="area under the ROC curve of the method's suspicion, for rows that were touched",
    ),
    Metric(
        name="acc_val",
        validation=True,
        unit="%",
        bounds=(0, 100),
        title="accuracy on rows that were held out before the attack",
    ),
)
TRIGGERED = (
    Metric(
        name="kept",
        primary=True,
        unit="points",
        bounds=(-100, 100),
        chance=10,
        title="accuracy on clean test rows minus the share of triggers that are obeyed",
    ),
    Metric(name="acc", unit="%", bounds=(0, 100), title="accuracy on clean test rows"),
    Metric(
        name="asr",
        direction="min",
        unit="%",
        bounds=(0, 100),
        title="test rows of other classes that the trigger turns into the target",
    ),
)

REFERENCES = (
    Reference(name="ce", kind="low"),
    Reference(
        name="clean-data",
        kind="high",
        title="Cross entropy on the rows before the attack",
        solve="train_on_clean",
    ),
)
