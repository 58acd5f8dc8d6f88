"""Track ``unlearning``: make a trained model forget rows, as if it had never seen them; it is judged against retrained ones.

A case holds one problem or K, which differ in their original model alone. The loop serves them, and several seeds, at once.
Shapes: M members (models), B rows of a batch, N training rows, S rows to forget, R = N - S rows that stay, C outputs. Losses
are averaged over a member's batch and *summed* over members, so gradients do not mix.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Literal

import msgspec
import torch
from torch.nn import functional as F

from bench.contracts import Method
from bench.runs.context import Run
from bench.tracks.unlearning_nets import Nets, Weights

__all__ = [
    "Batch",
    "Group",
    "Model",
    "Nets",
    "Problem",
    "Rows",
    "Solution",
    "UnlearningMethod",
    "confidence",
    "cross_entropy",
    "divergence",
    "restrict",
    "step",
    "train",
]

Model = Callable[[torch.Tensor], torch.Tensor]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees: the original model, its training rows, which of them to forget, validation rows and the recipe.

    Attributes:
        weights: of the original model.
        x: standardised inputs (N, ...), float32.
        y: labels (N,), int64 in [0, C), or targets (N,), float32, of a regression.
        forget: rows to forget (N,), bool.
        x_val: held-out inputs (V, ...).
        y_val: their labels or targets, made by the same process as ``y``.
        n_classes: C; 0: a regression.
        goal: ``forget`` rows that a model must not have seen, or ``correct`` what corrupted rows taught it.
        widths: of the hidden layers.
        epochs: passes of the training recipe.
        batch_size: rows of a batch of the recipe.
        lr: of the recipe, falling to 0 along a half cosine.
        momentum: of SGD.
        weight_decay: of SGD.
    """

    weights: dict[str, torch.Tensor]
    x: torch.Tensor
    y: torch.Tensor
    forget: torch.Tensor
    x_val: torch.Tensor
    y_val: torch.Tensor
    n_classes: int
    goal: Literal["forget", "correct"] = "forget"
    widths: tuple[int, ...] = (128, 128)
    epochs: int = 20
    batch_size: int = 64
    lr: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 0.0

    @property
    def sizes(self) -> tuple[int, ...]:
        """Widths of all layers from input to output."""
        return (self.x[0].numel(), *self.widths, self.n_classes or 1)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"a method sees no {name!r}: test rows, retrained and shadow models and unknown corrupted rows are the task's; "
            f"a problem has {', '.join(self.__struct_fields__)}."
        )


class Solution(msgspec.Struct, kw_only=True):
    """What a method returns.

    Attributes:
        model: from inputs (n, ...) to outputs (n, C): logits, or of a regression predictions (n, 1).
        weights: of the model, where it is a net of the original's form.
        precompute: examples visited before the request to forget came, such as statistics of all rows; not counted as unlearning.
        exact: the forgotten rows have no influence left, by construction.
        stored: bytes kept besides the model's weights.
    """

    model: Model
    weights: dict[str, torch.Tensor] | None = None
    precompute: int = 0
    exact: bool = False
    stored: int = 0


class Batch(msgspec.Struct, frozen=True):
    """Rows of one step: their numbers (M, B), inputs (M, B, ...) and labels (M, B)."""

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

    def __init__(self, problems: Sequence[Problem], runs: Sequence[Run], *, labels: bool = True, twin: bool = False) -> None:
        self.problem, self._runs, self._twin = problems[0], list(runs), twin
        problems = [*problems, problems[0]] if twin else list(problems)
        self._weights: list[Weights] = [problem.weights for problem in problems]
        self.members, self.device = len(problems), runs[0].device
        self._x, self._offset = _table([problem.x for problem in problems], self.device)
        self.y = torch.stack([problem.y for problem in problems]).to(self.device)
        self.x_val = torch.stack([problem.x_val for problem in problems]).to(self.device)
        self.y_val = torch.stack([problem.y_val for problem in problems]).to(self.device)
        if not labels:
            self.y, self.y_val = torch.full_like(self.y, -1), torch.full_like(self.y_val, -1)
        self.forget = torch.stack([problem.forget.nonzero()[:, 0] for problem in problems]).to(self.device)
        self.retain = torch.stack([(~problem.forget).nonzero()[:, 0] for problem in problems]).to(self.device)
        self.everything = torch.arange(self.y.shape[1], device=self.device).expand(self.members, -1)
        self._masks: Sequence[torch.Tensor] | None = None
        self._given: dict[tuple[str, ...], list[torch.Generator]] = {}

    def originals(self) -> Nets:
        """Return a stack of copies of the original models; once :meth:`begin_with` was called, of what was given there."""
        nets = Nets.of(self._weights, self.device)
        if self._masks is not None:
            restrict(nets, self._masks)
        return nets

    def begin_with(self, nets: Nets, masks: Sequence[torch.Tensor]) -> None:
        """Take ``nets`` for the originals from now on; where a mask, one a parameter, is 0 their weights stay as they are."""
        self._weights, self._masks = [nets.net(k) for k in range(self.members)], masks

    def fresh(self, role: str = "init", *axes: str, sizes: Sequence[int] | None = None) -> Nets:
        """Return newly drawn nets, of the problem's sizes or others: of the stream ``init``, or a method's own."""
        inits = [run.seeded(role, *axes) for run in self._runs]
        nets = Nets(sizes or self.problem.sizes, inits, self.device)
        return Nets.of([nets.net(0)] * 2, self.device) if self._twin else nets

    def generators(self, role: str, *axes: str) -> list[torch.Generator]:
        """Return a CPU generator for each member, the same object whenever it is asked for."""
        key = (role, *axes)
        if key not in self._given:
            spare = [torch.Generator().manual_seed(0)] if self._twin else []  # a twin's numbers are thrown away
            self._given[key] = [run.torch_generator(role, *axes, device="cpu") for run in self._runs] + spare
        return self._given[key]

    def rows(self, index: torch.Tensor, axis: str, size: int | None = None) -> Rows:
        """Return the rows ``index`` (M, n) to walk through in batches of ``size``, in the order of the stream ``axis``."""
        return Rows(self, index, self.generators("order", axis), size or self.problem.batch_size)

    def batch(self, rows: torch.Tensor) -> Batch:
        """Return the rows (M, B) with inputs and labels."""
        return Batch(rows, self._x[rows + self._offset], self.y.gather(1, rows))

    def in_parts(self, index: torch.Tensor, size: int = 256) -> Iterator[Batch]:
        """Yield the rows ``index`` (M, n) in their order."""
        for rows in index.split(size, 1):
            yield self.batch(rows)

    def outputs(self, nets: Nets, index: torch.Tensor) -> torch.Tensor:
        """Return the outputs of rows ``index`` (M, n), (M, n, C), without gradient."""
        with torch.no_grad():
            return torch.cat([nets(batch.x) for batch in self.in_parts(index)], 1)

    def loss(self, outputs: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return the loss of each row (M, B): cross entropy, or the squared error of a regression."""
        return cross_entropy(outputs, y) if self.problem.n_classes else (outputs[..., 0] - y).square()

    def accuracy(self, nets: Nets, index: torch.Tensor | None = None) -> torch.Tensor:
        """Return the share of right answers (M,) on rows ``index`` (M, n), or on the validation rows."""
        if index is None:
            with torch.no_grad():
                right: torch.Tensor = nets(self.x_val).argmax(-1) == self.y_val
        else:
            right = self.outputs(nets, index).argmax(-1) == self.y.gather(1, index)
        return right.double().mean(-1)

    def score(self, nets: Nets) -> torch.Tensor:
        """Return what a method may choose its settings by, (M,) in [0, 1]: it reads validation rows and the rows to forget alone.

        Half of it is the validation accuracy. The other half is, to *correct*, the share of corrupted labels no longer predicted;
        to *forget*, how near the accuracy on the forgotten rows comes to that on the validation rows.
        """
        val, forgotten = self.accuracy(nets), self.accuracy(nets, self.forget)
        self.count(forward=self.forget.shape[1] + self.y_val.shape[1])
        return (val + 1 - (forgotten if self.problem.goal == "correct" else (forgotten - val).abs())) / 2

    def epochs(self, number: int) -> Iterator[int]:
        """Yield 0 ... number - 1, showing progress."""
        ticks = [run.progress(number, "epochs") for run in self._runs]
        for epoch in range(number):
            yield epoch
            for tick in ticks:
                tick()

    def walk(self, rows: Rows, optimiser: torch.optim.Optimizer, epochs: int, falling: bool) -> Iterator[tuple[int, Batch]]:
        """Yield every epoch's number and batches; if ``falling``, the optimiser's rate falls to 0 along a half cosine meanwhile."""
        lr, total = optimiser.param_groups[0]["lr"], epochs * rows.steps
        taken = itertools.count()
        for epoch in self.epochs(epochs):
            for batch in rows.epoch():
                if falling:
                    optimiser.param_groups[0]["lr"] = 0.5 * lr * (1 + math.cos(math.pi * next(taken) / total))
                yield epoch, batch

    def count(self, forward: int = 0, backward: int = 0) -> None:
        """Add visits of examples to every member's cost."""
        for run in self._runs:
            run.count(forward, backward)

    def sgd(self, nets: Nets, lr: float, momentum: float | None = None, weight_decay: float | None = None) -> torch.optim.SGD:
        """Return SGD with the recipe's momentum and weight decay, unless others are given."""
        momentum = self.problem.momentum if momentum is None else momentum
        weight_decay = self.problem.weight_decay if weight_decay is None else weight_decay
        fused = self.device.type == "cuda"  # on a CPU the fused kernel's last bits depend on how many members there are
        return torch.optim.SGD(nets.parameters(), lr=lr, momentum=momentum, weight_decay=weight_decay, fused=fused)


class Rows:
    """Some rows of every member, to be walked through epoch by epoch, each member in an order of its own."""

    def __init__(self, group: Group, index: torch.Tensor, generators: Sequence[torch.Generator], size: int) -> None:
        self._group, self.index, self._generators, self._size = group, index, generators, size

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return math.ceil(self.index.shape[1] / self._size)

    def epoch(self) -> Iterator[Batch]:
        """Yield every row once in batches; counts a forward and a backward visit of each."""
        count = self.index.shape[1]
        order = torch.stack([torch.randperm(count, generator=generator) for generator in self._generators]).to(self.index.device)
        for rows in self.index.gather(1, order).split(self._size, 1):
            yield self._group.batch(rows)
        self._group.count(forward=count, backward=count)

    def forever(self) -> Iterator[Batch]:
        """Yield batches, epoch after epoch; counts a visit of each row as it comes."""
        while True:
            order = torch.stack([torch.randperm(self.index.shape[1], generator=generator) for generator in self._generators]).to(self.index.device)
            for rows in self.index.gather(1, order).split(self._size, 1):
                self._group.count(forward=rows.shape[1], backward=rows.shape[1])
                yield self._group.batch(rows)


class UnlearningMethod(Method, frozen=True, kw_only=True):
    """A method of the track: it writes :meth:`unlearn` for M models at once.

    Attributes:
        labels: False: the method gets no labels; it sees -1 in their place.
    """

    labels: ClassVar[bool] = True

    def unlearn(self, group: Group) -> Nets | list[Solution]:
        """Return the unlearned nets, or a solution for each member."""
        raise TypeError(f"method {self.name_of()!r} has no unlearn(self, group); write one that returns Nets or solutions.")

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Unlearn one problem."""
        return self._solutions(Group([problem], [run], labels=self.labels))[0]

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Unlearn several problems; those of equal sizes in one pass. One of a size of its own runs beside a twin, so that its bits stay."""
        groups: dict[tuple[Any, ...], list[int]] = {}
        for position, problem in enumerate(problems):
            recipe = (problem.epochs, problem.batch_size, problem.lr, problem.momentum, problem.weight_decay, problem.goal)
            groups.setdefault((problem.sizes, len(problem.y), int(problem.forget.sum()), len(problem.y_val), recipe), []).append(position)
        found: dict[int, Solution] = {}
        for positions in groups.values():
            twin = len(positions) == 1 and len(problems) > 1
            group = Group([problems[k] for k in positions], [runs[k] for k in positions], labels=self.labels, twin=twin)
            found |= dict(zip(positions, self._solutions(group), strict=False))
        return [found[position] for position in range(len(problems))]

    def _solutions(self, group: Group) -> list[Solution]:
        unlearned = self.unlearn(group)
        return solutions(unlearned) if isinstance(unlearned, Nets) else unlearned


def solutions(nets: Nets, **said: Any) -> list[Solution]:
    """Return the members of ``nets`` as solutions, each with what else is ``said`` of it."""
    return [Solution(model=nets.member(k), weights=nets.net(k), **said) for k in range(nets.members)]


def step(optimiser: torch.optim.Optimizer, losses: torch.Tensor) -> None:
    """Take one step on losses (M, B), each member by its own mean."""
    optimiser.zero_grad(set_to_none=True)
    losses.mean(-1).sum().backward()
    optimiser.step()


def restrict(nets: Nets, masks: Sequence[torch.Tensor]) -> None:
    """Multiply every gradient of ``nets`` by its mask, as it comes."""
    for parameter, mask in zip(nets.parameters(), masks, strict=True):
        parameter.register_hook(mask.mul)


def clip(nets: Nets, most: float) -> None:
    """Shrink the gradients of each member whose norm over all parameters is above ``most``."""
    gradients = [parameter.grad for parameter in nets.parameters() if parameter.grad is not None]
    norm = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients]).norm(dim=0)
    scale = (most / norm.clamp_min(1e-12)).clamp_max(1)
    for gradient in gradients:
        gradient *= scale.view(-1, *[1] * (gradient.dim() - 1))


def train(group: Group, nets: Nets, rows: Rows, *, first: int = 0, last: int | None = None, after: Callable[[], None] = lambda: None) -> Nets:
    """Train ``nets`` on ``rows`` by the recipe, or from epoch ``first`` up to ``last`` of it; ``after`` is called after every step."""
    problem = group.problem
    optimiser, total = group.sgd(nets, problem.lr), problem.epochs * rows.steps
    taken = itertools.count(first * rows.steps)
    for _ in group.epochs((problem.epochs if last is None else last) - first):
        for batch in rows.epoch():
            optimiser.param_groups[0]["lr"] = 0.5 * problem.lr * (1 + math.cos(math.pi * next(taken) / total))
            step(optimiser, group.loss(nets(batch.x), batch.y))
            after()
    return nets


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return -log p_label, (...,), for logits (..., C) and labels (...,)."""
    return F.cross_entropy(logits.flatten(0, -2), labels.flatten(), reduction="none").view(labels.shape)


def divergence(teacher: torch.Tensor, student: torch.Tensor, temperature: float = 1.0) -> torch.Tensor:
    """Return T^2 KL(softmax(teacher / T) || softmax(student / T)) of each row, (...,), for logits (..., C)."""
    p, q = (teacher / temperature).log_softmax(-1), (student / temperature).log_softmax(-1)
    return temperature**2 * (p.exp() * (p - q)).sum(-1)


def confidence(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return phi = z_y - log sum_{c != y} exp z_c, (...,), in float64: the log odds of the label. Nothing is clipped."""
    logits = logits.double()
    label = F.one_hot(labels, logits.shape[-1]).bool()
    return logits.gather(-1, labels[..., None])[..., 0] - logits.masked_fill(label, -math.inf).logsumexp(-1)


def _table(parts: Sequence[torch.Tensor], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the distinct ``parts`` in one tensor, and for each part where its rows begin, (M, 1)."""
    kept: list[torch.Tensor] = []
    places = []
    for part in parts:
        place = next((position for position, known in enumerate(kept) if known is part or torch.equal(known, part)), len(kept))
        if place == len(kept):
            kept.append(part)
        places.append(place * len(part))
    return torch.cat(kept).to(device), torch.tensor(places, device=device)[:, None]
