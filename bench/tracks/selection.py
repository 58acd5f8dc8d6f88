"""Track ``selection``: choose which training rows to keep; nets trained from scratch on them are
judged.

A selector serves any track whose problem says how many rows may be kept (``budgets``) and what
becomes of them (``take``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from bench.cards import TrackCard
from bench.contracts import Method
from bench.runs.context import Run
from bench.tracks.selection_problem import Problem, Selectable, Selection
from bench.training.convnet import Net, Params
from bench.training.fitting import fit, outputs, passes_of

__all__ = [
    "Problem",
    "Selectable",
    "Selection",
    "Selector",
    "features_of",
    "greedy",
    "spread",
    "starts",
    "top",
    "trained",
]

TRACK = TrackCard(
    name="selection",
    title="Selection",
    about="Choose the training rows from which new nets learn.",
    field="less data",
    ranked="methods that choose rows, by the accuracy of nets trained on these alone",
)


class Selector(Method, frozen=True, kw_only=True):
    """A method that keeps rows: it gives every row a score and keeps the
    highest, or overrides ``choose``.
    """

    def scores(self, problem: Selectable, run: Run) -> torch.Tensor:
        """Return a score for every row (N,); higher means kept earlier.

        Infinite scores are allowed, and ties too.
        """
        raise TypeError(
            f"method {self.name_of()!r} has neither scores(self, problem, run) nor choose(self, "
            "problem, run); write one."
        )

    def choose(self, problem: Selectable, run: Run) -> Any:
        """Return the problem's solution: the rows of the highest scores,
        ties broken at random, for each budget.
        """
        scores = self.scores(problem, run)
        ties = torch.rand(
            len(scores), generator=run.torch_generator("method", "ties", device="cpu")
        ).to(scores.device)
        return problem.take(
            [top(scores, ties, problem, budget) for budget in problem.budgets], None, scores
        )

    def solve(self, problem: Any, run: Run) -> Any:
        """Choose rows."""
        return self.choose(problem, run)


def spread(problem: Selectable, budget: int) -> list[tuple[torch.Tensor, int]]:
    """Return the rows to choose among (n,) and how many: all of them, or class by class where the
    problem is balanced.

    A class with fewer rows than its share gives all; the rest goes to the largest classes.
    """
    if not problem.balanced:
        return [(torch.arange(len(problem.y), device=problem.y.device), budget)]
    parts = [(problem.y == c).nonzero().flatten() for c in range(problem.n_classes)]
    take = [min(len(part), budget // problem.n_classes) for part in parts]
    while sum(take) < min(budget, len(problem.y)):
        roomiest = max(range(len(parts)), key=lambda c: (len(parts[c]) - take[c], -c))
        take[roomiest] += 1
    return list(zip(parts, take, strict=True))


def top(scores: torch.Tensor, ties: torch.Tensor, problem: Selectable, budget: int) -> torch.Tensor:
    """Return the rows (budget,) of the highest scores (N,), within each class where the problem is
    balanced; ``ties`` (N,) decide between equals.
    """
    kept = []
    for part, count in spread(problem, budget):
        order = part[ties[part].argsort(descending=True, stable=True)]
        kept.append(order[scores[order].argsort(descending=True, stable=True)[:count]])
    return torch.cat(kept)


def starts(problem: Selectable, run: Run, role: str, nets: int) -> Params:
    """Draw the initial weights of ``nets`` nets of the problem's kind,
    tensors (nets, ...), from the stream ``init``.
    """
    drawn = problem.net().init(
        [run.torch_generator("init", role, k, device="cpu") for k in range(nets)]
    )
    return [tensor.to(problem.x.device) for tensor in drawn]


def trained(
    problem: Selectable,
    run: Run,
    role: str,
    *,
    nets: int,
    epochs: float,
    of: float | None = None,
    rows: torch.Tensor | None = None,
    start: Params | None = None,
    **options: Any,
) -> tuple[Net, Params]:
    """Train the problem's net ``nets`` times, each from weights and in an order of its own.

    Args:
        problem: gives net, recipe and rows.
        run: gives the streams ``init`` and ``order``, with ``role`` and the net's number as axes,
            and counts.
        role: what the nets are for.
        nets: K.
        epochs: passes to take.
        of: passes of the whole schedule, where training is cut off early.
        rows: the rows to train on (n,); all of them unless given.
        start: initial weights; drawn by ``starts`` unless given.
        options: passed on to :func:`bench.training.fitting.fit`.

    Returns:
        What the parameters mean, and the parameters (tensors (K, ...)).
    """
    net = problem.net()
    rows = torch.arange(len(problem.y)) if rows is None else rows
    batch = min(problem.batch_size, len(rows))
    steps, whole = (max(1, round(passes * len(rows) / batch)) for passes in (epochs, of or epochs))
    start = start or starts(problem, run, role, nets)
    batches = passes_of(
        [rows] * nets,
        batch,
        steps,
        [run.torch_generator("order", role, k, device="cpu") for k in range(nets)],
    )
    run.count(forward=nets * steps * batch, backward=nets * steps * batch)
    return net, fit(net, start, problem.x, problem.y, batches, problem.recipe(whole), **options)


def features_of(problem: Selectable, run: Run, where: str, epochs: float = 10) -> torch.Tensor:
    """Return features of every row (N, F): flattened inputs (``pixels``), or the last hidden layer
    of one net trained on all rows (``net``).
    """
    if where == "pixels":
        return problem.x.flatten(1)
    net, params = trained(problem, run, "features", nets=1, epochs=epochs)
    run.count(forward=len(problem.y))
    return outputs(net, params, problem.x, what="features")[0]


def greedy(
    problem: Selectable, features: torch.Tensor, pick: Callable[[torch.Tensor, int], torch.Tensor]
) -> torch.Tensor:
    """Return scores (N,) of a rule that picks rows one after another: minus the place of each, and
    minus infinity for those never picked.

    Args:
        problem: says how many rows are needed at most, and whether class by class.
        features: of every row (N, F).
        pick: from the features of the rows to choose among, and a number, to that many distinct
            positions in order.
    """
    scores = torch.full((len(features),), -torch.inf, device=features.device)
    for part, count in spread(problem, max(problem.budgets)):
        scores[part[pick(features[part], count)]] = -torch.arange(
            count, device=features.device, dtype=scores.dtype
        )
    return scores


def preferred(hardness: torch.Tensor, order: str, offset: float) -> torch.Tensor:
    """Return scores of which the highest are kept first.

    Args:
        hardness: of every row (N,), may be infinite.
        order: ``hard``: the highest first; ``easy``: the lowest; ``moderate``: those nearest the
            median.
        offset: share of the rows with the highest hardness that comes last instead.
    """
    scores = hardness if order == "hard" else -hardness
    if order == "moderate":
        middle = hardness.median()
        scores = -torch.where(hardness == middle, 0.0, (hardness - middle).abs())
    dropped = round(offset * len(hardness))
    if dropped:
        scores = scores.clone()
        scores[hardness.argsort(descending=True, stable=True)[:dropped]] = -torch.inf
    return scores
