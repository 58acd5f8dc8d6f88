"""The contracts: what a method, a task and a data set are, and what passes between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from bench.cards import DatasetCard, MethodCard, TaskCard
from bench.params import Params

if TYPE_CHECKING:
    from bench.runs.context import Run, Setup


class Method(Params, frozen=True, kw_only=True):
    """A way to learn. Its fields are its hyper-parameters; an instance holds nothing else.

    A method sees its problem and its run, never the hidden part of the task. One that declares
    ``stacked`` on its card implements :meth:`solve_stacked` too.
    """

    card: ClassVar[MethodCard]
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Named parameter sets of the papers. The ranked row uses the defaults alone."""

    def solve(self, problem: Any, run: Run) -> Any:
        """Return the track's solution of ``problem``."""
        raise TypeError(
            f"method {self.name_of()!r} has no solve(self, problem, run); write one that returns "
            "its track's solution."
        )

    def solve_stacked(self, problems: Sequence[Any], runs: Sequence[Run]) -> Sequence[Any]:
        """Solve several problems (of several seeds, or the K of one case)
        in one pass, in their order.
        """
        raise TypeError(
            f"method {self.name_of()!r} says stacked=True on its card but has no "
            "solve_stacked(self, problems, runs)."
        )


class Case(msgspec.Struct, kw_only=True):
    """A prepared task: what methods see, and what they do not.

    Attributes:
        problems: the track's problems, one or K of them; all that methods see.
        hidden: whatever the task needs to score them, like true labels and test data; methods never
            get it.
    """

    problems: Sequence[Any]
    hidden: Any = None


class Watched(msgspec.Struct):
    """What a task makes of one report."""

    scores: dict[str, float | None]
    """Figures of this step, for the curve."""
    keep: tuple[str, ...] = ()
    """Names under which the harness keeps a snapshot of the model,
    replacing the older one of that name.
    """


class Outcome(msgspec.Struct, kw_only=True):
    """What came of one problem, as ``evaluate`` gets it.

    Attributes:
        solution: what the method returned.
        cost: the method's own time in seconds, ``solve_s`` and ``solve_cpu_s``, and what else a
            record holds as cost.
        counters: ``forward`` and ``backward``: example visits, as the method counted them.
    """

    solution: Any
    curve: list[dict[str, Any]]
    """One entry a report: ``step`` and the scores."""
    kept: dict[str, Any]
    """Snapshots by name."""
    cost: dict[str, float]
    counters: dict[str, int]


class Score(msgspec.Struct, kw_only=True):
    """What a task says of its outcomes.

    Attributes:
        metrics: a figure for every metric of the task's card, in its unit; one that has no value
            here is ``None``, never 0 or NaN.
    """

    metrics: dict[str, float | None]
    gates: dict[str, bool] = {}
    """Conditions a row must meet to be ranked."""
    not_rankable: str | None = None
    """Why this cell says nothing, e.g. because original and retrained model can't be told apart."""
    arrays: dict[str, Any] = {}
    """NumPy arrays to keep, stored as safetensors."""
    images: dict[str, Any] = {}
    """Pictures to keep: uint8 arrays (height, width) or (height, width, 3), stored as PNG."""


class Task(Params, frozen=True, kw_only=True):
    """A standard problem. Its fields are its parameters; a variant is a named set of them."""

    card: ClassVar[TaskCard]
    accepts: ClassVar[type[Any] | tuple[type[Any], ...]] = ()
    """Types of a solution that :meth:`evaluate` reads; any other is invalid.

    The tracks of this package need not say it.
    """

    def prepare(self, run: Setup) -> Case:
        """Build the problem and the hidden part."""
        raise TypeError(
            f"task {self.name_of()!r} has no prepare(self, run); write one that returns a Case."
        )

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score a report of problem ``k``: called in eval mode, without
        gradient, on forked random streams.
        """
        return Watched({})

    def reveal(self, case: Case, run: Setup) -> None:
        """Build, after every problem is solved, what only the evaluation needs."""

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the outcomes, one a problem."""
        raise TypeError(
            f"task {self.name_of()!r} has no evaluate(self, case, outcomes, run); write one that "
            "returns a Score."
        )


class Dataset(Params, frozen=True, kw_only=True):
    """Data that a task may ask for by name."""

    card: ClassVar[DatasetCard]

    def load(self, run: Setup) -> Any:
        """Return the data as one typed record of tensors, graphs or text.

        Raises:
            DataUnavailable: it is not on this machine; the message says how to get it.
        """
        raise TypeError(
            f"data set {self.name_of()!r} has no load(self, run); write one that returns a record "
            "of tensors."
        )
