"""What the cards of the track's tasks share."""

from __future__ import annotations

from bench import Metric, Reference

METRICS = (
    Metric(
        name="robust",
        primary=True,
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="test rows that are right, and that no attack breaks",
    ),
    Metric(name="acc", unit="%", bounds=(0, 100), title="accuracy without an attack", column=True),
    Metric(
        name="fgsm",
        unit="%",
        bounds=(0, 100),
        title="right under one step of the gradient's sign",
        limits="strongest attack",
    ),
    Metric(
        name="pgd20",
        unit="%",
        bounds=(0, 100),
        title="right under 20 steps on the cross entropy",
        limits="strongest attack",
    ),
    Metric(
        name="pgd50",
        unit="%",
        bounds=(0, 100),
        title="right under 50 steps on the cross entropy, from three starts",
        limits="strongest attack",
    ),
    Metric(
        name="apgd_ce",
        unit="%",
        bounds=(0, 100),
        title="right under APGD on the cross entropy",
        limits="strongest attack",
    ),
    Metric(
        name="apgd_dlr",
        unit="%",
        bounds=(0, 100),
        title="right under APGD on the DLR loss",
        limits="strongest attack",
    ),
    Metric(
        name="targeted",
        unit="%",
        bounds=(0, 100),
        title="right under APGD towards each of four classes",
        limits="strongest attack",
    ),
    Metric(
        name="square",
        unit="%",
        bounds=(0, 100),
        title="right under a random search without a gradient",
        limits="strongest attack",
    ),
    Metric(
        name="co_gap",
        direction="none",
        unit="points",
        bounds=(0, 100),
        title="fgsm minus robust: large where single steps no longer find what breaks a row",
    ),
    Metric(
        name="robust_drop",
        direction="min",
        unit="points",
        bounds=(0, 100),
        title="best minus last accuracy under PGD over the epochs, on 200 test rows",
    ),
    Metric(
        name="worst_class_robust",
        unit="%",
        bounds=(0, 100),
        title="robust accuracy of the class where it is lowest",
    ),
    Metric(
        name="masked",
        direction="none",
        bounds=(0, 4),
        title="signs of a hidden gradient, of four: the figures of gradient attacks are too high",
        warns="masked gradients suspected",
    ),
    Metric(
        name="zero_grad",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="test rows without a gradient",
    ),
    Metric(
        name="left_at_1",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="right under PGD with the radius 1, which can reach every other picture",
    ),
    Metric(
        name="robust_val",
        validation=True,
        unit="%",
        bounds=(0, 100),
        title="held-out training rows that no attack breaks",
    ),
)

REFERENCES = (
    Reference(name="plain", kind="low"),
    Reference(
        name="more-data",
        kind="high",
        title="PGD training on all training rows there are, labelled",
        solve="train_on_more",
    ),
)
