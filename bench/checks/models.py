"""Models whose every output is checked, whoever calls them: no task can
forget it, and nothing is computed twice.
"""

from __future__ import annotations

import inspect
from functools import partial
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import nn

from bench.checks.arrays import described, name_of, place_of
from bench.errors import InvalidRun, blaming
from bench.runs.guard import leaves, no_plain, valueless
from bench.runs.isolation import attributes

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class Checked(nn.Module):
    """A model that raises InvalidRun where it says anything but n rows of finite logits; else it is
    what it was, attributes included.

    Args:
        model: from n inputs to their outputs; n is the length of its first argument. Nets that a
            function holds are put in eval mode with it.
        columns: C; None: not known.
        part: attribute of what it returns that holds the logits; empty: it is the logits.
        where: where it is looked at, like ``at report 3``; ends the sentence about what is wrong.
    """

    def __init__(self, model: Any, columns: int | None, part: str, where: str) -> None:
        super().__init__()
        self.__dict__.update(training=False, _columns=columns, _part=part, _where=where)
        if isinstance(model, nn.Module):
            self.inner = model
        else:
            self.__dict__["inner"] = model
            self.held = nn.ModuleList(nets_in(model))

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Return what the model does, checked."""
        with blaming(f"the method's model {self._where}"):
            said = self.inner(*inputs, **named)
        rows = len(inputs[0]) if inputs and hasattr(inputs[0], "__len__") else None
        self._check(getattr(said, self._part, None) if self._part else said, said, rows, inputs)
        # losses take no two widths
        return (
            said.float()
            if not self._part and said.dtype in (torch.float16, torch.bfloat16)
            else said
        )

    def _check(self, logits: Any, said: Any, rows: int | None, inputs: tuple[Any, ...]) -> None:
        shape = (
            f"({'n' if rows is None else rows}, {'C' if self._columns is None else self._columns})"
        )
        right = f"a finite tensor of shape {shape} is wanted, the logits of each row"
        if not isinstance(logits, torch.Tensor):
            lacks = f" without {self._part!r}" if self._part else ""
            raise InvalidRun(
                f"the method's model returned {described(said)}{lacks} {self._where}; {right}."
            )
        if strange := no_plain(logits):
            raise InvalidRun(
                f"the method's model returned {strange.partition(';')[0]} {self._where}; {right}."
            )
        bad = (
            logits.dim() != 2
            or (rows is not None and len(logits) != rows)
            or (self._columns is not None and logits.shape[1] != self._columns)
        )
        if bad or logits.dtype not in _FLOATS:
            raise InvalidRun(
                f"the method's model returned {name_of(logits.dtype)} of shape "
                f"{tuple(logits.shape)} {self._where}; {right}."
            )
        finite = logits.isfinite()
        if not finite.all():
            _check_shown(inputs, self._where)
            place = place_of(~finite)
            value = logits[~finite][0].item()
            raise InvalidRun(
                f"the method's model is not finite {self._where}: its output is {value} in "
                f"{place} of {len(logits)}; training diverged."
            )

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.inner, name)


def _check_shown(inputs: tuple[Any, ...], where: str) -> None:
    """Raise InvalidRun that blames the task if what it shows is not finite itself."""
    for _, leaf in leaves(inputs):
        if (
            isinstance(leaf, torch.Tensor)
            and leaf.dtype in _FLOATS
            and leaf.layout == torch.strided
            and not (finite := leaf.isfinite()).all()
        ):
            raise InvalidRun(
                f"the task shows the model {leaf[~finite][0].item()} in {place_of(~finite)} of "
                f"{len(finite)} inputs {where}, which is no fault of the method; the rows to judge "
                "by must be finite."
            )


def nets_in(model: Any) -> list[nn.Module]:
    """Return the nets that a function holds: in its closure, its default values, what it is bound
    to, and the attributes and containers of these.
    """
    waiting, seen, found = [model], dict[int, Any](), list[nn.Module]()
    while waiting and len(seen) < 1000:
        value = waiting.pop()
        if (
            value is None
            or id(value) in seen
            or isinstance(value, str | bytes | int | float | torch.Tensor | type)
            or inspect.ismodule(value)
        ):
            continue
        seen[id(value)] = value
        if isinstance(value, nn.Module):
            found.append(value)
        elif isinstance(value, FunctionType):
            waiting += [
                *map(_content, value.__closure__ or ()),
                *(value.__defaults__ or ()),
                *(value.__kwdefaults__ or {}).values(),
            ]
        elif isinstance(value, MethodType):
            waiting += [value.__self__, value.__func__]
        elif isinstance(value, partial):
            waiting += [value.func, *value.args, *value.keywords.values()]
        elif isinstance(value, list | tuple | set):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
        elif type(value).__module__.partition(".")[0] != "builtins":
            waiting += attributes(value).values()
    return found


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # it is empty yet
        return None


def check_parameters(model: Any, does: tuple[str, ...], where: str) -> None:
    """Raise InvalidRun unless a policy's parameters are finite and it can
    do what is asked of it.
    """
    lacks = [name for name in does if not callable(getattr(model, name, None))]
    if lacks or not callable(getattr(model, "parameters", None)):
        raise InvalidRun(
            f"the method's policy is {described(model)} {where}, which has no "
            f"{(*lacks, 'parameters')[0]!r}; return what the problem's policy() makes."
        )
    values = [
        (place, parameter)
        for place, parameter in enumerate(model.parameters())
        if parameter.dtype.is_floating_point and not valueless(parameter)
    ]
    if not values:
        return
    with torch.no_grad():
        finite = torch.stack([parameter.isfinite().all() for _, parameter in values])
    if not finite.all():
        bad = values[int((~finite).nonzero()[0])][0]
        names = (
            [name for name, _ in model.named_parameters()]
            if hasattr(model, "named_parameters")
            else []
        )
        raise InvalidRun(
            f"the method's policy is not finite {where}: its parameter "
            f"{names[bad] if bad < len(names) else bad} holds no number; training diverged."
        )
