"""What a run answers, hides and counts, noted while it runs."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from bench.runs.guard import fingerprint, leaf_digest, leaves
from bench.training.stack import StackedNet

_ROWS = 10
"""Values of an array of a hidden part from which it counts as rows."""


class Seen(NamedTuple):
    """What is noted of an array of a hidden part, or of a mask that a problem holds."""

    digest: str
    """Of its type, shape and bytes."""
    axes: int = 2
    """Number of its axes."""
    rows: int = 0
    """Rows that it is of; of pairs of rows, how many rows they name at least."""
    kind: str = "values"
    """``mask``: says yes or no of each row; ``pairs``: says which rows are joined, as edges do;
    ``classes``: a whole number for each row; ``values``: anything else.
    """
    hidden: bool = True
    """Whether it is in the hidden part; else in a problem."""


class ModuleCalls:
    """How many examples went into the outermost modules, with a gradient, while a method solved.

    Without one, tokens are generated one by one and data is looked at; what is learnt from has one.
    """

    def __init__(self) -> None:
        self.rows, self.depth, self.paused = 0, 0, 1

    def add(self, module: Any, inputs: tuple[Any, ...]) -> None:
        """Add the examples of one call: the first axis of its first input, in a stack the first
        two, in a batch of graphs the graphs.
        """
        shape = tuple(getattr(inputs[0], "shape", ())) or (getattr(inputs[0], "num_graphs", 0),)
        self.rows += math.prod(shape[: 2 if isinstance(module, StackedNet) else 1])


@contextlib.contextmanager
def answers_seen() -> Iterator[dict[str, str]]:
    """Note the fingerprint of what a method returns and of what it reports of itself, by cell."""
    from bench.runs.worker import Worker

    found: dict[str, str] = {}
    solve = Worker._solve

    def noted(worker: Worker, seed_runs: list[Any]) -> Any:
        answer = solve(worker, seed_runs)
        for seed_run, solutions in zip(seed_runs, answer[0], strict=True):
            found[seed_run.spec.cell] = fingerprint(
                [_opened(solutions), [[run._curve, run._logs] for run in seed_run.runs]]
            )
        return answer

    Worker._solve = noted  # type: ignore[assignment, method-assign]
    try:
        yield found
    finally:
        Worker._solve = solve  # type: ignore[method-assign]


@contextlib.contextmanager
def hidden_seen() -> Iterator[dict[str, dict[str, Seen]]]:
    """Note what every array of a hidden part is that holds several values, and every mask of a
    problem, by cell and path.
    """
    from bench.runs.worker import Worker

    found: dict[str, dict[str, Seen]] = {}
    solutions = Worker._solutions

    def noted(worker: Worker, seed_runs: list[Any], *others: Any) -> list[list[Any]]:
        for seed_run in seed_runs:
            found[seed_run.spec.cell] = noted_of(seed_run.case)
        return solutions(worker, seed_runs, *others)

    Worker._solutions = noted  # type: ignore[assignment, method-assign]
    try:
        yield found
    finally:
        Worker._solutions = solutions  # type: ignore[method-assign]


def noted_of(case: Any) -> dict[str, Seen]:
    """Return what arrays a case has that say which rows are held out, by path: those of its hidden
    part that hold several values, and the masks of its problems.
    """
    found = {path: _seen(leaf, True) for path, leaf in leaves(case.hidden) if _varied(leaf)}
    for path, leaf in leaves(case.problems):
        if _varied(leaf) and (seen := _seen(leaf, False)).kind == "mask":
            found[f"problems{path}"] = seen
    return found


def _seen(leaf: Any, hidden: bool) -> Seen:
    """Return what an array is."""
    array = leaf.detach().cpu().numpy() if isinstance(leaf, torch.Tensor) else leaf
    whole, rows, kind = array.dtype.kind in "iu", len(array), "values"
    if array.ndim == 1:
        kind = "mask" if array.dtype.kind == "b" else "classes" if whole else "values"
    elif whole and array.ndim == 2 and rows == 2 and array.min() >= 0:
        kind, rows = "pairs", int(array.max()) + 1
    return Seen(leaf_digest(leaf), array.ndim, rows, kind, hidden)


def _varied(leaf: Any) -> bool:
    """Say whether an array holds different values, and more than a scale or a few sizes: only such
    a one says which rows it came from.
    """
    if isinstance(leaf, torch.Tensor):
        plain = leaf.layout == torch.strided and not leaf.is_quantized and not leaf.is_meta
        return plain and leaf.numel() >= _ROWS and bool((leaf != leaf.reshape(-1)[0]).any())
    return (
        isinstance(leaf, np.ndarray)
        and leaf.size >= _ROWS
        and bool((leaf != leaf.reshape(-1)[0]).any())
    )


def _opened(answer: Any, depth: int = 8) -> dict[str, Any]:
    """Return the leaves of an answer by path; of a function, such as a
    model that is one, what it was made with.
    """
    found: dict[str, Any] = {}
    for path, leaf in leaves(answer):
        held = [cell.cell_contents for cell in getattr(leaf, "__closure__", None) or ()]
        held += [
            part
            for name in ("__self__", "__defaults__", "func", "args", "keywords")
            if (part := getattr(leaf, name, None)) is not None
        ]
        inside = callable(leaf) and held and depth and not isinstance(leaf, type)
        found |= (
            {f"{path}({name})": value for name, value in _opened(held, depth - 1).items()}
            if inside
            else {path: leaf}
        )
    return found


@contextlib.contextmanager
def modules_seen() -> Iterator[ModuleCalls]:
    """Count the examples that torch modules see while a method solves;
    what reports and evaluations see is not the method's.
    """
    from torch.nn.modules.module import (
        register_module_forward_hook,
        register_module_forward_pre_hook,
    )

    from bench.runs.worker import Worker
    from bench.runs.worker_tools import WorkerTools

    seen = ModuleCalls()

    def before(module: Any, inputs: tuple[Any, ...]) -> None:
        if (
            seen.depth == 0
            and not seen.paused
            and inputs
            and torch.is_grad_enabled()
            and getattr(inputs[0], "grad_fn", None) is None
        ):
            # what another module made of an example is the same visit: a decoder after its encoder
            seen.add(module, inputs)
        seen.depth += 1

    def after(*_: Any) -> None:
        seen.depth -= 1

    def counted(function: Callable[..., Any], step: int) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            seen.paused += step
            try:
                return function(*arguments)
            finally:
                seen.paused -= step

        return call

    handles = [
        register_module_forward_pre_hook(before),
        register_module_forward_hook(after, always_call=True),
    ]
    solve, report = Worker._solve, WorkerTools.report
    Worker._solve, WorkerTools.report = counted(solve, -1), counted(report, 1)  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        Worker._solve, WorkerTools.report = solve, report  # type: ignore[method-assign]
        for handle in handles:
            handle.remove()
