"""How scores are judged, rows in the distribution positive. Percent throughout."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from bench import Metric, Reference
from bench.training.calibration import auroc

NEAR_AUROC = Metric(
    name="near_auroc",
    primary=True,
    unit="%",
    bounds=(0, 100),
    chance=50,
    title="chance that a row of the net's classes scores above one of a near kind, mean over the "
    "near kinds",
)
FAR_AUROC = Metric(
    name="far_auroc",
    unit="%",
    bounds=(0, 100),
    chance=50,
    title="the same, mean over the far kinds",
    column=True,
)
NEAR_FPR = Metric(
    name="near_fpr95",
    direction="min",
    unit="%",
    bounds=(0, 100),
    chance=95,
    title="share of near rows that pass where 95 % of the net's rows do, mean over the kinds",
    column=True,
)
FAR_FPR = Metric(
    name="far_fpr95",
    direction="min",
    unit="%",
    bounds=(0, 100),
    chance=95,
    title="the same of far rows",
    column=True,
)
AUPR_IN = Metric(
    name="near_aupr_in",
    unit="%",
    bounds=(0, 100),
    title="average precision of the net's rows among near ones, mean over the kinds",
)
AUPR_OUT = Metric(
    name="near_aupr_out",
    unit="%",
    bounds=(0, 100),
    title="average precision of near rows among the net's, lowest scores first, mean over the "
    "kinds",
)
ID_ACC = Metric(
    name="id_acc",
    unit="%",
    bounds=(0, 100),
    title="test accuracy on the net's classes of the classifier that the method leaves",
)
FLAGS = (
    Metric(
        name="flag_prec",
        unit="%",
        bounds=(0, 100),
        title="share of the flagged unlabelled rows that are out of the distribution",
        column=True,
    ),
    Metric(
        name="flag_rec",
        unit="%",
        bounds=(0, 100),
        title="share of the unlabelled rows out of the distribution that are flagged",
        column=True,
    ),
    Metric(
        name="flag_auroc",
        unit="%",
        bounds=(0, 100),
        chance=50,
        title="chance that an unlabelled row out of the distribution is more suspected than one in "
        "it",
    ),
)
SHARED = (NEAR_AUROC, FAR_AUROC, NEAR_FPR, FAR_FPR, AUPR_IN, AUPR_OUT, ID_ACC)
WITHOUT_FAR = (NEAR_AUROC, NEAR_FPR, AUPR_IN, AUPR_OUT, ID_ACC)
_ABOVE = "chance that a row of the net's classes scores above one of "
OF_CLASSES = Metric(
    name="auroc_classes",
    unit="%",
    bounds=(0, 100),
    chance=50,
    title=f"{_ABOVE}the classes that the net was not trained on",
    column=True,
)
OF_MNIST = Metric(
    name="auroc_mnist",
    unit="%",
    bounds=(0, 100),
    chance=50,
    title=f"{_ABOVE}handwritten digits",
    column=True,
)
OF_GLYPHS = Metric(
    name="auroc_glyphs",
    unit="%",
    bounds=(0, 100),
    chance=50,
    title=f"{_ABOVE}letters",
    column=True,
)
OF_OTHER_DIGITS = Metric(
    name="auroc_digits",
    unit="%",
    bounds=(0, 100),
    chance=50,
    title=f"{_ABOVE}digits of the other classes from another scanner",
    column=True,
)
OF_DIGITS = Metric(
    name="auroc_digits",
    unit="%",
    bounds=(0, 100),
    chance=50,
    title=f"{_ABOVE}digits from another scanner",
    column=True,
)
OF_PATCHES = Metric(
    name="auroc_patches",
    unit="%",
    bounds=(0, 100),
    chance=50,
    title=f"{_ABOVE}patches of photographs",
    column=True,
)
OF_WILD = Metric(
    name="auroc_wild",
    unit="%",
    bounds=(0, 100),
    chance=50,
    title=f"{_ABOVE}that kind",
)
OF_NOISE = Metric(
    name="auroc_noise",
    unit="%",
    bounds=(0, 100),
    chance=50,
    title=f"{_ABOVE}uniform noise",
    column=True,
)
OF_SHUFFLED = Metric(
    name="auroc_shuffled",
    unit="%",
    bounds=(0, 100),
    chance=50,
    title=f"{_ABOVE}its own test rows with their pixels shuffled",
    column=True,
)

REFERENCES = (
    Reference(name="msp", kind="low"),
    Reference(name="random", kind="control"),
    Reference(
        name="oracle",
        kind="high",
        title="a classifier trained on the net's rows and on half of every kind of the others",
        solve="told_kinds",
    ),
)


def fpr95(inside: np.ndarray, outside: np.ndarray) -> float:
    """Return the share of ``outside`` (m,), in percent, that scores at least as high as the lowest
    of the 95 % of ``inside`` (n,) with the highest scores, rounded down.
    """
    kept = max(1, math.floor(0.95 * len(inside)))
    edge = np.sort(inside)[::-1][kept - 1]
    return 100 * float((outside >= edge).mean())


def judged(inside: np.ndarray, outside: np.ndarray) -> dict[str, float]:
    """Return the figures of scores in the distribution (n,) and out of it (m,)."""
    from sklearn.metrics import average_precision_score

    y = np.concatenate([np.ones(len(inside)), np.zeros(len(outside))])
    scores = np.concatenate([inside, outside])
    return {
        "auroc": auroc(torch.from_numpy(inside), torch.from_numpy(outside)),
        "fpr95": fpr95(inside, outside),
        "aupr_in": 100 * float(average_precision_score(y, scores)),
        "aupr_out": 100 * float(average_precision_score(1 - y, -scores)),
    }


def together(
    found: Mapping[str, Mapping[str, float]], near: Sequence[str]
) -> dict[str, float | None]:
    """Return means over the near and over the far kinds, so that a small kind counts as a large
    one, and the AUROC of each.

    Args:
        found: kind -> what :func:`judged` says of it.
        near: names of the near kinds.
    """
    figures: dict[str, float | None] = {
        f"auroc_{kind}": own["auroc"] for kind, own in found.items()
    }
    for place in ("near", "far"):
        kinds = [own for kind, own in found.items() if (kind in near) == (place == "near")]
        for name in ("auroc", "fpr95", "aupr_in", "aupr_out"):
            if place == "near" or not name.startswith("aupr"):
                mean = float(np.mean([own[name] for own in kinds])) if kinds else None
                figures[f"{place}_{name}"] = mean
    return figures


def flags(
    flagged: np.ndarray | None, suspicion: np.ndarray | None, truth: np.ndarray | None
) -> dict[str, float | None]:
    """Return how well unlabelled rows were flagged (W,) and suspected (W,); None where nothing was
    said.
    """
    figures: dict[str, float | None] = dict.fromkeys(("flag_prec", "flag_rec", "flag_auroc"))
    if truth is None:
        return figures
    if flagged is not None:
        right = float((flagged & truth).sum())
        figures["flag_prec"] = 100 * right / float(flagged.sum()) if flagged.any() else None
        figures["flag_rec"] = 100 * right / float(truth.sum()) if truth.any() else None
    if suspicion is not None and 0 < truth.sum() < len(truth):
        own = torch.from_numpy(suspicion)
        figures["flag_auroc"] = auroc(own[torch.from_numpy(truth)], own[torch.from_numpy(~truth)])
    return figures
