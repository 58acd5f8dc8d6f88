"""Whether what a task hands out and what a method returns are what their track declares
(:mod:`bench.declared`).

Whoever is to blame is named: every check raises :class:`~bench.errors.InvalidRun` with one sentence
that says whose record it is, which field, what came and what is right. What differs in the width of
its numbers alone is converted, so checks return what they were given or a copy. A record of a type
that declares nothing, or anything else, is there, is no generator and holds finite tensors.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch

from bench.checks.agreement import net_of
from bench.checks.arrays import Wrong, described
from bench.checks.fields import declares, fields_of, is_record
from bench.checks.models import Checked
from bench.checks.records import check_model, check_record, kind_of
from bench.checks.scope import Scope
from bench.declared import Outputs, Parameters
from bench.errors import InvalidRun, blaming, listed, type_name

__all__ = ["Checked", "Scope", "check_hidden", "check_problem", "check_report", "check_solution"]


def check_problem(
    problem: Any,
    kinds: Sequence[Any] = (),
    which: str = "",
    finite: dict[int, torch.Tensor] | None = None,
) -> tuple[Any, Scope]:
    """Return a problem as methods may rely on it, and the sizes that it binds.

    Args:
        problem: what the task hands out.
        kinds: the track's types of a problem; none: not known.
        which: tells it from the others, like `` 2 of 8``.
        finite: tensors that were found finite in other problems.
    """
    whose = f"the task's problem{which} is not valid, which is no fault of the method"
    if isinstance(problem, type) or inspect.isgenerator(problem):
        raise InvalidRun(
            f"{whose}: it is "
            f"{f'the class {problem.__name__}' if isinstance(problem, type) else 'a generator'}; "
            "the track's problem is wanted."
        )
    if kinds and not isinstance(problem, tuple(kinds)):
        missing = [name for name in kinds[0].__struct_fields__ if not hasattr(problem, name)]
        if missing:
            raise InvalidRun(
                f"{whose}: it is {described(problem)} without {missing[0]!r}; the track's problem "
                f"is {listed(map(type_name, kinds), 'or')}."
            )
    scope = Scope(problem, finite=finite)
    return check_record(problem, scope, whose), scope


def check_hidden(hidden: Any, problem: Any, scope: Scope) -> Any:
    """Return the hidden part of a task, whose declared fields are right;
    of one that declares nothing nothing is asked.
    """
    if not is_record(hidden) or not declares(kind_of(hidden)):
        return hidden
    return check_record(
        hidden,
        Scope(hidden, problem, parent=scope),
        "the task's hidden part is not valid, which is no fault of the method",
    )


def check_solution(
    solution: Any,
    problem: Any,
    scope: Scope,
    kinds: Sequence[Any] = (),
    which: str = "",
    device: torch.device | None = None,
) -> Any:
    """Return a solution as the task may rely on it: its models are :class:`Checked` in whatever the
    task shows them, its tensors on ``device``.

    Args:
        solution: what ``solve`` returned.
        problem: the problem that it solves, which is checked.
        scope: the sizes of that problem.
        kinds: the track's types of a solution; none: not known.
        which: tells it from the others, like `` of problem 2 of 8``.
        device: where the problem's tensors are; None: tensors stay where they are.
    """
    whose = f"the method's solution{which} is not valid"
    right = (
        f"; return {listed(map(type_name, kinds), 'or')}"
        if kinds
        else "; return the track's solution"
    )
    if solution is None:
        raise InvalidRun(f"{whose}: solve returned nothing (None){right}.")
    if inspect.isgenerator(solution) or inspect.iscoroutine(solution) or isinstance(solution, type):
        if inspect.iscoroutine(solution):
            solution.close()
        named = isinstance(solution, type)
        what = f"the class {solution.__name__}" if named else described(solution)
        raise InvalidRun(f"{whose}: solve returned {what}{right}.")
    if kinds and type(solution) not in kinds:
        kind = next((base for base in type(solution).__mro__ if base in kinds), None)
        if kind is None:
            raise InvalidRun(f"{whose}: solve returned {described(solution)}{right}.")
        # a derived type may compute its fields, or say of itself what it likes: what counts is read
        # once
        with blaming("the method's solution"):
            solution = kind(
                **{field.name: getattr(solution, field.name) for field in fields_of(kind)}
            )
    own = Scope(solution, problem, parent=scope)
    own.device = device
    found = check_record(solution, own, whose, problem)
    model = getattr(found, "model", None)
    if isinstance(model, Checked) and (net := net_of(found, problem)) is not None:
        model.hold_to(net)
    return found


def check_report(
    model: Any,
    problem: Any,
    scope: Scope,
    kinds: Sequence[Any],
    where: str,
    twice: bool = False,
) -> Any:
    """Return what a method reports, as the task may look at it.

    It is a record that declares its fields, or what the field ``model`` of the track's solution
    holds.

    Args:
        model: what is reported.
        problem: the problem.
        scope: its sizes.
        kinds: the track's types of a solution.
        where: says in which report, like ``at report 3``.
        twice: whether a model is asked its first question twice.
    """
    whose = "the method's report is not valid"
    if (
        is_record(model)
        and declares(kind_of(model))
        and not (isinstance(model, tuple(kinds)) and _puts_out(kinds))
    ):
        return check_record(model, Scope(model, problem, parent=scope), whose, where=where)
    mark = next(
        (field.mark for kind in kinds for field in fields_of(kind) if field.name == "model"), None
    )
    if isinstance(mark, Parameters):
        raise InvalidRun(
            f"{whose}: it is {described(model)} {where}; report a record that holds the policy and "
            "what it has used so far, as the problem's trainer does."
        )
    try:
        return (
            check_model(model, mark, Scope(problem, parent=scope), where, twice)
            if isinstance(mark, Outputs)
            else model
        )
    except Wrong as wrong:
        raise InvalidRun(f"{whose}: {wrong}.") from None


def _puts_out(kinds: Sequence[Any]) -> bool:
    return any(isinstance(field.mark, Outputs) for kind in kinds for field in fields_of(kind))


# Records ------------------------------------------------------------------------------
