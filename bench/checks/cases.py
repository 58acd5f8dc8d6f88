"""The checks of one case on its way: its problems and hidden part before
anything is solved, reports, solutions.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from bench.checks import Scope, check_hidden, check_problem, check_report, check_solution
from bench.checks.arrays import Wrong, check_finite, described
from bench.checks.fields import is_record
from bench.checks.hoards import check_hoards
from bench.contracts import Case, Outcome, Task
from bench.errors import BenchError, InvalidRun
from bench.runs.guard import leaves
from bench.texts import text_of
from bench.tracks import RECORDS
from bench.tracks.newer import NEWER
from bench.training.stream import Stream


def kinds_of(track: str, task: type[Task]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the types of a track's problem and of its solution; none
    where neither this package nor the task says them.
    """
    problems, solutions = {**RECORDS, **NEWER}.get(track, ((), ()))
    accepted = task.accepts if isinstance(task.accepts, tuple) else (task.accepts,)
    return tuple(map(_type, problems)), accepted or tuple(map(_type, solutions))


def _type(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(f"bench.tracks.{module}"), attribute)


class Checks:
    """What is checked of a case.

    Args:
        track: whose declarations hold.
        task: may name the solutions that it accepts.
        peeks: whether the task's own reference solves, which may return what it likes.
    """

    def __init__(self, track: str, task: type[Task], peeks: bool = False) -> None:
        self._problems, self._solutions = kinds_of(track, task)
        self._required = () if peeks else self._solutions
        self._peeks = peeks
        self._scopes: list[Scope] = []

    def case(self, case: Any, loaded: Sequence[tuple[str, Any]] = ()) -> None:
        """Check what ``prepare`` returned, and put the checked problems in place.

        Args:
            case: what came.
            loaded: the datasets that the task asked for, by name: one that holds a value that is
                not finite is named too.
        """
        if not isinstance(case, Case):
            raise InvalidRun(
                f"the task's prepare returned {described(case)}; it returns a "
                "Case(problems=[...], hidden=...)."
            )
        if (
            not isinstance(case.problems, Sequence)
            or isinstance(case.problems, str)
            or not len(case.problems)
        ):
            raise InvalidRun(
                f"the task's case has as problems {described(case.problems)}; a list of one or "
                "more problems is wanted."
            )
        finite: dict[int, torch.Tensor] = {}
        found = []
        try:
            for place, problem in enumerate(case.problems):
                checked, scope = check_problem(
                    problem, self._problems, _which(place, len(case.problems)), finite
                )
                found.append(checked)
                self._scopes.append(scope)
            case.hidden = check_hidden(case.hidden, found[0], self._scopes[0])
        except InvalidRun as wrong:
            raise InvalidRun(f"{wrong}{''.join(list(guilty(loaded))[:3])}") from None
        case.problems = found
        for scope in self._scopes:
            scope.rest()

    def report(self, case: Case, k: int, step: int, model: Any) -> Any:
        """Return what was reported of problem ``k`` as the task may look at it."""
        problem, where = case.problems[k], f"at report {step}"
        if isinstance(stream := getattr(problem, "stream", None), Stream) and not self._peeks:
            check_hoards(stream, where)
        return check_report(model, problem, self._scopes[k], self._solutions, where)

    def outcome(self, case: Case, k: int, outcome: Outcome, device: torch.device) -> Outcome:
        """Return what came of problem ``k`` as the task may rely on it."""
        problem, scope = case.problems[k], self._scopes[k]
        which = f" of problem{_which(k, len(case.problems))}" if len(case.problems) > 1 else ""
        outcome.solution = check_solution(
            outcome.solution, problem, scope, self._required, which, device
        )
        outcome.kept = {
            name: check_report(
                model, problem, scope, self._solutions, f"in the model kept as {name!r}", twice=True
            )
            for name, model in outcome.kept.items()
        }
        return outcome


def answers(found: Any, wanted: int) -> list[Any]:
    """Return what ``solve_stacked`` returned as a list with a solution for
    each of ``wanted`` problems.
    """
    if not isinstance(found, Sequence) or isinstance(found, str):
        if not inspect.isgenerator(found):
            raise InvalidRun(
                f"the method's solve_stacked returned {described(found)}; a list of {wanted} "
                "solutions is wanted, one a problem."
            )
        found = list(found)
    if len(found) != wanted:
        raise InvalidRun(
            f"the method's solve_stacked got {wanted} problems and returned {len(found)} "
            "solutions; return one for each, in their order."
        )
    places: dict[int, int] = {}
    for place, solution in enumerate(found):
        for part in (solution, getattr(solution, "model", None)):
            # a net that is not trained may be anybody's
            if is_record(part) or (isinstance(part, torch.nn.Module) and list(part.parameters())):
                if (first := places.setdefault(id(part), place)) != place:
                    raise InvalidRun(
                        f"the method's solve_stacked returned one {type(part).__name__} for "
                        f"problems {first + 1} and {place + 1}; return one of its own for each, in "
                        "their order."
                    )
    return list(found)


def _which(place: int, count: int) -> str:
    return f" {place + 1} of {count}" if count > 1 else ""


def guilty(loaded: Sequence[tuple[str, Any]]) -> Iterator[str]:
    """Say which datasets hold nothing, or values that are not finite.

    Args:
        loaded: datasets by name.
    """
    for name, data in loaded:
        for path, leaf in leaves(data):
            place = path or "it"
            if isinstance(leaf, torch.Tensor | np.ndarray) and 0 in leaf.shape:
                yield f" The dataset {name!r} is empty: {place} has the shape {tuple(leaf.shape)}."
            elif isinstance(leaf, torch.Tensor) and leaf.dtype.is_floating_point:
                try:
                    check_finite(leaf)
                except Wrong as wrong:
                    yield f" The dataset {name!r} has it already: {place} {wrong}."


def prepare_failed(error: Exception, loaded: Sequence[tuple[str, Any]]) -> Exception:
    """Return the error that ``prepare`` raised, or where it may have stumbled over a dataset that
    holds nothing one that says so.
    """
    said = [text for text in guilty(loaded) if "is empty" in text]
    if isinstance(error, BenchError) or not said:
        return error
    return InvalidRun(
        f"the task's prepare failed ({type(error).__name__}: {text_of(error)[:200]}), which is no "
        f"fault of the method.{said[0]}"
    )
