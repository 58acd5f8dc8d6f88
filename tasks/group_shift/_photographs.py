"""Photographs whose authors made the three parts, and an upper reference that knows the groups."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec
import torch

from bench import InvalidRun, Meta, Reference, Run, Setup
from bench.tracks.group_shift import GroupMethod, Problem, Solution
from bench.training.supervised import train

from ._metrics import ERM
from ._task import GroupTask, Hidden, Parts, Rows

REFERENCES = (
    ERM,
    Reference(
        name="equal-groups",
        kind="high",
        title="The baseline on as many training and validation rows, every group equally often",
        solve="train_on_equal_groups",
    ),
)


class PhotographTask(GroupTask):
    """Train on the training part of photographs with an attribute that goes with the label."""

    source: ClassVar[str]
    """Name of the dataset."""

    n_train: Annotated[int, Meta(ge=0)] = 0
    """Use this many training rows, drawn by the seed; 0: all."""
    size: Annotated[int, Meta(ge=8, le=178)] = 64
    """Pixels of a side."""

    def parts(self, run: Setup) -> Parts:
        """Return the three parts, pixels on [0, 1]; the seed draws the training rows.

        Raises:
            InvalidRun: a part is empty.
        """
        data = run.dataset(self.source, size=self.size)
        found = []
        for number, name in enumerate(("training", "validation", "test")):
            rows = (data.part == number).nonzero()[:, 0].cpu()
            if not len(rows):
                raise InvalidRun(f"{self.source} has no {name} rows; look at its table of parts")
            if number == 0:
                order = run.numpy_generator("split").permutation(len(rows))
                rows = rows[torch.from_numpy(order)][: self.n_train or None]
            rows = rows.to(data.x.device)
            found.append(
                Rows(x=data.x[rows].float() / 255, y=data.y[rows], attribute=data.attribute[rows])
            )
        return Parts(train=found[0], val=found[1], test=found[2])

    def conflicts(self, problem: Problem, hidden: Hidden) -> torch.Tensor:
        """Return which training rows have another attribute than most rows of their label (N,)."""
        counts = self.groups(problem.y, hidden.a_train).bincount(minlength=problem.n_groups)
        usual = counts.view(self.classes, self.values).argmax(1)
        return hidden.a_train != usual[problem.y]

    def train_on_equal_groups(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the baseline after its last epoch, on as many training and
        validation rows, drawn so that every group is alike. It has seen the rows that choose the
        epoch of others.
        """
        x = torch.cat([problem.x, hidden.x_val])
        y = torch.cat([problem.y, hidden.y_val])
        group = self.groups(y, torch.cat([hidden.a_train, hidden.a_val]))
        weight = 1.0 / group.bincount().double()[group]
        rows = torch.multinomial(
            weight.cpu(),
            len(problem.y),
            replacement=True,
            generator=run.torch_generator("method", "equal groups", device="cpu"),
        ).to(x.device)
        method, drawn = GroupMethod(), msgspec.structs.replace(problem, x=x[rows], y=y[rows])
        seeds = method.gather([drawn], [run])
        seeds.nets = seeds.build(method.nets, extra=method.extra)
        state = method.start(seeds)
        train(method, seeds, state, report=False)
        found: Any = method.solutions(state, seeds)[0]
        return found
