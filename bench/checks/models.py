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

from bench.checks.agreement import check_function, check_weights, shown_again, wipe
from bench.checks.arrays import LARGEST, Wrong, described, name_of, place_of, without_subclass
from bench.checks.finite import look
from bench.errors import InvalidRun, blaming
from bench.runs.guard import leaves, no_plain
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
        twice: whether it is asked its first question again, and must give the same answer.
    """

    def __init__(
        self,
        model: Any,
        columns: int | None,
        part: str,
        where: str,
        twice: bool = False,
    ) -> None:
        super().__init__()
        self.__dict__.update(
            training=False,
            _columns=columns,
            _part=part,
            _where=where,
            _twice=twice,
            _net=None,
            _known=False,
        )
        if isinstance(model, nn.Module):
            self.inner = model
        else:
            self.__dict__["inner"] = model
            self.held = nn.ModuleList(nets_in(model))

    def hold_to(self, net: nn.Module) -> None:
        """Have the first answer held against that of a net of the weights that are said to be the
        model's.
        """
        self.__dict__["_net"] = net

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """Return what the model does, checked."""
        twice, self.__dict__["_twice"] = self._twice, False
        again = shown_again(inputs) if twice else ()
        said, logits = self._asked(inputs, named)
        if twice:
            if self._net is not None:
                check_weights(self._net, logits, again, self._where)
            check_function(lambda *shown: self._asked(shown, named)[1], logits, again, self._where)
            wipe(again)
        if self._part:
            return said
        # losses take no two widths
        return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits

    def _asked(self, inputs: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, Any]:
        tensors = [
            part.detach()
            for part in inputs
            if isinstance(part, torch.Tensor) and not no_plain(part)
        ]
        before = [part.clone() for part in tensors]
        with blaming(f"the method's model {self._where}"):
            said = self.inner(*inputs, **named)
        for part, own in zip(tensors, before, strict=True):
            if not torch.equal(part, own):  # else it would be the task's rows from then on
                said = _apart(said, part)
                part.copy_(own)
        rows = len(inputs[0]) if inputs and hasattr(inputs[0], "__len__") else None
        logits = getattr(said, self._part, None) if self._part else said
        plain: Any = without_subclass(logits) if isinstance(logits, torch.Tensor) else logits
        if self._part and plain is not logits:
            raise InvalidRun(
                f"the method's model returned as {self._part} {described(logits)} {self._where}; "
                "a plain tensor is wanted, as .as_subclass(torch.Tensor) makes it."
            )
        self._check(plain, said, rows, inputs)
        if not self._known:
            self._check_parameters()
            self.__dict__["_known"] = True
        return said, plain

    def _check_parameters(self) -> None:
        """Raise InvalidRun if a parameter of the model is not finite, which its outputs may hide.

        Only those of a model that is a net: a function may hold nets that are not its own, such as
        those of other seeds, and so does the member of a stack, which has no parameters.
        """
        if not isinstance(self.inner, nn.Module):
            return
        try:
            look(self.inner, "")
        except Wrong as wrong:
            raise InvalidRun(
                f"the method's model is not finite {self._where}: its parameter {wrong}, though "
                "its outputs are finite; training diverged, so return a model of finite weights."
            ) from None

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
            if not self._broken(inputs):
                _check_shown(inputs, self._where)
            place = place_of(~finite)
            value = logits[~finite][0].item()
            raise InvalidRun(
                f"the method's model is not finite {self._where}: its output is {value} in "
                f"{place} of {len(logits)}; training diverged."
            )
        if logits.dtype == torch.float64 and logits.numel():
            most = float(logits.abs().max())
            if most > LARGEST:
                place = place_of(logits.abs() == most)
                raise InvalidRun(
                    f"the method's model gives {most:.3g} in {place} {self._where}, beyond "
                    f"{LARGEST:.3g}, the largest number of the 32 bits in which figures are made; "
                    "training diverged."
                )

    def _broken(self, inputs: tuple[Any, ...]) -> bool:
        """Return whether the model says nothing finite of finite inputs either: rows with holes are
        no excuse for weights that diverged.
        """
        if not all(isinstance(one, torch.Tensor) and one.dtype in _FLOATS for one in inputs):
            return False
        try:
            said = self.inner(*(one.nan_to_num(0.0, 0.0, 0.0) for one in inputs))
        except Exception:  # a model may refuse other rows than the task's
            return False
        logits = getattr(said, self._part, None) if self._part else said
        return isinstance(logits, torch.Tensor) and not bool(logits.isfinite().all())

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.inner, name)


def _apart(said: Any, shown: torch.Tensor) -> Any:
    """Return what a model said in memory of its own where it is a part of what it was shown."""
    if (
        isinstance(said, torch.Tensor)
        and no_plain(said) == ""
        and said.untyped_storage().data_ptr() == shown.untyped_storage().data_ptr()
    ):
        return said.clone()
    return said


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
