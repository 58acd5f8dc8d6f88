"""Every attack on every test row, and the signs that a model hides its gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import torch

from bench import Setup
from bench.training import attacks
from bench.training.attacks import Ball
from bench.training.state import predict

Model = Callable[[torch.Tensor], torch.Tensor]

RESTARTS = 3
TARGETS = 4
GRADIENT = ("fgsm", "pgd20", "pgd50", "apgd_ce", "apgd_dlr", "targeted")
"""The attacks that read a gradient; ``square`` reads none."""
_NO_GRADIENT = 1e-12
"""Largest number of a gradient that counts as none."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the attacks came to.

    Attributes:
        clean: test rows that are right without an attack (T,), bool.
        held: attack -> rows that are right without and under it (T,), bool.
        points: attack -> the attacked rows, of the shape of the test rows.
        zero_grad: share of the rows without a gradient of the cross entropy, in [0, 1].
        left_at_1: share of the rows that PGD with the radius 1 leaves right, in [0, 1].
        repeats: whether the model says the same of the test rows after the attacks as before.
        probabilities: whether it puts out probabilities, not logits.
    """

    clean: torch.Tensor
    held: dict[str, torch.Tensor]
    points: dict[str, torch.Tensor]
    zero_grad: float
    left_at_1: float
    repeats: bool
    probabilities: bool

    @property
    def robust(self) -> torch.Tensor:
        """Rows that are right without an attack and under all of them (T,), bool."""
        return torch.stack([self.clean, *self.held.values()]).all(0)


def attacked(
    model: Model,
    x: torch.Tensor,
    y: torch.Tensor,
    eps: float,
    run: Setup,
    *,
    steps: int = 50,
    queries: int = 300,
) -> Found:
    """Attack all rows (T, ...) with labels (T,); every row stays in every attack, so that their
    order cannot matter.

    Args:
        model: from inputs (n, ...) to logits (n, C).
        x: test rows in the unit cube.
        y: their labels.
        eps: radius, in L-infinity.
        run: gives the streams.
        steps: of the iterated attacks; ``pgd20`` takes at most 20.
        queries: of the random search.
    """
    before = predict(model, x)
    ball, entropy = Ball(eps=eps), attacks.cross_entropy(y)
    draws = {
        name: run.torch_generator("eval", name, device="cpu")
        for name in ("pgd20", "pgd50", "apgd", "targeted", "square")
    }

    def search(loss: attacks.Loss, start: torch.Tensor) -> torch.Tensor:
        return attacks.apgd(model, loss, x, ball, steps=steps, lead=1, start=start, labels=y)

    def ascend(name: str, most: int, restarts: int) -> torch.Tensor:
        many, own = attacks.repeated(x, restarts, 1), attacks.repeated(y, restarts, 1)
        found = attacks.pgd(
            model,
            attacks.cross_entropy(own),
            many,
            ball,
            steps=most,
            step=2.5 * eps / most,
            lead=1,
            start=ball.uniform(many, 1, draws[name]),
            labels=own,
        )
        return attacks.strongest(model, found, y, restarts)

    start = ball.uniform(x, 1, draws["apgd"])
    points = {
        "fgsm": attacks.fgsm(model, entropy, x, ball, lead=1),
        "pgd20": ascend("pgd20", min(steps, 20), 1),
        "pgd50": ascend("pgd50", steps, RESTARTS),
        "apgd_ce": search(entropy, start),
        "apgd_dlr": search(attacks.dlr(y), start),
        "targeted": attacks.targeted(
            model,
            x,
            y,
            ball,
            steps=steps,
            classes=TARGETS,
            start=ball.uniform(x, 1, draws["targeted"]),
        ),
        "square": attacks.square(model, x, y, ball, queries=queries, generators=draws["square"]),
    }
    clean = before.argmax(-1) == y
    held = {name: clean & (predict(model, at).argmax(-1) == y) for name, at in points.items()}
    zero, left = _gradient_signs(model, x, y)
    after = predict(model, x)
    spread = float((before - before.mean()).abs().mean())
    return Found(
        clean=clean,
        held=held,
        points=points,
        zero_grad=zero,
        left_at_1=left,
        repeats=float((after - before).abs().mean()) <= 1e-4 * max(spread, 1e-12),
        probabilities=_are_probabilities(before),
    )


def _gradient_signs(model: Model, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """Return the shares of rows without a gradient, and of rows that PGD with the radius 1, which
    can reach any other row, leaves right.
    """
    loss = attacks.cross_entropy(y)
    _, gradient, logits = attacks.slope(model, loss, x)
    zero = gradient.flatten(1).abs().amax(1) < _NO_GRADIENT
    far = attacks.pgd(model, loss, x, Ball(eps=1.0), steps=20, step=2.5 / 20, lead=1, labels=y)
    left = (logits.argmax(-1) == y) & (predict(model, far).argmax(-1) == y)
    return float(zero.double().mean()), float(left.double().mean())


def _are_probabilities(logits: torch.Tensor) -> bool:
    sums = logits.double().sum(-1)
    return bool((logits >= 0).all() and (logits <= 1).all() and ((sums - 1).abs() < 1e-3).all())


def percent(rows: torch.Tensor) -> float:
    """Return the share of the rows (n,) that are true, in percent."""
    return 100 * int(rows.sum()) / max(rows.numel(), 1)


def figures(found: Found, y: torch.Tensor, classes: int) -> dict[str, float | None]:
    """Return the metrics of labels (T,); accuracies in percent."""
    robust = percent(found.robust)
    held = {name: percent(rows) for name, rows in found.held.items()}
    worst = [percent(found.robust[y == c]) for c in range(classes) if (y == c).any()]
    signs = (
        found.zero_grad > 0.05,
        found.left_at_1 > 0.02,
        held["pgd50"] - robust > 20,
        held["pgd50"] > held["fgsm"] + 2,
    )
    return {
        "robust": robust,
        "acc": percent(found.clean),
        **held,
        "co_gap": held["fgsm"] - robust,
        "worst_class_robust": min(worst),
        "masked": float(sum(signs)),
        "zero_grad": 100 * found.zero_grad,
        "left_at_1": 100 * found.left_at_1,
    }


def gates(found: Found) -> dict[str, bool]:
    """Return what a row must meet to be ranked: the model repeats itself, puts out logits, and the
    search without a gradient breaks no more than the best of the others, by two points.
    """
    best = min(percent(found.held[name]) for name in GRADIENT)
    return {
        "repeats": found.repeats,
        "logits": not found.probabilities,
        "gradient_leads": percent(found.held["square"]) >= best - 2,
    }


def summary(found: Found, model: Any, x: torch.Tensor) -> tuple[torch.Tensor, list[str], Any]:
    """Return the rows of a picture: of the first rows that some attack breaks the row, its change
    times ten around grey, and the attacked row, (3 n, ...), with captions, and how many columns.
    """
    names = ("targeted", *GRADIENT, "square")
    broken = (found.clean & ~found.robust).nonzero()[:8, 0].tolist() or [0]
    pictures: list[list[torch.Tensor]] = [[], [], []]
    said: list[list[str]] = [[], [], []]
    before = predict(model, x).argmax(-1)
    for row in broken:
        name = next((name for name in names if not found.held[name][row]), "targeted")
        at = found.points[name][row]
        after = predict(model, found.points[name][[row]]).argmax(-1)
        shown = (x[row], (0.5 + 10 * (at - x[row]) / 2).clamp(0, 1), at)
        texts = (f"is {before[row]}", name, f"said {after.item()}")
        for place, (picture, text) in enumerate(zip(shown, texts, strict=True)):
            pictures[place].append(picture)
            said[place].append(text)
    flat = [picture for line in pictures for picture in line]
    return torch.stack(flat), [text for line in said for text in line], len(broken)
