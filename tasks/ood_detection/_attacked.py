"""What the card of attacked digits says of each attack."""

from __future__ import annotations

from bench import Metric

_ABOVE = "chance that a clean row scores above an attacked one: "
_WRONG = "share of rows that the net gets wrong after "
ABOVE_FGSM05 = Metric(
    name="auroc_fgsm05",
    unit="%",
    bounds=(0, 100),
    chance=50,
    title=f"{_ABOVE}one step of .05 along the sign of the gradient",
    column=True,
)
ABOVE_FGSM10 = Metric(
    name="auroc_fgsm10",
    unit="%",
    bounds=(0, 100),
    chance=50,
    title=f"{_ABOVE}one step of .1 along the sign of the gradient",
    column=True,
)
ABOVE_PGD05 = Metric(
    name="auroc_pgd05",
    unit="%",
    bounds=(0, 100),
    chance=50,
    title=f"{_ABOVE}ten steps within .05",
    column=True,
)
ABOVE_PGD10 = Metric(
    name="auroc_pgd10",
    unit="%",
    bounds=(0, 100),
    chance=50,
    title=f"{_ABOVE}ten steps within .1",
    column=True,
)
ABOVE_L2 = Metric(
    name="auroc_l2",
    unit="%",
    bounds=(0, 100),
    chance=50,
    title=f"{_ABOVE}one step of length 1 along the gradient",
    column=True,
)
ABOVE_SIGN = Metric(
    name="auroc_sign",
    unit="%",
    bounds=(0, 100),
    chance=50,
    title=f"{_ABOVE}noise of .1 or -.1 a pixel, which is no attack",
    column=True,
)
FOOLED_FGSM05 = Metric(
    name="fooled_fgsm05",
    direction="none",
    unit="%",
    bounds=(0, 100),
    title=f"{_WRONG}one step of .05 along the sign of the gradient",
)
FOOLED_FGSM10 = Metric(
    name="fooled_fgsm10",
    direction="none",
    unit="%",
    bounds=(0, 100),
    title=f"{_WRONG}one step of .1 along the sign of the gradient",
)
FOOLED_PGD05 = Metric(
    name="fooled_pgd05",
    direction="none",
    unit="%",
    bounds=(0, 100),
    title=f"{_WRONG}ten steps within .05",
)
FOOLED_PGD10 = Metric(
    name="fooled_pgd10",
    direction="none",
    unit="%",
    bounds=(0, 100),
    title=f"{_WRONG}ten steps within .1",
)
FOOLED_L2 = Metric(
    name="fooled_l2",
    direction="none",
    unit="%",
    bounds=(0, 100),
    title=f"{_WRONG}one step of length 1 along the gradient",
)
FOOLED_SIGN = Metric(
    name="fooled_sign",
    direction="none",
    unit="%",
    bounds=(0, 100),
    title=f"{_WRONG}noise of .1 or -.1 a pixel, which is no attack",
)
ATTACKED = (
    ABOVE_FGSM05,
    ABOVE_FGSM10,
    ABOVE_PGD05,
    ABOVE_PGD10,
    ABOVE_L2,
    ABOVE_SIGN,
    FOOLED_FGSM05,
    FOOLED_FGSM10,
    FOOLED_PGD05,
    FOOLED_PGD10,
    FOOLED_L2,
    FOOLED_SIGN,
)
