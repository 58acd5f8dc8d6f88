"""APGD: projected gradient ascent with momentum that halves each row's step where it stops to rise.

Source: arXiv:2003.01690, algorithm 1; fra31/auto-attack, autopgd_base.py.
"""

from __future__ import annotations

import torch

from bench.training.attacks_ball import Ball, Loss, Model, margin, slope, towards, wrong

__all__ = ["apgd", "repeated", "strongest", "targeted"]

_MOMENTUM = 0.75
_RISES = 0.75


def apgd(
    model: Model,
    loss: Loss,
    x: torch.Tensor,
    ball: Ball,
    *,
    steps: int,
    lead: int,
    start: torch.Tensor | None = None,
    labels: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the inputs with the largest loss that the search met, of the shape of ``x``.

    A row's step is 2 eps at first. At each checkpoint it is halved, and the search goes back to its
    best point, where the loss rose in at most 3/4 of the steps since the last one, or where the
    step was not halved then and nothing better came since.

    Args:
        model: from inputs ``(*lead, ...)`` to logits ``(*lead, C)``, each row by itself.
        loss: what is raised.
        x: the rows ``(*lead, ...)``.
        ball: where the search may go.
        steps: gradient steps.
        lead: number of leading axes.
        start: where the search begins, of the shape of ``x``; None: at the rows.
        labels: ``(*lead,)``; a row that is once classified otherwise is returned as it was then.
    """
    at = before = x if start is None else ball.project(start, x, lead)
    value, gradient, logits = slope(model, loss, at)
    best, best_value, best_gradient = at, value, gradient
    broken, kept = _broken(logits, labels), at
    size = torch.full_like(value, 2 * ball.eps)
    rises = torch.zeros_like(value)
    halved, checked = torch.ones_like(value, dtype=torch.bool), best_value
    length, shorter, shortest = (max(int(share * steps), 1) for share in (0.22, 0.03, 0.06))
    since = 0
    for step in range(steps):
        ahead = ball.project(at + _wide(size, x) * ball.direction(gradient, lead), x, lead)
        share = _MOMENTUM if step else 1.0
        moved = ball.project(at + share * (ahead - at) + (1 - share) * (at - before), x, lead)
        before, at = at, moved
        last = value
        value, gradient, logits = slope(model, loss, at)
        rises += (value > last).to(value)
        better = value > best_value
        best, best_gradient = _where(better, at, best), _where(better, gradient, best_gradient)
        best_value = torch.where(better, value, best_value)
        if labels is not None:
            now = wrong(logits, labels)
            kept, broken = _where(now, at, kept), broken | now
        since += 1
        if since == length:
            stuck = ~halved & (checked >= best_value)
            halved, checked = (rises <= _RISES * length) | stuck, best_value
            size = torch.where(halved, size / 2, size)
            at, gradient = _where(halved, best, at), _where(halved, best_gradient, gradient)
            rises, since = torch.zeros_like(rises), 0
            length = max(length - shorter, shortest)
    return best if labels is None else _where(broken, kept, best)


def targeted(
    model: Model,
    x: torch.Tensor,
    labels: torch.Tensor,
    ball: Ball,
    *,
    steps: int,
    classes: int,
    start: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return, of a search by APGD towards each of several wrong classes, the inputs with the
    largest margin, of the shape of ``x``; a row that one of them breaks is broken.

    Args:
        model: from inputs ``(*lead, ...)`` to logits ``(*lead, C)``, each row by itself.
        x: the rows ``(*lead, ...)``.
        labels: true classes ``(*lead,)``.
        ball: where the search may go.
        steps: gradient steps of each search.
        classes: how many wrong classes are tried, those with the largest logits of the clean row.
        start: where each search begins, of the shape of ``x``.
    """
    lead = labels.dim()
    with torch.no_grad():
        logits = model(x).scatter(-1, labels[..., None], -torch.inf)
    classes = min(classes, logits.shape[-1] - 1)
    targets = torch.cat(logits.topk(classes, -1).indices.unbind(-1), -1)
    many, own = repeated(x, classes, lead), repeated(labels, classes, lead)
    found = apgd(
        model,
        towards(own, targets),
        many,
        ball,
        steps=steps,
        lead=lead,
        start=None if start is None else repeated(start, classes, lead),
        labels=own,
    )
    return strongest(model, found, labels, classes)


def repeated(x: torch.Tensor, times: int, lead: int) -> torch.Tensor:
    """Return all rows ``times`` times, one copy after the other along the last of the leading axes:
    (..., B, ...) becomes (..., times * B, ...).
    """
    return torch.cat([x] * times, lead - 1)


def strongest(model: Model, points: torch.Tensor, labels: torch.Tensor, times: int) -> torch.Tensor:
    """Return of ``times`` points a row, laid out as :func:`repeated` does, the one that is farthest
    on the wrong side, ``(*lead, ...)``, for labels ``(*lead,)``.
    """
    lead = labels.dim()
    with torch.no_grad():
        gap = margin(repeated(labels, times, lead))(model(points))
    rows = labels.shape[-1]
    best = gap.unflatten(-1, (times, rows)).argmax(-2)
    number = best * rows + torch.arange(rows, device=labels.device)
    number = number.view(*number.shape, *[1] * (points.dim() - lead))
    return points.gather(lead - 1, number.expand(*labels.shape, *points.shape[lead:]))


def _broken(logits: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
    return (
        wrong(logits, labels)
        if labels is not None
        else torch.zeros(logits.shape[:-1], dtype=torch.bool, device=logits.device)
    )


def _wide(values: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return values.view(*values.shape, *[1] * (x.dim() - values.dim()))


def _where(rows: torch.Tensor, new: torch.Tensor, old: torch.Tensor) -> torch.Tensor:
    """Return new values for some rows ``(*lead,)`` of tensors ``(*lead, ...)``."""
    return torch.where(_wide(rows, new), new, old)
