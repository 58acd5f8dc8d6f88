"""What a track declares of the fields of its problem, its solution and its hidden part; the harness
checks it (``bench.checks``).

A declaration stands in the annotation of a field::

    class Problem(msgspec.Struct, frozen=True, kw_only=True):
        x: Annotated[torch.Tensor, Array("N", ..., dtype="float32")]
        y: Annotated[torch.Tensor, Array("N", dtype="int64", ge=0, lt="C")]
        n_classes: Annotated[int, Size("C")]
        lr: Annotated[float, Meta(gt=0)]

    class Solution(msgspec.Struct, kw_only=True):
        model: Annotated[Callable, Outputs("C")]
        rows: Annotated[torch.Tensor | None, Array("k", dtype="int64", ge=0, lt="N", distinct=True)]
            = None

A name stands for a size. What the problem binds (N, C) holds for the solution and the hidden part
too; a whole number that the record, or the problem, has under that name is taken as well; any other
name is bound by the first field that has it. Plain numbers take :func:`Meta`. A rule over
several fields is a method: ``validate(self)`` of a problem, ``validate(self, problem)`` of a
solution, which raises ``InvalidRun``.
"""

from __future__ import annotations

import sys
from types import EllipsisType
from typing import Any, Literal

import msgspec

_LARGEST = sys.float_info.max

Kind = Literal["bool", "int8", "int64", "float32", "float64", "float", "number"]
"""``float``: of any width.

``number``: whole or not, of any width. Of the others a tensor of another width is converted, one of
another kind refused.
"""

Bound = float | str | None
"""A number, or the name of a size."""


def Meta(  # named like a class, since it stands in annotations
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
) -> msgspec.Meta:
    """Return the bounds of a number, as an annotation states them (the example is above).

    What it returns is read by bench alone; that it is an object of another library's may change.

    Args:
        ge: least value.
        gt: what every value is above.
        le: largest value.
        lt: what every value is below.

    Raises:
        ValueError: ``ge`` beside ``gt``, ``le`` beside ``lt``, or a bound with no finite number on
            its right side.
    """
    for name, bound in (("ge", ge), ("gt", gt), ("le", le), ("lt", lt)):
        edge = {"gt": _LARGEST, "lt": -_LARGEST}.get(name)
        if bound is not None and (not -_LARGEST <= bound <= _LARGEST or bound == edge):
            raise ValueError(f"{name}={bound!r} is no bound of finite numbers; leave it out")
    make: Any = msgspec.Meta  # its overloads take two of the four at a time
    return make(ge=ge, gt=gt, le=le, lt=lt)  # type: ignore[no-any-return]


class Array:
    """A tensor, or a list, tuple or table of tensors, each of which is one.

    Args:
        shape: sizes by number or name; ``...`` for any further axes.
        dtype: what it holds.
        ge: least value.
        gt: what every value is above.
        le: largest value.
        lt: what every value is below.
        nan: whether NaN is a value, like one that is missing.
        infinite: whether infinities are values.
        distinct: whether no value comes twice.
        empty: whether an axis may have no entry.
    """

    def __init__(
        self,
        *shape: str | int | EllipsisType,
        dtype: Kind = "float32",
        ge: Bound = None,
        gt: Bound = None,
        le: Bound = None,
        lt: Bound = None,
        nan: bool = False,
        infinite: bool = False,
        distinct: bool = False,
        empty: bool = False,
    ) -> None:
        self.shape, self.dtype = shape, dtype
        self.bounds = {"ge": ge, "gt": gt, "le": le, "lt": lt}
        self.nan, self.infinite, self.distinct, self.empty = nan, infinite, distinct, empty


class Size:
    """A whole number of at least ``least`` that says a size, under
    ``name`` in the shapes of other fields.
    """

    def __init__(self, name: str, least: int = 1) -> None:
        self.name, self.least = name, least


class Outputs:
    """A model: from n inputs to a finite, floating tensor (n, ``columns``), checked on whatever it
    is shown in reports and in the evaluation.

    Args:
        columns: C, by number or name.
        part: attribute of what the model returns that holds this tensor; empty: it is the tensor
            itself.
    """

    def __init__(self, columns: str | int, part: str = "") -> None:
        self.columns, self.part = columns, part


class Parameters:
    """A model that is judged by what it does and not by rows of outputs: its parameters are finite,
    and it has what ``does`` names, like ``generate``.
    """

    def __init__(self, *does: str) -> None:
        self.does = does
