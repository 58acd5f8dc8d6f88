"""What a method of the track ``positive-unlabeled`` gets and returns, and the rows of K seeds.

Shapes: K members (seeds), N rows, L columns of labels, B rows of a batch, P known rows of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Literal

import msgspec
import torch
from msgspec import Meta

from bench.declared import Array, Outputs
from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.training.fitting import passes_of
from bench.training.nets import StackedNet, build
from bench.training.rows import beside
from bench.training.stack import StackedMLP

__all__ = ["Batch", "Members", "Model", "Problem", "Solution"]

Model = Callable[[torch.Tensor], torch.Tensor]


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees: inputs, which labels are known, and the protocol that all methods share.

    Attributes:
        x: standardised inputs (N, ...), float32.
        s: labels known to be positive (N, L); of the others nothing is known.
        scheme: ``single``: the unlabelled sample is all rows, of which some are marked;
            ``case-control``: it is the rows without a mark, drawn apart from the marked ones.
        net: the standard net, or ``linear``.
        widths: of the hidden layers of ``mlp``, or channels of the stages of another net.
        steps: updates, the budget of every method.
        batch_size: B, rows of the unlabelled sample in a step.
        positives_a_batch: P, rows with a known positive in a step.
        lr: of Adam.
        weight_decay: of Adam, added to the gradient.
        prior: share of positives in the unlabelled sample (L,), in [0, 1]; only for methods that
            need ``prior``.
        propensity: probability that a label is known if it is positive (N, L), in [0, 1]; only for
            methods that need ``propensity``.
    """

    x: Annotated[torch.Tensor, Array("N", ..., dtype="float32")]
    s: Annotated[torch.Tensor, Array("N", "L", dtype="bool")]
    scheme: Literal["single", "case-control"] = "single"
    net: str = "mlp"
    widths: tuple[int, ...] = (256,)
    steps: Annotated[int, Meta(ge=1)] = 120
    batch_size: Annotated[int, Meta(ge=1)] = 256
    positives_a_batch: Annotated[int, Meta(ge=1)] = 64
    lr: Annotated[float, Meta(gt=0)] = 1e-3
    weight_decay: Annotated[float, Meta(ge=0)] = 5e-3
    prior: Annotated[torch.Tensor | None, Array("L", dtype="float32", ge=0, le=1)] = None
    propensity: Annotated[torch.Tensor | None, Array("N", "L", dtype="float32", gt=0, le=1)] = None

    def validate(self) -> None:
        """Refuse what cannot be learned from.

        Raises:
            InvalidRun: no label is known, or no row is left to be the unlabelled sample.
        """
        if not bool(self.s.any()):
            raise InvalidRun(
                "no label is known to be positive, and there is nothing else to learn from; label "
                "at least one row"
            )
        if self.scheme == "case-control" and bool(self.s.any(1).all()):
            raise InvalidRun(
                "every row has a known label, so that no unlabelled sample is left; label fewer "
                "rows, or take scheme=single"
            )


class Solution(msgspec.Struct, kw_only=True):
    """What a method returns.

    Attributes:
        model: from inputs (n, ...) to scores (n, L); above 0 is positive.
        propensity: probability that a label is known if it is positive (N, L), where the method
            estimates it; in [0, 1].
    """

    model: Annotated[Model, Outputs("L")]
    propensity: Annotated[torch.Tensor | None, Array("N", "L", dtype="float32", ge=0, le=1)] = None


class Batch(msgspec.Struct, frozen=True):
    """One step's rows, for all members.

    Attributes:
        step: from 0.
        rows: numbers of the rows of the unlabelled sample (K, B).
        known: numbers of the rows with a known label (K, P).
        x: inputs, of the unlabelled sample first (K, B + P, ...).
        s: which labels of the unlabelled sample are known (K, B, L), 0 or 1.
        s_known: the same of the known rows (K, P, L).
    """

    step: int
    rows: torch.Tensor
    known: torch.Tensor
    x: torch.Tensor
    s: torch.Tensor
    s_known: torch.Tensor


class Members:
    """The K problems of a pass, their runs, and their data on the device.

    Attributes:
        problem: the first problem; the protocol is the same for all.
        runs: the K runs.
        members: K.
        n_rows: N.
        x: inputs (K, N, ...).
        s: which labels are known (K, N, L), 0 or 1.
        share: share of the rows whose label is known (K, L).
        nets: the stack in training.
    """

    nets: StackedNet

    def __init__(self, problems: Sequence[Problem], runs: Sequence[Run]) -> None:
        self.problem, self.problems, self.runs = problems[0], list(problems), list(runs)
        self.members, self.n_rows = len(problems), len(problems[0].x)
        self.device = runs[0].device
        self.x = torch.stack([problem.x for problem in problems]).to(self.device)
        self.s = torch.stack([problem.s for problem in problems]).to(self.device, self.x.dtype)
        self.share = self.s.mean(1)

    @property
    def prior(self) -> torch.Tensor:
        """Share of positives in the unlabelled sample (K, L); for methods that need it."""
        return torch.stack([_told(one.prior, "prior") for one in self.problems]).to(self.device)

    @property
    def propensity(self) -> torch.Tensor:
        """Probability that a positive label is known (K, N, L); for methods that need it."""
        told = [_told(one.propensity, "propensity") for one in self.problems]
        return torch.stack(told).to(self.device)

    def build(self) -> StackedNet:
        """Return one fresh net a member with an output a column, from the streams ``init``."""
        problem = self.problem
        inits = [run.seeded("init") for run in self.runs]
        shape, outputs = problem.x.shape[1:], problem.s.shape[1]
        if problem.net == "linear":
            return StackedMLP((math.prod(shape), outputs), inits, self.device)
        return build(
            problem.net,
            shape,
            outputs,
            inits,
            self.device,
            widths=problem.widths,
            batch=problem.batch_size,
        )

    def batches(self) -> Iterator[Batch]:
        """Yield the rows of every step; each sample is gone through in an order of each member's
        own, again and again.
        """
        problem, orders = self.problem, [[], []]  # type: ignore[var-annotated]
        for run in self.runs:
            orders[0].append(run.torch_generator("order", "unlabelled", device="cpu"))
            orders[1].append(run.torch_generator("order", "known", device="cpu"))
        marked = [own.s.any(1).cpu() for own in self.problems]
        single = problem.scheme == "single"
        free = [torch.arange(self.n_rows) if single else (~own).nonzero()[:, 0] for own in marked]
        known = [own.nonzero()[:, 0] for own in marked]
        samples = zip(
            passes_of(free, problem.batch_size, problem.steps, orders[0]),
            passes_of(known, problem.positives_a_batch, problem.steps, orders[1]),
            strict=True,
        )
        for step, (rows, own) in enumerate(samples):
            rows, own = rows.to(self.device), own.to(self.device)
            both = torch.cat([rows, own], 1)
            s = beside(self.s, both)
            size = rows.shape[1]
            yield Batch(step, rows, own, beside(self.x, both), s[:, :size], s[:, size:])

    def count(self, forward: int = 0, backward: int = 0) -> None:
        """Count visits of rows for every member."""
        for run in self.runs:
            run.count(forward=forward, backward=backward)


def _told(value: torch.Tensor | None, name: str) -> torch.Tensor:
    assert value is not None, f"the card of the method must need {name}"
    return value
