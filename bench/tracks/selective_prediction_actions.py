"""Track ``selective-prediction`` where answers earn rewards: what a method is told of them, and
what a method returns that weighs all actions itself.

Shapes: as in ``bench.tracks.fixed_model``; A actions, one a class and, last, to abstain: A = C + 1.
"""

from __future__ import annotations

from typing import Annotated

import torch
from torch.nn import functional as F

from bench.declared import Meta, Outputs, Size
from bench.errors import InvalidRun
from bench.tracks.fixed_model import Model, Scored
from bench.tracks.selective_prediction import Problem

__all__ = ["Acting", "RewardProblem", "action_rewards", "optimal_constant"]


class RewardProblem(Problem, frozen=True, kw_only=True):
    """What a method sees where a right answer earns 1, a wrong one costs, and none earns 0.

    A wrong answer costs as much as 1 / ``cost`` - 1 right ones earn. So the answer that is kept
    where its chance to be wrong is below ``cost`` earns most.

    Attributes:
        n_actions: A, one more than there are classes.
        penalty: what a wrong answer costs, above 1; only for methods that need ``penalty``.
    """

    n_actions: Annotated[int, Size("A", least=3)]
    penalty: Annotated[float | None, Meta(gt=1)] = None

    def validate(self) -> None:
        """Hold the actions against the classes, and the net against the rows.

        Raises:
            InvalidRun: there is not one action more than there are classes, or the net does not
                fit.
        """
        super().validate()
        if self.n_actions != self.n_classes + 1:
            raise InvalidRun(
                f"n_actions is {self.n_actions} and there are {self.n_classes} classes; give one "
                "action a class and one to abstain"
            )


class Acting(Scored, kw_only=True):
    """What a method returns that weighs all actions, with a net of its own.

    Attributes:
        rewards: from rows (n, ...) to the reward that is expected of every action (n, A), the last
            to abstain; the largest decides. It judges each row by itself.
    """

    rewards: Annotated[Model, Outputs("A")]


def action_rewards(y: torch.Tensor, n_classes: int, penalty: float) -> torch.Tensor:
    """Return what every action earns on rows with these labels (n, A).

    Args:
        y: labels (n,), int64.
        n_classes: C.
        penalty: what a wrong answer costs, above 1.

    Source: arXiv:2310.00873.
    """
    found = (1 + penalty) * F.one_hot(y, n_classes + 1).float() - penalty
    found[:, -1] = 0
    return found


def optimal_constant(y: torch.Tensor, n_classes: int, penalty: float) -> torch.Tensor:
    """Return the constant outputs of a reward net that are nearest to the rewards of rows with
    these labels in squared error (A,): their mean, (1 + penalty) p_c - penalty and, last, 0.

    Args:
        y: labels (n,), int64.
        n_classes: C.
        penalty: what a wrong answer costs, above 1.

    Source: arXiv:2310.00873.
    """
    return action_rewards(y, n_classes, penalty).mean(0)
