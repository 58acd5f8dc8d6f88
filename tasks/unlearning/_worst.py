"""Forget sets chosen to be hardest, or easiest, to unlearn
(arXiv:2403.07362): a bi-level choice solved with signed steps.
"""

from __future__ import annotations

import torch

from bench.tracks.unlearning import Group, Problem, cross_entropy


def project(w: torch.Tensor, total: float, rounds: int = 60) -> torch.Tensor:
    """Return the nearest point with entries in [0, 1] and the given sum: clip(w - t), t found by
    bisection.

    Args:
        w: any numbers (N,), float64.
        total: the sum, from 0 to N.
        rounds: of bisection.
    """
    low, high = w.min() - 1, w.max()
    for _ in range(rounds):
        middle = (low + high) / 2
        above = (w - middle).clamp(0, 1).sum() > total
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    return (w - high).clamp(0, 1)


def choose(
    group: Group,
    size: int,
    *,
    rounds: int,
    epochs: int,
    lr: float,
    eta: float,
    gamma: float,
    harden: int,
    easy: bool,
) -> torch.Tensor:
    """Return the rows (N,), bool, that stay fitted best when unlearned.

    Upper level: min over w in [0, 1]^N with sum ``size`` of sum_i w_i loss_i(theta(w)) + gamma
    |w|^2. Lower level: from the original, signed SGD on sum_i (1 - w_i) loss_i; its derivative in w
    is 0 almost everywhere, so the upper gradient is loss + 2 gamma w.

    Args:
        group: one original.
        size: rows to choose.
        rounds: steps of the upper level.
        epochs: passes of the lower level in a round.
        lr: its step.
        eta: step of the upper level.
        gamma: weight of the square.
        harden: every so many rounds w becomes 1 on its ``size`` largest entries and 0 elsewhere.
        easy: choose the rows that lose their fit most instead.
    """
    n = group.y.shape[1]
    w = torch.full((n,), size / n, dtype=torch.float64, device=group.device)
    rows = group.rows(group.everything, "everything")
    for done in range(1, rounds + 1):
        nets = group.originals()
        for _ in range(epochs):
            for batch in rows.epoch():
                nets.zero_grad()
                ((1 - w[batch.rows]).float() * cross_entropy(nets(batch.x), batch.y)).mean(
                    -1
                ).sum().backward()
                with torch.no_grad():
                    for parameter in nets.parameters():
                        parameter -= lr * parameter.grad.sign()
        losses = cross_entropy(group.outputs(nets, group.everything), group.y)[0].double()
        w = project(w - eta * ((-losses if easy else losses) + 2 * gamma * w), size)
        if done % harden == 0:
            w = _largest(w, size).double()
    return _largest(w, size)


def _largest(w: torch.Tensor, size: int) -> torch.Tensor:
    chosen = torch.zeros(len(w), dtype=torch.bool, device=w.device)
    chosen[w.sort(descending=True, stable=True).indices[:size]] = True
    return chosen


def build(
    run: object, problem: Problem, size: int, easy: bool, settings: dict[str, float | int]
) -> dict[str, torch.Tensor]:
    """Return the choice as an artifact holds it."""
    group = Group([problem], [run])  # type: ignore[list-item]
    return {"forget": choose(group, size, easy=easy, **settings).int()}  # type: ignore[arg-type]
