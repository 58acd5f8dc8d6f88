"""Where an attack may go: a ball around each row within a box, and the losses that it raises.

A row may have any shape; what stands before it, (n,) for a net or (K, B) for a stack of nets, are
the leading axes, those of the labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import msgspec
import torch
from torch.nn import functional as F

from bench.declared import Meta

__all__ = [
    "Ball",
    "Loss",
    "cross_entropy",
    "divergence",
    "dlr",
    "margin",
    "slope",
    "towards",
    "wrong",
]

Loss = Callable[[torch.Tensor], torch.Tensor]
"""From logits (..., C) to what each row's attack raises, (...,)."""

Model = Callable[[torch.Tensor], torch.Tensor]
Generators = torch.Generator | Sequence[torch.Generator]

_TINY = 1e-12


class Ball(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs that an attack may use instead of a row x, and the rule of its steps.

    Attributes:
        eps: radius.
        norm: ``linf``: no number moves by more than ``eps``; ``l2``: the Euclidean length of the
            change is at most ``eps``.
        low: least number of an input.
        high: largest number of an input.
        rule: direction of a step: the ``sign`` of the gradient, the gradient scaled to length 1
            (``unit``), or the gradient as it is (``raw``); empty: the steepest ascent of the norm,
            ``sign`` for ``linf`` and ``unit`` for ``l2``.
    """

    eps: Annotated[float, Meta(ge=0)]
    norm: Literal["linf", "l2"] = "linf"
    low: float = 0.0
    high: float = 1.0
    rule: Literal["", "sign", "unit", "raw"] = ""

    def project(self, points: torch.Tensor, x: torch.Tensor, lead: int) -> torch.Tensor:
        """Return the points put into the ball around ``x``, and then into the box.

        Args:
            points: where the attack is, of the shape of ``x``.
            x: the rows ``(*lead, ...)``.
            lead: number of leading axes.
        """
        if self.norm == "linf":
            inside = torch.maximum(torch.minimum(points, x + self.eps), x - self.eps)
        else:
            change = points - x
            length = _length(change, lead)
            inside = x + change * (self.eps / length.clamp_min(_TINY)).clamp_max(1.0)
        return inside.clamp(self.low, self.high)

    def direction(self, gradient: torch.Tensor, lead: int) -> torch.Tensor:
        """Return the direction of a step, of the shape of ``gradient`` ``(*lead, ...)``."""
        rule = self.rule or {"linf": "sign", "l2": "unit"}[self.norm]
        if rule == "sign":
            return gradient.sign()
        return gradient / (_length(gradient, lead) + _TINY) if rule == "unit" else gradient

    def uniform(self, x: torch.Tensor, lead: int, generators: Generators) -> torch.Tensor:
        """Return points drawn uniformly from the ball around each row, then put into the box.

        Args:
            x: the rows ``(*lead, ...)``.
            lead: number of leading axes.
            generators: one for all rows, or one for each entry of the first axis.
        """
        if self.norm == "linf":
            change = 2 * drawn(torch.rand, x.shape, generators, x) - 1
        else:
            change = drawn(torch.randn, x.shape, generators, x)
            radius = drawn(torch.rand, x.shape[:lead], generators, x) ** (
                1 / x.shape[lead:].numel()
            )
            change = change / _length(change, lead) * _wide(radius, x)
        return (x + self.eps * change).clamp(self.low, self.high)


def drawn(
    draw: Callable[..., torch.Tensor],
    shape: Sequence[int],
    generators: Generators,
    like: torch.Tensor,
) -> torch.Tensor:
    """Return numbers of this shape that ``draw`` takes from one generator, or from one for each
    entry of the first axis; of the type and on the device of ``like`` (...).
    """
    if isinstance(generators, torch.Generator):
        found = draw(tuple(shape), generator=generators, device=generators.device)
    else:
        found = torch.stack(
            [
                draw(tuple(shape[1:]), generator=generator, device=generator.device)
                for generator in generators
            ]
        )
    return found.to(like)


def _length(change: torch.Tensor, lead: int) -> torch.Tensor:
    """Return the Euclidean length of each row ``(*lead, ...)``, ``(*lead, 1, ..., 1)``."""
    return _wide(change.flatten(lead).norm(dim=-1), change)


def _wide(values: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return values ``(*lead,)`` so that they go with rows ``(*lead, ...)``."""
    return values.view(*values.shape, *[1] * (x.dim() - values.dim()))


# Losses ------------------------------------------------------------------------------------


def cross_entropy(labels: torch.Tensor) -> Loss:
    """Return -log p_y as a loss, for labels (...,)."""
    flat = labels.flatten()

    def loss(logits: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(logits.flatten(0, -2), flat, reduction="none").view(labels.shape)

    return loss


def margin(labels: torch.Tensor) -> Loss:
    """Return max_{c != y} z_c - z_y as a loss, for labels (...,); above 0 the row is wrong."""
    own = labels[..., None]

    def loss(logits: torch.Tensor) -> torch.Tensor:
        others = logits.scatter(-1, own, -torch.inf)
        return others.amax(-1) - logits.gather(-1, own)[..., 0]

    return loss


def dlr(labels: torch.Tensor) -> Loss:
    """Return the difference of logits ratio as a loss, for labels (...,): the margin over the
    distance of the largest to the third largest logit, which no scale of the logits changes.

    Of two classes there is no third logit, and the loss is the margin. Source: arXiv:2003.01690,
    equation 6.
    """
    gap = margin(labels)

    def loss(logits: torch.Tensor) -> torch.Tensor:
        if logits.shape[-1] < 3:
            return gap(logits)
        first = logits.topk(3, -1).values
        return gap(logits) / (first[..., 0] - first[..., 2] + _TINY)

    return loss


def towards(labels: torch.Tensor, targets: torch.Tensor) -> Loss:
    """Return z_t - z_y as a loss, for labels (...,) and targets (...,)."""

    def loss(logits: torch.Tensor) -> torch.Tensor:
        return (
            logits.gather(-1, targets[..., None]) - logits.gather(-1, labels[..., None])
        ).squeeze(-1)

    return loss


def divergence(clean: torch.Tensor) -> Loss:
    """Return KL(p || p of the attacked row) as a loss, for logits (..., C) of the clean rows, which
    are computed once and not in every step.
    """
    log_p = clean.detach().log_softmax(-1)
    p = log_p.exp()
    entropy = (p * log_p).sum(-1)

    def loss(logits: torch.Tensor) -> torch.Tensor:
        return entropy - (p * logits.log_softmax(-1)).sum(-1)

    return loss


def wrong(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return which rows are not classified as labelled, (...,) bool, for logits (..., C)."""
    return logits.argmax(-1) != labels


def slope(
    model: Model, loss: Loss, points: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return each row's loss (...,), its gradient in the row, of the shape of ``points``, and the
    logits (..., C).

    Where the model has no gradient, or one that is no number, it is 0: such a model is not spared,
    it stays where the attack began. Nothing of the model itself is differentiated if
    :func:`~bench.training.attacks.frozen` holds it.
    """
    with torch.enable_grad():
        points = points.detach().requires_grad_()
        logits = model(points)
        values = loss(logits)
        gradient = torch.zeros_like(points)
        if values.requires_grad:
            (found,) = torch.autograd.grad(values.sum(), points, allow_unused=True)
            gradient = gradient if found is None else found.nan_to_num(0.0, 0.0, 0.0)
    return values.detach(), gradient, logits.detach()
