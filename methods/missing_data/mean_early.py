"""The baseline, stopped early on held-out rows."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec
import torch

from bench import Meta, MethodCard, Run
from bench.tracks.missing_data import Model, Problem, Solution, Training, targets_of
from bench.training.recipe import Seeds, fit, train

PATH = 300
"""Steps of gradient descent on least squares among which one is chosen."""


def zeros(x: torch.Tensor) -> torch.Tensor:
    """Return rows (n, d) with 0 in their holes, which is the mean of the observed cells."""
    return x.nan_to_num(0.0)


class MeanEarly(Training):
    """Fill holes with the mean of the column, train on most rows, and take the epoch with the
    lowest loss on the others.
    """

    card: ClassVar = MethodCard(
        name="mean-early",
        title="Mean of the column, stopped early",
        track="missing-data",
        deviates="Gradient descent from 0 with early stopping replaces least squares (300 steps).",
        signal="held-out",
        plain=True,
        stacked=True,
        defaults_from="here",
    )
    held_out: Annotated[float, Meta(gt=0, le=0.5)] = 0.2
    """Share of the rows that is held out."""

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Hold rows out, and train on the others."""
        held = max(1, round(self.held_out * len(problems[0].y)))
        parts = [_parted(*pair, held) for pair in zip(problems, runs, strict=True)]
        if problems[0].net == "least-squares":
            for run in runs:
                run.count(forward=len(problems[0].y), backward=len(problems[0].y) - held)
            models = [_descended(kept, other) for kept, other in parts]
        else:
            models = self._nets(parts, runs)
        return [Solution(model=_on_zeros(model)) for model in models]

    def _nets(self, parts: Sequence[tuple[Problem, Problem]], runs: Sequence[Run]) -> list[Model]:
        seeds = self.gather([kept for kept, _ in parts], runs)
        seeds.nets = self.stack(seeds)
        state = _Best(seeds, [other for _, other in parts])
        train(self, seeds, state, report=False)
        return [state.best.member(k) for k in range(seeds.members)]

    def after_epoch(self, state: Any, epoch: int) -> None:
        """Look at the held-out rows."""
        state.look()


class _Best:
    """Rows held out by each member, and its best net so far."""

    def __init__(self, seeds: Seeds, held: Sequence[Problem]) -> None:
        self.seeds, self.best = seeds, copy.deepcopy(seeds.nets)
        self.x = torch.stack([part.x for part in held]).to(seeds.device)
        self.y = torch.stack([part.y for part in held]).to(seeds.device)
        self.lost = torch.full((seeds.members,), torch.inf, device=seeds.device)

    @torch.no_grad()
    def look(self) -> None:
        """Keep the nets of the members whose loss on the held-out rows is lower than ever."""
        self.seeds.count(forward=self.x.shape[1])
        now = fit(self.seeds.nets(self.x), self.y).mean(1)
        better, self.lost = now < self.lost, torch.minimum(now, self.lost)
        pairs = zip(self.best.parameters(), self.seeds.nets.parameters(), strict=True)
        for mine, other in pairs:
            mine[better] = other[better]


def _parted(problem: Problem, run: Run, held: int) -> tuple[Problem, Problem]:
    """Return the problem of the rows that are trained on and that of those held out, both without
    holes.
    """
    drawn = run.torch_generator("method", "held out", device="cpu")
    order = torch.randperm(len(problem.y), generator=drawn).to(problem.x.device)
    kept, other = (
        msgspec.structs.replace(problem, x=zeros(problem.x[rows]), y=problem.y[rows])
        for rows in (order[held:], order[:held])
    )
    return kept, other


def _descended(kept: Problem, held: Problem) -> Model:
    """Return the linear map of the step with the least squared error on held-out rows."""
    x, y = kept.x.double(), targets_of(kept)
    at, level = x.mean(0), y.mean(0)
    x, y = x - at, y - level
    rate = 1 / torch.linalg.matrix_norm(x, 2).square().clamp_min(1e-12)
    weights, found = x.new_zeros(x.shape[1], y.shape[1]), []
    for _ in range(PATH):
        weights = weights - rate * x.T @ (x @ weights - y)
        found.append(weights)
    path = torch.stack(found)
    wrong = (held.x.double() - at) @ path + level - targets_of(held)
    best = path[wrong.square().mean((1, 2)).argmin()]
    return lambda rows: ((rows.double() - at) @ best + level).float()


def _on_zeros(model: Model) -> Model:
    return lambda x: model(zeros(x))
