"""Linear models with a penalty, many at once: fits, gradients of every row, Hessians.

A model has weights theta (d, C) and minimises the mean loss of its rows plus lam / 2 ||theta||^2,
the bias column penalised like the others. The loss is the cross entropy of C classes, or for
numbers (C = 1) half the squared error. The gradient of a row is the outer product of its input and
its ``errors``, so no matrix of gradients (N, d C) is needed for products of two.

Shapes: M models, n rows, d columns, C outputs.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.nn import functional as F

from bench.errors import InvalidRun

__all__ = ["Fitted", "design", "fit", "fitted", "gram", "leave_one_out", "margins", "outputs_of"]

TOLERANCE = 1e-10
"""Norm of the gradient below which a model counts as fitted."""
STEPS = 20_000
CHORD_STEPS = 30
"""Newton steps with the Hessian of all rows, before what is left is fitted from nothing."""


def design(x: torch.Tensor) -> torch.Tensor:
    """Return rows (n, ...) as a float64 matrix (n, d), its last column 1."""
    rows = x.flatten(1).double()
    return torch.cat([rows, torch.ones_like(rows[:, :1])], 1)


def outputs_of(y: torch.Tensor, classes: int) -> torch.Tensor:
    """Return what the outputs should be, (n, C) float64: one-hot labels, or the numbers where
    ``classes`` is 0.

    Args:
        y: labels or numbers (n,).
        classes: number of classes.
    """
    return F.one_hot(y, classes).double() if classes else y.double()[:, None]


def gram(
    x: torch.Tensor, y: torch.Tensor, masks: torch.Tensor, lam: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return X' S X + lam I, (M, d, d), and X' S Y, (M, d, C), of the normal equations of M sets.

    Args:
        x: rows (n, d).
        y: wanted outputs (n, C).
        masks: who is in (M, n), bool.
        lam: weight of the penalty.
    """
    inside = x * masks[:, :, None]
    matrix = inside.mT @ x
    matrix.diagonal(dim1=1, dim2=2).add_(lam)
    return matrix, inside.mT @ y


def margins(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the margin of the label over all other classes, z_y - log sum exp of the others, of
    the leading shape (..., n).

    Args:
        logits: (..., n, C).
        y: labels (n,).
    """
    mine = F.one_hot(y, logits.shape[-1]).bool()
    own = torch.where(mine, logits, 0.0).sum(-1)
    return own - logits.masked_fill(mine, -torch.inf).logsumexp(-1)


def fit(
    x: torch.Tensor,
    y: torch.Tensor,
    masks: torch.Tensor,
    lam: float,
    tolerance: float = TOLERANCE,
    squared: bool = False,
) -> torch.Tensor:
    """Return the weights (M, d, C) of models fitted on sets of rows, by accelerated gradient steps
    of all models together.

    Args:
        x: rows (n, d).
        y: wanted outputs (n, C).
        masks: who is in (M, n), bool; no set is empty.
        lam: weight of the penalty.
        tolerance: norm of every model's gradient at the end.
        squared: whether the loss is half the squared error.

    Raises:
        InvalidRun: a gradient stays above the tolerance.
    """
    share = masks.double() / masks.sum(1, keepdim=True)
    if squared:
        matrix, right = gram(x, y, masks, 0.0)
        count = masks.sum(1)[:, None, None]
        eye = lam * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
        solved: torch.Tensor = torch.linalg.solve(matrix / count + eye, right / count)
        return solved
    # a Hessian of the cross entropy is at most half the second moment of its rows
    widest = 0.5 * torch.linalg.eigvalsh((x * share[:, :, None]).mT @ x)[:, -1]
    rate = 1 / (widest + lam)
    root = (lam * rate).sqrt()
    momentum = ((1 - root) / (1 + root))[:, None, None]
    weights = torch.zeros(len(masks), x.shape[1], y.shape[1], dtype=x.dtype, device=x.device)
    ahead, found = weights, weights.clone()
    left = torch.arange(len(masks), device=x.device)
    for _ in range(STEPS):
        gradient = _gradient(x, y, share, ahead, lam)
        done = gradient.flatten(1).norm(dim=1) <= tolerance
        if done.any():  # a model that is done leaves, so that its bits don't depend on the others
            found[left[done]] = ahead[done]
            stay = ~done
            left, share, ahead, weights = left[stay], share[stay], ahead[stay], weights[stay]
            rate, momentum, gradient = rate[stay], momentum[stay], gradient[stay]
            if not len(left):
                return found
        next_ = ahead - rate[:, None, None] * gradient
        ahead, weights = next_ + momentum * (next_ - weights), next_
    worst = float(_gradient(x, y, share, ahead, lam).flatten(1).norm(dim=1).max())
    raise _unfitted(len(left), len(masks), worst, tolerance)


def _unfitted(left: int, models: int, worst: float, tolerance: float) -> InvalidRun:
    return InvalidRun(
        f"{left} of {models} models were not fitted: the norm of a gradient is {worst:.1e} after "
        f"{STEPS} steps and must be at most {tolerance:g}; attributions of a model that is not at "
        "its minimum mean nothing, so raise the penalty or scale the inputs"
    )


def _gradient(
    x: torch.Tensor, y: torch.Tensor, share: torch.Tensor, weights: torch.Tensor, lam: float
) -> torch.Tensor:
    errors = (x @ weights).softmax(-1).sub_(y).mul_(share[:, :, None])
    return (x.T @ errors).add_(weights, alpha=lam)


class Fitted(NamedTuple):
    """A linear model at its minimum, and what attribution needs of it.

    Attributes:
        x: rows (n, d).
        y: wanted outputs (n, C).
        weights: (d, C).
        lam: weight of the penalty.
        squared: whether the loss is half the squared error.
    """

    x: torch.Tensor
    y: torch.Tensor
    weights: torch.Tensor
    lam: float
    squared: bool

    def errors(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the derivatives of the loss of rows by their outputs, (k, C).

        Args:
            x: rows (k, d).
            y: wanted outputs (k, C).
        """
        outputs = x @ self.weights
        return (outputs if self.squared else outputs.softmax(-1)) - y

    def pulls(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the derivatives of the target of rows by their outputs, (k, C): of the margin of
        the label, or of minus the loss for numbers.

        Args:
            x: rows (k, d).
            y: wanted outputs (k, C).
        """
        if self.squared:
            return -self.errors(x, y)
        others = (x @ self.weights).masked_fill(y.bool(), -torch.inf).softmax(-1)
        return y - others

    def hessian(self) -> torch.Tensor:
        """Return the Hessian of the objective by the flattened weights (d C, d C)."""
        n, d = self.x.shape
        c = self.y.shape[1]
        if self.squared:
            curved = self.x.T @ self.x / n
        else:
            p = (self.x @ self.weights).softmax(-1)
            rows = (self.x[:, :, None] * p[:, None]).flatten(1)
            diagonal = torch.einsum("nd,ne,nc->dec", self.x, self.x, p)
            curved = -(rows.T @ rows) / n
            curved.view(d, c, d, c).diagonal(dim1=1, dim2=3).add_(diagonal / n)
        curved.diagonal().add_(self.lam)
        return curved

    def product(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return the Hessian times each of k vectors (k, d, C), of that shape, without building
        it.
        """
        forward = self.x @ vectors
        if not self.squared:
            p = (self.x @ self.weights).softmax(-1)
            forward = p * (forward - (p * forward).sum(-1, keepdim=True))
        return self.x.T @ forward / len(self.x) + self.lam * vectors


def fitted(x: torch.Tensor, y: torch.Tensor, classes: int, lam: float) -> Fitted:
    """Return the model of all rows.

    Args:
        x: inputs (n, ...).
        y: labels or numbers (n,).
        classes: number of classes; 0: numbers.
        lam: weight of the penalty.

    Raises:
        InvalidRun: it does not reach its minimum.
    """
    rows, wanted = design(x), outputs_of(y, classes)
    everyone = torch.ones(1, len(rows), dtype=torch.bool, device=rows.device)
    weights = fit(rows, wanted, everyone, lam, squared=not classes)[0]
    return Fitted(rows, wanted, weights, lam, not classes)


def leave_one_out(model: Fitted) -> torch.Tensor:
    """Return the weights (n, d, C) of the models fitted without one row each.

    Each starts from the model of all rows and takes Newton steps with its Hessian, which differs by
    one row from its own; a step takes away most of what is left.

    Args:
        model: of all rows.

    Raises:
        InvalidRun: a model does not reach its minimum.
    """
    x, y, n = model.x, model.y, len(model.x)
    masks = ~torch.eye(n, dtype=torch.bool, device=x.device)
    if model.squared:
        return fit(x, y, masks, model.lam, squared=True)
    share = masks.double() / (n - 1)
    factor = torch.linalg.cholesky(model.hessian())
    found = model.weights.expand(n, -1, -1).clone()
    left = torch.arange(n, device=x.device)
    for _ in range(CHORD_STEPS):
        gradient = _gradient(x, y, share[left], found[left], model.lam)
        norms = gradient.flatten(1).norm(dim=1)
        open_ = norms > TOLERANCE
        left = left[open_]
        if not len(left):
            return found
        step = torch.cholesky_solve(gradient[open_].flatten(1).T, factor).T
        found[left] -= step.view(-1, *model.weights.shape)
    # a row that bends the Hessian much: its model is fitted from nothing
    found[left] = fit(x, y, masks[left], model.lam)
    return found
