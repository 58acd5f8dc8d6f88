"""Track ``ood-detection``: tell rows of unknown kinds from rows of those that a net was trained on.

A score is higher for rows in the distribution (ID) than for rows out of it (OOD). Shapes: N
training rows, W unlabelled rows, O outliers, C classes, D features, B rows of a batch.
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch.nn import functional as F

from bench.cards import TrackCard
from bench.declared import Array, Outputs
from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.tracks.fixed_model import FixedProblem, Model, Scored, ScoreMethod
from bench.training.fitting import cross_entropy, passes_of
from bench.training.fixed_net import FixedNet, Recipe, descended

__all__ = ["Model", "Problem", "ScoreMethod", "Scored", "Solution", "beside_rows", "told_apart"]

TRACK = TrackCard(
    name="ood-detection",
    title="Out-of-distribution detection",
    about="Score rows so that those of unknown kinds stand below those of known ones.",
    field="shift",
    ranked="scores of rows, by how well they tell near kinds that the net never saw from its own",
)


class Problem(FixedProblem, frozen=True, kw_only=True):
    """What a method sees: a trained net, its rows, and where the method asks, rows without labels.

    Attributes:
        wild: rows of which some are out of the distribution and nobody says which (W, ...),
            float32; only for methods that need ``wild``.
        outliers: rows out of the distribution, of no kind that is judged by (O, ...), float32; only
            for methods that need ``outliers``.
    """

    wild: Annotated[torch.Tensor | None, Array("W", ..., dtype="float32")] = None
    outliers: Annotated[torch.Tensor | None, Array("O", ..., dtype="float32")] = None


class Solution(Scored, kw_only=True):
    """What a method returns that does more than score.

    Attributes:
        model: the classifier that the method trained, from rows (n, ...) to logits (n, C); None: it
            is still the problem's.
        flagged: the rows of ``wild`` taken to be out of the distribution (W,), bool.
        suspicion: of the rows of ``wild`` (W,), higher where a row is more likely to be out of it.
    """

    model: Annotated[Model | None, Outputs("C")] = None
    flagged: Annotated[torch.Tensor | None, Array("W", dtype="bool")] = None
    suspicion: Annotated[torch.Tensor | None, Array("W", dtype="float32")] = None


def beside_rows(
    problem: FixedProblem, other: torch.Tensor, recipe: Recipe, run: Run
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return for every step the numbers of training rows (B,) and of other rows (B,).

    Args:
        problem: whose training rows are gone through ``recipe.epochs`` times.
        other: rows (n, ...), which are gone through as often as it takes.
        recipe: how long, and rows of a batch.
        run: draws both orders.
    """
    size = min(recipe.batch_size, len(problem.x))
    steps = recipe.epochs * max(1, len(problem.x) // size)
    orders = [run.torch_generator("order", part, device="cpu") for part in ("known", "other")]
    known, others = (
        list(passes_of([torch.arange(len(rows))], size, steps, [order]))
        for rows, order in zip((problem.x, other), orders, strict=True)
    )
    device = problem.x.device
    return [(a[0].to(device), b[0].to(device)) for a, b in zip(known, others, strict=True)]


def told_apart(
    problem: FixedProblem, out: torch.Tensor, weight: float, recipe: Recipe, run: Run
) -> Solution:
    """Train a copy of the net to classify on, and a linear output on its features to tell training
    rows from others; the output is the score.

    Args:
        problem: holds the net and its rows.
        out: rows taken to be out of the distribution (n, ...).
        weight: of the second loss.
        recipe: how long and how fast.
        run: draws the orders.

    Raises:
        InvalidRun: there are no such rows.

    Source: deeplearning-wisc/sal, main.py.
    """
    if not len(out):
        raise InvalidRun(
            "no row is taken to be out of the distribution, so that there is nothing to train on; "
            "lower the threshold or give more rows"
        )
    net = problem.model.copy()
    head = torch.nn.Linear(problem.model.head_weight.shape[1], 1, device=problem.x.device)
    torch.nn.init.zeros_(head.weight)
    torch.nn.init.zeros_(head.bias)
    both = torch.nn.ModuleList([net, head])

    def loss(rows: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        known, other = rows
        features = net.features(torch.cat([problem.x[known], out[other]])[None])
        logits = net.head(features[:, : len(known)])
        inside = torch.cat([torch.ones(len(known)), torch.zeros(len(other))]).to(features)
        apart = F.binary_cross_entropy_with_logits(head(features[0])[:, 0], inside)
        return cross_entropy(logits, problem.y[known][None]).sum() + weight * apart

    batches = beside_rows(problem, out, recipe, run)
    descended(both, batches, recipe, loss)
    visits = sum(len(a) + len(b) for a, b in batches)
    run.count(forward=visits, backward=visits)
    model = FixedNet.of(net, problem.model)
    line = head.weight.detach()[0], head.bias.detach()
    return Solution(score=lambda x: (model.features(x) @ line[0] + line[1])[:, None], model=model)
