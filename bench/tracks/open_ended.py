"""Track ``open-ended``: learn from batches of rows that follow different functions, and nobody says
which.

Shapes: n batches of b rows, d inputs, K predictors, S seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
import torch

from bench.cards import TrackCard
from bench.contracts import Method
from bench.declared import Array, Meta, Outputs, Size
from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.training import optimisers
from bench.training.stack import StackedMLP

__all__ = ["OpenEndedMethod", "Problem", "Solution", "fitted"]

TRACK = TrackCard(
    name="open-ended",
    title="Open-ended data",
    about="Fit rows of several functions, without knowing which row follows which.",
    field="shift",
    ranked="methods that fit several predictors, by how close the best of them comes to each "
    "hidden function",
)

Model = Callable[[torch.Tensor], torch.Tensor]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees: small batches, each of one function, and how nets are trained.

    Attributes:
        x: inputs (n, b, d), float32.
        y: answers (n, b), float32.
        predictors: how many predictors a solution may have.
        widths: of the hidden layers of a predictor.
        steps: updates, each on all rows.
        lr: learning rate of Adam.
    """

    x: Annotated[torch.Tensor, Array("n", "b", "d", dtype="float32")]
    y: Annotated[torch.Tensor, Array("n", "b", dtype="float32")]
    predictors: Annotated[int, Meta(ge=1)] = 3
    widths: tuple[int, ...] = (32, 32)
    steps: Annotated[int, Meta(ge=1)] = 750
    lr: Annotated[float, Meta(gt=0)] = 5e-3


class Solution(msgspec.Struct, kw_only=True):
    """What a method returns: predictors, and which one each batch belongs to.

    Attributes:
        k: K, how many predictors there are.
        model: from inputs (m, d) to what each predictor answers (m, K).
        owner: the predictor of each batch (n,), int64.
    """

    k: Annotated[int, Size("K")]
    model: Annotated[Model, Outputs("K")]
    owner: Annotated[torch.Tensor, Array("n", dtype="int64", ge=0, lt="K")]

    def validate(self, problem: Problem) -> None:
        """Hold the number of predictors against what is allowed.

        Raises:
            InvalidRun: there are too many.
        """
        if self.k > problem.predictors:
            raise InvalidRun(
                f"it has {self.k} predictors and the problem allows {problem.predictors}; return "
                "fewer"
            )


class OpenEndedMethod(Method, frozen=True, kw_only=True):
    """The shared loop: K nets for each seed, all rows in every step; methods say how much of a row
    each net learns.

    Attributes:
        k: predictors; 0: as many as the problem allows.
    """

    k: Annotated[int, Meta(ge=0)] = 0

    def shares(self, losses: torch.Tensor, progress: float) -> torch.Tensor:
        """Return how much of each row each net learns (K, S, n, b), 1 in total for a row.

        Args:
            losses: squared errors (K, S, n, b), without gradient.
            progress: share of the updates that are done, in [0, 1).
        """
        raise TypeError(f"{type(self).__name__} has no shares; write one.")

    def owners(self, losses: torch.Tensor) -> torch.Tensor:
        """Return the net of each batch (S, n) from squared errors (K, S, n, b): the one that fits
        the whole batch best.
        """
        return losses.mean(3).argmin(0)

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Fit one problem."""
        return self.solve_stacked([problem], [run])[0]

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Fit several problems of one protocol at once.

        Raises:
            InvalidRun: there would be more predictors than the problem allows.
        """
        nets = self.k or problems[0].predictors
        if nets > problems[0].predictors:
            raise InvalidRun(
                f"k is {nets} and the problem allows {problems[0].predictors} predictors; use at "
                f"most k={problems[0].predictors}, or 0 for as many"
            )
        stack, losses = fitted(problems, runs, nets, self.shares)
        owner, seeds = self.owners(losses), len(problems)
        return [
            Solution(k=nets, model=_together(stack, range(s, nets * seeds, seeds)), owner=owner[s])
            for s in range(seeds)
        ]


def fitted(
    problems: Sequence[Problem],
    runs: Sequence[Run],
    nets: int,
    shares: Callable[[torch.Tensor, float], torch.Tensor],
) -> tuple[StackedMLP, torch.Tensor]:
    """Return K * S nets, net by net, after the problem's updates, and their squared errors (K, S,
    n, b).

    Args:
        problems: S problems of one protocol.
        runs: their runs.
        nets: K.
        shares: from squared errors (K, S, n, b) and the progress to how much of each row each net
            learns, of the same shape.
    """
    problem, seeds = problems[0], len(problems)
    x = torch.stack([one.x for one in problems]).flatten(1, 2).repeat(nets, 1, 1)
    y = torch.stack([one.y for one in problems])
    stack = _stack(problem, [(run, net) for net in range(nets) for run in runs])
    optimiser = optimisers.adam(stack.parameters(), problem.lr)

    def errors() -> torch.Tensor:
        said: torch.Tensor = stack(x)
        return (said.view(nets, seeds, *y.shape[1:]) - y).square()

    for step in range(problem.steps):
        found = errors()
        share = shares(found.detach(), step / problem.steps)
        optimiser.zero_grad(set_to_none=True)
        ((share * found).sum() / y[0].numel()).backward()
        optimiser.step()
    rows = nets * y[0].numel()
    for run in runs:
        run.count(forward=(problem.steps + 1) * rows, backward=problem.steps * rows)
    with torch.no_grad():
        return stack, errors()


def _stack(problem: Problem, members: Sequence[tuple[Run, int]]) -> StackedMLP:
    """Return fresh nets, drawn as torch's layers are: with the larger weights of He the first net
    that is close to most batches takes all of them.
    """
    sizes = (problem.x.shape[2], *problem.widths, 1)
    inits = [run.seeded("init", net) for run, net in members]
    stack = StackedMLP(sizes, inits, problem.x.device)
    draws = [run.torch_generator("init", net, "biases", device="cpu") for run, net in members]
    with torch.no_grad():
        for weight, bias in zip(stack.weights, stack.biases, strict=True):
            weight *= 6**-0.5
            bound = weight.shape[2] ** -0.5
            own = [torch.empty(bias.shape[1:]).uniform_(-bound, bound, generator=d) for d in draws]
            bias.copy_(torch.stack(own))
    return stack


def _together(stack: StackedMLP, places: Sequence[int]) -> Any:
    """Return the nets at these places as one model, a column each."""
    members = [stack.member(place) for place in places]

    def answer(x: torch.Tensor) -> torch.Tensor:
        return torch.cat([member(x) for member in members], 1)

    return answer
