"""Track ``positive-unlabeled``: learn a classifier of rows of which some are known to be positive
and nothing is known of the others.

With several columns of labels this is learning from partial positive labels, one known positive a
row the hardest case; each column is a problem of its own, on one net.

Shapes: K members (seeds), N rows, L columns of labels, B rows of a batch, P known rows of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch.nn import functional as F

from bench.cards import TrackCard
from bench.contracts import Method
from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.tracks.positive_unlabeled_problem import Batch, Members, Model, Problem, Solution
from bench.training import optimisers

__all__ = [
    "REPORTS",
    "Batch",
    "Members",
    "Model",
    "PositiveUnlabeledMethod",
    "Problem",
    "Solution",
    "log_loss",
    "over_known",
    "single_sample",
]

TRACK = TrackCard(
    name="positive-unlabeled",
    title="Positive and unlabelled",
    about="Train a classifier where only some of the positive rows are labelled.",
    field="few labels",
    ranked="training methods, by accuracy on labelled test rows",
)

REPORTS = 20
"""Reports of a run, evenly spaced over its steps."""


class PositiveUnlabeledMethod(Method, frozen=True, kw_only=True):
    """The shared loop: Adam on a risk, the only thing in which most methods differ.

    As it stands every label that is not known is taken as negative.

    Attributes:
        reads_known: whether the risk reads scores of the known rows; else they are not computed.
    """

    reads_known: ClassVar[bool] = True

    def start(self, members: Members) -> Any:
        """Return the method's state; the nets are ``members.nets``."""
        return members

    def risk(self, state: Any, batch: Batch, z: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        """Return the risk of each member and column (K, L), whose gradient the step follows.

        Args:
            state: what ``start`` returned.
            batch: the rows of the step.
            z: scores of the unlabelled sample (K, B, L).
            known: scores of the known rows (K, P, L); (K, 0, L) where the method does not read
                them.
        """
        return log_loss(z, batch.s).mean(1)

    def before_step(self, state: Any, members: Members) -> None:
        """Use or change the gradients before the nets move."""

    def after_step(self, state: Any, members: Members, step: int) -> None:
        """Do what the method does between steps; ``step`` counts those that are behind."""

    def readout(self, state: Any, members: Members, k: int) -> Model:
        """Return the model of member ``k`` as it is reported and handed over."""
        return members.nets.member(k)

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Train on one problem."""
        return self.solve_stacked([problem], [run])[0]

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Train on several problems of one protocol at once."""
        members = Members(problems, runs)
        state = self.fit(members)
        return [Solution(model=self.readout(state, members, k)) for k in range(members.members)]

    def fit(self, members: Members) -> Any:
        """Train ``members.nets`` for the problem's steps and return the method's state."""
        members.nets = members.build()
        state, problem = self.start(members), members.problem
        optimiser = optimisers.adam(members.nets.parameters(), problem.lr)
        for group in optimiser.param_groups:
            group["weight_decay"] = problem.weight_decay
        ticks = [run.progress(problem.steps, "steps") for run in members.runs]
        every = max(1, problem.steps // REPORTS)
        for batch in members.batches():
            size = batch.rows.shape[1]
            z = members.nets(batch.x if self.reads_known else batch.x[:, :size])
            risk = self.risk(state, batch, z[:, :size], z[:, size:])
            optimiser.zero_grad(set_to_none=True)
            optimisers.descend(risk)
            self.before_step(state, members)
            optimiser.step()
            done = batch.step + 1
            self.after_step(state, members, done)
            members.count(forward=z.shape[1], backward=z.shape[1])
            for k, tick in enumerate(ticks):
                tick()
                if done % every == 0:
                    members.runs[k].report(done, self.readout(state, members, k))
        return state


def log_loss(z: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return softplus(z) - t z, elementwise: the logistic loss of targets t in [0, 1]."""
    return F.softplus(z) - targets * z


def over_known(values: torch.Tensor, s_known: torch.Tensor) -> torch.Tensor:
    """Return the mean over the known rows of each column (K, L), 0 where a column has none.

    Args:
        values: (K, P, L).
        s_known: which labels are known (K, P, L), 0 or 1.
    """
    return (values * s_known).sum(1) / s_known.sum(1).clamp_min(1)


def single_sample(problem: Problem, name: str) -> None:
    """Refuse rows of another scheme than the method is for.

    Raises:
        InvalidRun: the unlabelled sample was drawn apart from the known rows.
    """
    if problem.scheme != "single":
        raise InvalidRun(
            f"{name} reads how many of all rows are known, and with scheme={problem.scheme} the "
            "unlabelled sample is drawn apart from them; take scheme=single"
        )
