"""Attacks on classifiers: changes of an input within a ball that raise a loss.

FGSM (arXiv:1412.6572), PGD (arXiv:1706.06083), APGD on any loss and towards chosen classes
(arXiv:2003.01690), and the square search (arXiv:1912.00049); norm, box and rule of the steps are
those of the :class:`Ball`. Every attack works on all rows at once, of one net, (n, ...), or of a
stack of nets, (K, B, ...), and a row's attack does not depend on the rows beside it. What is drawn
comes in as a starting point or from generators, one a member.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from bench.training.attacks_apgd import apgd, repeated, strongest, targeted
from bench.training.attacks_ball import (
    Ball,
    Loss,
    Model,
    cross_entropy,
    divergence,
    dlr,
    drawn,
    margin,
    slope,
    towards,
    wrong,
)
from bench.training.attacks_square import square

__all__ = [
    "Ball",
    "Loss",
    "apgd",
    "cross_entropy",
    "divergence",
    "dlr",
    "drawn",
    "fgsm",
    "frozen",
    "margin",
    "pgd",
    "repeated",
    "slope",
    "square",
    "strongest",
    "targeted",
    "towards",
    "wrong",
]


def fgsm(
    model: Model,
    loss: Loss,
    x: torch.Tensor,
    ball: Ball,
    *,
    lead: int,
    start: torch.Tensor | None = None,
    step: float | None = None,
) -> torch.Tensor:
    """Return the rows after one step, of the shape of ``x``.

    Args:
        model: from inputs ``(*lead, ...)`` to logits ``(*lead, C)``, each row by itself.
        loss: what is raised.
        x: the rows ``(*lead, ...)``.
        ball: where the attack may go.
        lead: number of leading axes.
        start: where the step is taken from, of the shape of ``x``; None: the rows.
        step: its size; None: the ball's radius.
    """
    size = ball.eps if step is None else step
    return pgd(model, loss, x, ball, steps=1, step=size, lead=lead, start=start)


def pgd(
    model: Model,
    loss: Loss,
    x: torch.Tensor,
    ball: Ball,
    *,
    steps: int,
    step: float,
    lead: int,
    start: torch.Tensor | None = None,
    labels: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the rows after projected ascent, of the shape of ``x``.

    Args:
        model: from inputs ``(*lead, ...)`` to logits ``(*lead, C)``, each row by itself.
        loss: what is raised.
        x: the rows ``(*lead, ...)``.
        ball: where the attack may go.
        steps: how many.
        step: their size.
        lead: number of leading axes.
        start: where the ascent begins, of the shape of ``x``; None: at the rows.
        labels: ``(*lead,)``; a row that is once classified otherwise is returned as it was then, so
            that more steps never undo a success. None: the last points are returned.
    """
    at = x if start is None else start
    kept, broken = at, None
    for _ in range(steps):
        _, gradient, logits = slope(model, loss, at)
        if labels is not None:
            now = wrong(logits, labels)
            kept = torch.where(now.view(*now.shape, *[1] * (x.dim() - lead)), at, kept)
            broken = now if broken is None else broken | now
        at = ball.project(at + step * ball.direction(gradient, lead), x, lead)
    if labels is None or broken is None:
        return at
    with torch.no_grad():
        fresh = ~broken | wrong(model(at), labels)
    return torch.where(fresh.view(*fresh.shape, *[1] * (x.dim() - lead)), at, kept)


@contextlib.contextmanager
def frozen(model: nn.Module) -> Iterator[nn.Module]:
    """Yield the model in eval mode with parameters that take no gradient, and restore both after:
    an attack differentiates its inputs alone.
    """
    modes = [(module, module.training) for module in model.modules()]
    wanted = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in wanted:
        parameter.requires_grad_(False)
    model.eval()
    try:
        yield model
    finally:
        for parameter in wanted:
            parameter.requires_grad_(True)
        for module, mode in modes:
            module.training = mode
