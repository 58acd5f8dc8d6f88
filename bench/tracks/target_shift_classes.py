"""What methods of target shift share where labels are classes: what a net confuses, and calibration
of its probabilities.

Shapes: V validation rows, M target rows, C classes.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import torch
from torch.nn import functional as F

from bench.tracks.target_shift import Classes
from bench.training.calibration import fit_temperature

__all__ = ["Calibrated", "Calibration", "Confusion", "calibrated", "confusion", "fit_biases"]

Calibration = Literal["none", "ts", "bcts"]
"""``ts``: one temperature; ``bcts``: a temperature and a bias a class."""


class Confusion(msgspec.Struct, frozen=True):
    """What a net says in source and target.

    Attributes:
        joint: share of validation rows that are said to be class i and are class j (C, C), in
            [0, 1].
        source: share of validation rows that are said to be each class (C,), in [0, 1].
        target: share of target rows that are said to be each class (C,), in [0, 1].
    """

    joint: torch.Tensor
    source: torch.Tensor
    target: torch.Tensor


def confusion(classes: Classes, soft: bool = False) -> Confusion:
    """Count what the net says, float64.

    Args:
        classes: the problem's.
        soft: whether a row counts for each class with its probability instead of for the likeliest.

    Source: arXiv:1802.03916, the estimates of C and mu.
    """
    said, said_target = classes.p_val, classes.p_target
    if not soft:
        said, said_target = (
            F.one_hot(p.argmax(1), classes.n_classes).double() for p in (said, said_target)
        )
    labels = F.one_hot(classes.y_val, classes.n_classes).double()
    return Confusion(said.T @ labels / len(labels), said.mean(0), said_target.mean(0))


class Calibrated(msgspec.Struct, frozen=True):
    """Probabilities after calibration on the validation rows.

    Attributes:
        val: of the validation rows (V, C), float64, in [0, 1].
        target: of the target rows (M, C), float64, in [0, 1].
    """

    val: torch.Tensor
    target: torch.Tensor


def calibrated(classes: Classes, how: Calibration) -> Calibrated:
    """Return probabilities that are calibrated on the labels of the validation rows.

    Args:
        classes: the problem's.
        how: ``none``: as the net has them.

    Source: arXiv:1901.06852, temperature scaling and its bias-corrected form.
    """
    scale, biases = 1.0, torch.zeros(classes.n_classes, device=classes.y_val.device).double()
    if how == "ts":
        scale = 1 / fit_temperature(classes.logits_val, classes.y_val)
    elif how == "bcts":
        scale, biases = fit_biases(classes.logits_val, classes.y_val)
    return Calibrated(
        (scale * classes.logits_val.double() + biases).softmax(1),
        (scale * classes.logits_target.double() + biases).softmax(1),
    )


def fit_biases(
    logits: torch.Tensor, y: torch.Tensor, steps: int = 100
) -> tuple[float, torch.Tensor]:
    """Return the factor s and the biases b (C,) at which softmax(s z + b) makes the labels most
    likely; the biases add up to 0.

    The loss is convex in both. Newton's steps are halved until it falls.

    Args:
        logits: z, of rows that the net was not trained on (V, C).
        y: their labels (V,).
        steps: at most so many; fewer where the loss stops falling.

    Source: arXiv:1901.06852, temperature scaling and its bias-corrected form.
    """
    z, size = logits.double(), logits.shape[1]
    labels = F.one_hot(y, size).double()
    at = torch.cat([z.new_ones(1), z.new_zeros(size)])
    # what each of the 1 + C parameters adds to each logit: (V, C, 1 + C)
    features = torch.cat([z[..., None], torch.eye(size).to(z).expand(len(z), -1, -1)], 2)

    def loss(place: torch.Tensor) -> float:
        return float(F.cross_entropy(features @ place, y))

    reached = loss(at)
    for _ in range(steps):
        p = (features @ at).softmax(1)
        slope = torch.einsum("vc,vcp->p", p - labels, features) / len(z)
        mean = torch.einsum("vc,vcp->vp", p, features)
        bend = torch.einsum("vc,vcp,vcq->pq", p, features, features) - mean.T @ mean
        # biases that all move alike change nothing, so that the matrix is singular there
        step = torch.linalg.pinv(bend / len(z), hermitian=True) @ slope
        size_of_step, moved = 1.0, loss(at - step)
        while moved > reached and size_of_step > 1e-8:
            size_of_step /= 2
            moved = loss(at - size_of_step * step)
        if moved >= reached - 1e-13:
            break
        at, reached = at - size_of_step * step, moved
    return float(at[0]), at[1:] - at[1:].mean()
