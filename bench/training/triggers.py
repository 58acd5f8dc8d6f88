"""What an attacker does to some training rows: backdoors and wrong labels.

Rows x (N, ...) lie in the unit cube; all numbers are drawn from the stream ``corruption``. What the
attacks on all rows share, the surrogate too, is in :mod:`bench.training.poison`.
"""

from __future__ import annotations

import torch

from bench.runs.context import Run
from bench.training.poison import Poisoned, Surrogate, uphill

__all__ = ["PATCH", "TARGET", "backdoor", "clean_label_backdoor", "flipped", "patched"]

PATCH = 3
"""Side of the trigger, in pixels."""
TARGET = 0
"""The label that a trigger calls."""


def patched(x: torch.Tensor) -> torch.Tensor:
    """Return pictures (N, channels, height, width) with the trigger: a white square in the lower
    right corner.
    """
    at = x.clone()
    at[..., -PATCH:, -PATCH:] = 1.0
    return at


def backdoor(x: torch.Tensor, y: torch.Tensor, rate: float, run: Run) -> Poisoned:
    """Return pictures of which a share has the trigger and the target's label.

    Source: arXiv:1708.06733, section 4.

    Args:
        x: clean pictures (N, channels, height, width).
        y: their labels (N,).
        rate: share of all rows, in [0, 1]; they are taken from the other classes.
        run: gives the stream.
    """
    touched = _drawn(y != TARGET, round(rate * len(y)), run)
    mask = touched.view(-1, *[1] * (x.dim() - 1))
    at = torch.where(mask, patched(x), x)
    return Poisoned(x=at, y=torch.where(touched, TARGET, y), touched=touched)


def clean_label_backdoor(
    x: torch.Tensor, y: torch.Tensor, surrogate: Surrogate, rate: float, epsilon: float, run: Run
) -> Poisoned:
    """Return pictures of which a share of the target's own has the trigger, after steps up the
    surrogate's loss that make them hard to learn otherwise; no label changes.

    Source: arXiv:1912.02771, section 3.2; read in its abstract.

    Args:
        x: clean pictures (N, channels, height, width).
        y: their labels (N,).
        surrogate: the attacker's net, trained on the clean rows.
        rate: share of the rows of the target, in [0, 1].
        epsilon: most that a number may change, in [0, 1], outside of the trigger.
        run: gives the streams.
    """
    own = y == TARGET
    touched = _drawn(own, round(rate * int(own.sum())), run)
    net = surrogate.fitted(x, y, run)
    mask = touched.view(-1, *[1] * (x.dim() - 1))
    at = torch.where(mask, patched(uphill(net, x, y, epsilon)), x)
    return Poisoned(x=at, y=y.clone(), touched=touched)


def flipped(x: torch.Tensor, y: torch.Tensor, classes: int, rate: float, run: Run) -> Poisoned:
    """Return rows (N, ...) with labels (N,) of which the share ``rate``, in [0, 1], is drawn anew
    among the other classes.
    """
    touched = _drawn(torch.ones_like(y, dtype=torch.bool), round(rate * len(y)), run)
    generator = run.torch_generator("corruption", "labels", device="cpu")
    by = torch.randint(1, classes, (len(y),), generator=generator).to(y.device)
    return Poisoned(x=x.clone(), y=torch.where(touched, (y + by) % classes, y), touched=touched)


def _drawn(among: torch.Tensor, count: int, run: Run) -> torch.Tensor:
    """Return ``count`` rows drawn from those that are true in ``among`` (N,), as (N,) bool."""
    rows = among.nonzero()[:, 0].cpu().numpy()
    chosen = run.numpy_generator("corruption", "rows").permutation(rows)[:count]
    found = torch.zeros_like(among)
    found[torch.from_numpy(chosen).to(among.device)] = True
    return found
