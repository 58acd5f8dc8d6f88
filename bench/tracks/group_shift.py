"""Track ``group-shift``: train a classifier that holds on groups, environments and corruptions that
training hardly showed.

The loop is the one of :mod:`bench.training.supervised`, with AdamW. Shapes: N training rows, C
classes, G groups, K members (seeds), B rows of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Self

import msgspec
import torch
from msgspec import Meta

from bench.cards import TrackCard
from bench.declared import Array, Size
from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.training import optimisers, supervised
from bench.training.nets import StackedNet
from bench.training.schedules import Schedule
from bench.training.supervised import (
    Batch,
    Model,
    SupervisedMethod,
    cross_entropy,
    soft,
    train,
    train_step,
)

__all__ = [
    "Batch",
    "GroupMethod",
    "LabelledGroups",
    "Model",
    "Pretrained",
    "Problem",
    "Seeds",
    "Solution",
    "adamw",
    "cross_entropy",
    "grouped_means",
    "soft",
    "train",
    "train_step",
]

TRACK = TrackCard(
    name="group-shift",
    title="Group shift",
    about="Train a classifier that holds on groups that training hardly showed.",
    field="shift",
    ranked="training methods, by accuracy on the worst group or under the shift",
)


class LabelledGroups(msgspec.Struct, frozen=True, kw_only=True):
    """Rows with labels and groups.

    Attributes:
        x: inputs (n, ...), standardised like the training rows.
        y: labels (n,), int64.
        group: numbers of their groups (n,), int64.
    """

    x: Annotated[torch.Tensor, Array("n", ..., dtype="float32")]
    y: Annotated[torch.Tensor, Array("n", dtype="int64", ge=0, lt="C")]
    group: Annotated[torch.Tensor, Array("n", dtype="int64", ge=0, lt="G")]


class Pretrained(msgspec.Struct, frozen=True, kw_only=True):
    """A trained multilayer perceptron of the problem's widths.

    Attributes:
        weights: of each layer (out, in), from the input to the last layer.
        biases: of each layer (out,).
        n_classes: outputs of its last layer, which are other classes than the task's.
    """

    weights: tuple[Annotated[torch.Tensor, Array("out", "in", dtype="float32")], ...]
    biases: tuple[Annotated[torch.Tensor, Array("out", dtype="float32")], ...]
    n_classes: Annotated[int, Meta(ge=1)]


class Problem(supervised.Problem, frozen=True, kw_only=True):
    """What a method sees: inputs, labels and the protocol that all methods share.

    The other fields are None unless the method's card needs them and the task offers them.
    Validation and test rows belong to the task, which chooses the epoch.

    Attributes:
        widths: hidden units of a perceptron.
        epochs: passes over the training rows.
        lr: learning rate of AdamW.
        schedule: of the learning rate.
        weight_decay: of AdamW, decoupled.
        n_groups: G, labels times values of the attribute; 1 where the task has none.
        train_groups: group of each training row (N,), int64: label times the attribute's values,
            plus its value.
        val_groups: the validation rows with their groups.
        env: environment that each training row comes from (N,), int64.
        pretrained: a net that was trained on other rows and other classes.
        other_pictures: pictures without a label (m, ...) that show nothing of the task's classes.
    """

    widths: tuple[int, ...] = (256, 256)
    epochs: Annotated[int, Meta(ge=1)] = 30
    lr: Annotated[float, Meta(gt=0)] = 1e-3
    schedule: Schedule = Schedule("steps")
    weight_decay: Annotated[float, Meta(ge=0)] = 1e-4
    n_groups: Annotated[int, Size("G")] = 1
    train_groups: Annotated[torch.Tensor | None, Array("N", dtype="int64", ge=0, lt="G")] = None
    val_groups: LabelledGroups | None = None
    env: Annotated[torch.Tensor | None, Array("N", dtype="int64", ge=0)] = None
    pretrained: Pretrained | None = None
    other_pictures: Annotated[torch.Tensor | None, Array("m", ..., dtype="float32")] = None

    def validate(self) -> None:
        """Hold the fields against each other.

        Raises:
            InvalidRun: rows or pictures of other shape than the training rows, or a trained net
                that does not fit them.
        """
        shape = self.x.shape[1:]
        validation = None if self.val_groups is None else self.val_groups.x
        for name, other in (("val_groups.x", validation), ("other_pictures", self.other_pictures)):
            if other is not None and other.shape[1:] != shape:
                raise InvalidRun(
                    f"a row of {name} has the shape {tuple(other.shape[1:])}, one of x "
                    f"{tuple(shape)}"
                )
        if self.pretrained is not None:
            self._fits(self.pretrained)

    def _fits(self, net: Pretrained) -> None:
        sizes = (self.x[0].numel(), *self.widths, net.n_classes)
        wanted = [tuple(pair) for pair in zip(sizes[1:], sizes, strict=False)]
        if [tuple(weight.shape) for weight in net.weights] != wanted:
            raise InvalidRun(
                f"the weights of pretrained are {[tuple(w.shape) for w in net.weights]}, the "
                f"problem's widths want {wanted}"
            )


class Solution(supervised.Solution, kw_only=True):
    """What a method returns: a model, and what the method may say besides.

    The task judges the model as it was after the epoch that it chose, and beside it as returned.

    Attributes:
        minority: rows that the method believes to contradict the shortcut (N,), bool.
        weight: how much each row counted in training, at the end or on average (N,).
    """

    minority: Annotated[torch.Tensor | None, Array("N", dtype="bool")] = None
    weight: Annotated[torch.Tensor | None, Array("N", dtype="float", ge=0)] = None


class Seeds(supervised.Seeds):
    """The K problems of a pass.

    Attributes:
        n_groups: G.
    """

    def __init__(self, problems: Sequence[Problem], runs: Sequence[Run]) -> None:
        super().__init__(problems, runs)
        self.n_groups = problems[0].n_groups

    @property
    def group(self) -> torch.Tensor:
        """Group of each training row (K, N), int64, for methods whose card needs
        ``train-groups``.

        Raises:
            InvalidRun: the card does not need them.
        """
        return self._of_rows("train_groups", "train-groups")

    @property
    def env(self) -> torch.Tensor:
        """Environment of each training row (K, N), int64, for methods whose card needs ``env``.

        Raises:
            InvalidRun: the card does not need them.
        """
        return self._of_rows("env", "env")

    def stage(self, epochs: int, *axes: int | str) -> Self:
        """Return the same data for a stage of so many epochs, in orders of the stream with these
        axes; the stage's nets are yet to be set.
        """
        part = self.part(None, *axes)
        part.problem = msgspec.structs.replace(self.problem, epochs=epochs)
        return part

    def _of_rows(self, field: str, need: str) -> torch.Tensor:
        found = [
            one for problem in self.problems if (one := getattr(problem, field, None)) is not None
        ]
        if len(found) < self.members:
            raise InvalidRun(
                f"the method reads {field}, which its problem does not hold; put {need!r} into "
                "'needs' on its card."
            )
        return torch.stack(found).to(self.device)


class GroupMethod(SupervisedMethod, frozen=True, kw_only=True):
    """The shared loop with AdamW. As it stands it is empirical risk minimisation."""

    def gather(
        self, problems: Sequence[supervised.Problem], runs: Sequence[Run]
    ) -> supervised.Seeds:
        """Return the problems and their runs as one pass."""
        return Seeds(problems, runs)  # type: ignore[arg-type]

    def solve_stacked(
        self, problems: Sequence[supervised.Problem], runs: Sequence[Run]
    ) -> list[supervised.Solution]:
        """Train on several problems, those of one protocol at once."""
        alike: dict[str, list[int]] = {}
        for place, problem in enumerate(problems):
            alike.setdefault(_protocol(problem), []).append(place)
        found: dict[int, supervised.Solution] = {}
        for places in alike.values():
            part = self.solve_alike([problems[i] for i in places], [runs[i] for i in places])
            found |= zip(places, part, strict=True)
        return [found[place] for place in range(len(problems))]

    def solve_alike(
        self, problems: Sequence[supervised.Problem], runs: Sequence[Run]
    ) -> list[supervised.Solution]:
        """Train on several problems of one protocol at once."""
        return super().solve_stacked(problems, runs)

    def optimiser(self, seeds: supervised.Seeds) -> torch.optim.Optimizer:
        """Return AdamW with the problem's weight decay for ``seeds.nets``."""
        return adamw(seeds.nets, seeds.problem.lr, seeds.problem.weight_decay)

    def solutions(self, state: Any, seeds: supervised.Seeds) -> list[supervised.Solution]:
        """Return the solutions of all members, once they are trained."""
        return [
            Solution(model=self.readout(state, seeds.nets, k), **extra)
            for k, extra in enumerate(self.finish(state, seeds))
        ]


def _protocol(problem: supervised.Problem) -> str:
    """Return what is not data of a problem, as text."""
    values = msgspec.structs.asdict(problem)
    data = (torch.Tensor, LabelledGroups, Pretrained)
    return repr([item for item in values.items() if not isinstance(item[1], data)])


def adamw(nets: StackedNet, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    """Return AdamW for a stack of nets: Adam whose weight decay is apart from the gradient.

    Source: arXiv:1711.05101.
    """
    optimiser = optimisers.adam(nets.parameters(), lr)
    for group in optimiser.param_groups:
        group.update(weight_decay=weight_decay, decoupled_weight_decay=True)
    return optimiser


def grouped_means(
    values: torch.Tensor, group: torch.Tensor, groups: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean of each member's values within each group, 0 for a group without rows.

    Args:
        values: (K, B).
        group: number of each value's group (K, B), int64.
        groups: G.

    Returns:
        The means and how many rows they are of, both (K, G).
    """
    empty = values.new_zeros(len(values), groups)
    sums = empty.scatter_add(1, group, values)
    counts = empty.scatter_add(1, group, torch.ones_like(values))
    return sums / counts.clamp_min(1), counts
