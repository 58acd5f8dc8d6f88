"""The models to treat at once, and the rows they are trained on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import msgspec
import torch

from bench.runs.context import Run
from bench.tracks.unlearning.losses import cross_entropy
from bench.tracks.unlearning.nets import Nets, Perceptrons, Weights, restrict
from bench.tracks.unlearning.problem import Problem
from bench.tracks.unlearning.tables import joined
from bench.training.optimisers import set_rate, sgd
from bench.training.rows import taken
from bench.training.state import evaluating


class Batch(msgspec.Struct, frozen=True):
    """Rows of one step.

    Attributes:
        rows: their numbers (M, B), int64.
        x: inputs (M, B, ...), float32.
        y: labels or targets (M, B).
    """

    rows: torch.Tensor
    x: torch.Tensor
    y: torch.Tensor


class Group:
    """M models to treat at once, and their data on the device as one tensor each.

    Attributes:
        problem: the first problem; sizes and recipe are the same for all.
        members: M.
        device: where everything lives.
        y: labels or targets (M, N); -1 everywhere for a method that gets no labels.
        forget: numbers of the rows to forget (M, S).
        retain: numbers of the rows that stay (M, R).
        everything: all row numbers (M, N).
    """

    def __init__(
        self,
        problems: Sequence[Problem],
        runs: Sequence[Run],
        *,
        labels: bool = True,
        twin: bool = False,
    ) -> None:
        self.problem, self._runs, self._twin = problems[0], list(runs), twin
        problems = [*problems, problems[0]] if twin else list(problems)
        self._weights: list[Weights] = [problem.weights for problem in problems]
        self.members, self.device = len(problems), runs[0].device
        self._x, self._offset = joined([problem.x for problem in problems], self.device)
        self.y = torch.stack([problem.y for problem in problems]).to(self.device)
        self.x_val = torch.stack([problem.x_val for problem in problems]).to(self.device)
        self.y_val = torch.stack([problem.y_val for problem in problems]).to(self.device)
        if not labels:
            self.y, self.y_val = torch.full_like(self.y, -1), torch.full_like(self.y_val, -1)
        self.forget = torch.stack([problem.forget.nonzero()[:, 0] for problem in problems]).to(
            self.device
        )
        self.retain = torch.stack([(~problem.forget).nonzero()[:, 0] for problem in problems]).to(
            self.device
        )
        self.everything = torch.arange(self.y.shape[1], device=self.device).expand(self.members, -1)
        self._masks: Sequence[torch.Tensor] | None = None
        self._given: dict[tuple[str, ...], list[torch.Generator]] = {}

    def originals(self) -> Nets:
        """Return a stack of copies of the original models; once
        :meth:`begin_with` was called, of what was given there.
        """
        nets = self.stack(self._weights)
        if self._masks is not None:
            restrict(nets, self._masks)
        return nets

    def stack(self, weights: Sequence[Weights]) -> Nets:
        """Return copies of nets of the originals' form."""
        return self.problem.architecture.of(weights, self.device)

    def repeated(self, nets: Nets, times: int) -> Nets:
        """Return a stack of ``times`` copies of each net, in eval mode; masks hold as before."""
        copies = self.stack([nets.net(k) for k in range(nets.members) for _ in range(times)])
        if self._masks is not None:
            restrict(copies, [mask.repeat_interleave(times, 0) for mask in self._masks])
        return copies.eval()

    def begin_with(self, nets: Nets, masks: Sequence[torch.Tensor]) -> None:
        """Take ``nets`` for the originals from now on; where a mask, one of the shape of each
        parameter, is 0 their weights stay as they are.
        """
        self._weights, self._masks = [nets.net(k) for k in range(self.members)], masks

    def fresh(self, role: str = "init", *axes: str, sizes: Sequence[int] | None = None) -> Nets:
        """Return newly drawn nets of the originals' form, or perceptrons of these sizes: of the
        stream ``init``, or a method's own.
        """
        inits = [run.seeded(role, *axes) for run in self._runs]
        if sizes is not None:
            perceptrons = Perceptrons(sizes, inits, self.device)
            return (
                Perceptrons.of([perceptrons.net(0)] * 2, self.device) if self._twin else perceptrons
            )
        nets = self.problem.architecture.fresh(inits, self.device)
        return self.stack([nets.net(0)] * 2) if self._twin else nets

    def generators(self, role: str, *axes: str) -> list[torch.Generator]:
        """Return a CPU generator for each member, the same object whenever it is asked for."""
        key = (role, *axes)
        if key not in self._given:
            # a twin's numbers are thrown away
            spare = [torch.Generator().manual_seed(0)] if self._twin else []
            self._given[key] = [
                run.torch_generator(role, *axes, device="cpu") for run in self._runs
            ] + spare
        return self._given[key]

    def rows(self, index: torch.Tensor, axis: str, size: int | None = None) -> Rows:
        """Return the rows ``index`` (M, n) to walk through in batches of
        ``size``, in the order of the stream ``axis``.
        """
        return Rows(self, index, self.generators("order", axis), size or self.problem.batch_size)

    def batch(self, rows: torch.Tensor) -> Batch:
        """Return the rows (M, B) with inputs and labels."""
        return Batch(rows, taken(self._x, rows + self._offset), self.y.gather(1, rows))

    def in_parts(self, index: torch.Tensor, size: int = 256) -> Iterator[Batch]:
        """Yield the rows ``index`` (M, n) in their order."""
        for rows in index.split(size, 1):
            yield self.batch(rows)

    def outputs(self, nets: Nets, index: torch.Tensor) -> torch.Tensor:
        """Return the outputs of rows ``index`` (M, n), (M, n, C), in eval
        mode and without gradient.
        """
        with evaluating(nets):
            return torch.cat([nets(batch.x) for batch in self.in_parts(index)], 1)

    def known(self, nets: Nets, *parts: torch.Tensor) -> torch.Tensor:
        """Return a table (M, N, C) of what ``nets`` put out for rows (M, n) of each of ``parts``,
        and 0 for other rows; counts a forward visit of each. What never moves is asked once.
        """
        index = torch.cat(parts, 1)
        self.count(forward=index.shape[1])
        outputs = self.outputs(nets, index)
        table = outputs.new_zeros(*self.y.shape, outputs.shape[2])
        return table.scatter_(1, index[..., None].expand_as(outputs), outputs)

    def loss(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the loss of each row (M, B): cross entropy, or the
        squared error of a regression.
        """
        return (
            cross_entropy(outputs, y) if self.problem.n_classes else (outputs[..., 0] - y).square()
        )

    def accuracy(self, nets: Nets, index: torch.Tensor | None = None) -> torch.Tensor:
        """Return the share of right answers (M,) on rows ``index`` (M, n), or on the validation
        rows whose label some row that stays bears: no other label is to be known.
        """
        if index is None:
            with evaluating(nets):
                right: torch.Tensor = nets(self.x_val).argmax(-1) == self.y_val
            kept = self._stays(self.y_val)
            return (right & kept).sum(-1).double() / kept.sum(-1).clamp_min(1)
        right = self.outputs(nets, index).argmax(-1) == self.y.gather(1, index)
        return right.double().mean(-1)

    def _stays(self, labels: torch.Tensor) -> torch.Tensor:
        """Say which of the labels (M, n) some row that stays bears."""
        kept = self.y.gather(1, self.retain)
        return torch.stack([torch.isin(*pair) for pair in zip(labels, kept, strict=True)])

    def expected(self, nets: Nets) -> torch.Tensor:
        """Return the accuracy (M,) to expect on the rows to forget of a model that never saw them:
        that on the validation rows, and 0 for labels that no row which stays bears.
        """
        kept = self._stays(self.y.gather(1, self.forget))
        return self.accuracy(nets) * kept.double().mean(-1)

    def score(self, nets: Nets) -> torch.Tensor:
        """Return what a method may choose its settings by, (M,) in [0, 1]: it reads validation rows
        and the rows to forget alone.

        Half of it is the validation accuracy. The other half is, to *correct*, the share of
        corrupted labels no longer predicted; to *forget*, how near the accuracy on the forgotten
        rows comes to what is expected of a model that never saw them.
        """
        val, forgotten = self.accuracy(nets), self.accuracy(nets, self.forget)
        self.count(forward=self.forget.shape[1] + self.y_val.shape[1])
        return (
            val
            + 1
            - (
                forgotten
                if self.problem.goal == "correct"
                else (forgotten - self.expected(nets)).abs()
            )
        ) / 2

    def epochs(self, number: int) -> Iterator[int]:
        """Yield 0 ... number - 1, showing progress."""
        ticks = [run.progress(number, "epochs") for run in self._runs]
        for epoch in range(number):
            yield epoch
            for tick in ticks:
                tick()

    def walk(
        self, rows: Rows, optimiser: torch.optim.Optimizer, epochs: int, falling: bool
    ) -> Iterator[tuple[int, Batch]]:
        """Yield every epoch's number and batches; if ``falling``, the
        optimiser's rate falls to 0 along a half cosine meanwhile.
        """
        lr, total = optimiser.param_groups[0]["lr"], epochs * rows.steps
        taken = itertools.count()
        for epoch in self.epochs(epochs):
            for batch in rows.epoch():
                if falling:
                    set_rate(optimiser, 0.5 * lr * (1 + math.cos(math.pi * next(taken) / total)))
                yield epoch, batch

    def count(self, forward: int = 0, backward: int = 0) -> None:
        """Add visits of examples to every member's cost."""
        for run in self._runs:
            run.count(forward, backward)

    def sgd(
        self,
        nets: Nets,
        lr: float,
        momentum: float | None = None,
        weight_decay: float | None = None,
    ) -> torch.optim.SGD:
        """Return SGD with the recipe's momentum (in [0, 1)) and weight
        decay, unless others are given.
        """
        momentum = self.problem.momentum if momentum is None else momentum
        weight_decay = self.problem.weight_decay if weight_decay is None else weight_decay
        return sgd(nets.parameters(), lr, momentum, weight_decay)


class Rows:
    """Some rows (M, n) of every member, to be walked through epoch by
    epoch, each member in an order of its own.
    """

    def __init__(
        self, group: Group, index: torch.Tensor, generators: Sequence[torch.Generator], size: int
    ) -> None:
        self._group, self.index, self._generators, self._size = group, index, generators, size

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return math.ceil(self.index.shape[1] / self._size)

    def epoch(self) -> Iterator[Batch]:
        """Yield every row once in batches; counts a forward and a backward visit of each."""
        count = self.index.shape[1]
        order = torch.stack(
            [torch.randperm(count, generator=generator) for generator in self._generators]
        ).to(self.index.device)
        for rows in self.index.gather(1, order).split(self._size, 1):
            yield self._group.batch(rows)
        self._group.count(forward=count, backward=count)

    def forever(self) -> Iterator[Batch]:
        """Yield batches, epoch after epoch; counts a visit of each row as it comes."""
        while True:
            order = torch.stack(
                [
                    torch.randperm(self.index.shape[1], generator=generator)
                    for generator in self._generators
                ]
            ).to(self.index.device)
            for rows in self.index.gather(1, order).split(self._size, 1):
                self._group.count(forward=rows.shape[1], backward=rows.shape[1])
                yield self._group.batch(rows)
