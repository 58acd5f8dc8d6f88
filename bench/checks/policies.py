"""Policies: what is judged is the problem's own net with the weights that a method found."""

from __future__ import annotations

import typing
from typing import Any

import torch
from torch import nn

from bench.checks.arrays import described, with_article
from bench.errors import InvalidRun
from bench.runs.guard import no_plain


def check_policy(model: Any, does: tuple[str, ...], problem: Any, where: str) -> Any:
    """Return the policy to judge: where the problem makes nets, one of its own with the weights of
    ``model``, so that nothing but weights comes from the method.

    Raises:
        InvalidRun: it can't do what is asked of it, is of another kind than the problem's, or a
            parameter is not finite.
    """
    lacks = [name for name in does if not callable(getattr(model, name, None))]
    if lacks or not callable(getattr(model, "parameters", None)):
        raise InvalidRun(
            f"the method's policy is {described(model)} {where}, which has no "
            f"{(*lacks, 'parameters')[0]!r}; return what the problem's policy() makes."
        )
    kind = made_by(type(problem))
    if kind is not None and type(model) is not kind:
        raise InvalidRun(
            f"the method's policy is {described(model)} {where}, and must be what the problem's "
            f"policy() makes, {with_article(kind.__name__)}: methods change its weights, not how "
            "it answers."
        )
    _check_finite(model, where)
    return (
        _rebuilt(model, problem, where)
        if kind is not None and issubclass(kind, nn.Module)
        else model
    )


def made_by(kind: Any) -> type | None:
    """Return the type of the policies that a kind of problem makes; None: it does not say."""
    try:
        found = typing.get_type_hints(kind.policy)["return"]
    except (AttributeError, KeyError, NameError, TypeError):
        return None
    return found if isinstance(found, type) else None


def _check_finite(model: Any, where: str) -> None:
    values = list(model.parameters())
    for place, parameter in enumerate(values):
        if strange := no_plain(parameter):
            raise InvalidRun(
                f"the method's policy is not valid {where}: its parameter {_name(model, place)} is "
                f"{strange.partition(';')[0]}; plain numbers are wanted."
            )
    places = [place for place, value in enumerate(values) if value.dtype.is_floating_point]
    if not places:
        return
    with torch.no_grad():
        finite = torch.stack([values[place].isfinite().all() for place in places])
    if not finite.all():
        bad = places[int((~finite).nonzero()[0])]
        raise InvalidRun(
            f"the method's policy is not finite {where}: its parameter {_name(model, bad)} holds "
            "no number; training diverged."
        )


def _name(model: Any, place: int) -> str:
    names = (
        [name for name, _ in model.named_parameters()] if hasattr(model, "named_parameters") else []
    )
    return names[place] if place < len(names) else str(place)


def _rebuilt(model: nn.Module, problem: Any, where: str) -> nn.Module:
    """Return a policy of the problem's with the weights of ``model``."""
    from bench.training.state import streams

    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    with streams(None):  # its first weights, which are drawn, are written over
        own: nn.Module = problem.policy(device)
    theirs, wanted = model.state_dict(), own.state_dict()
    for name in [*wanted, *theirs]:
        here, there = (table.get(name) for table in (theirs, wanted))
        if here is None or there is None or here.shape != there.shape:
            came, right = (
                "missing" if part is None else f"of shape {tuple(part.shape)}"
                for part in (here, there)
            )
            raise InvalidRun(
                f"the method's policy is not the problem's {where}: {name!r} is {came}, and "
                f"{'must be ' + right if there is not None else 'has no place in it'}; return what "
                "the problem's policy() makes, trained."
            )
    own.load_state_dict(theirs)
    return own.train(model.training)
