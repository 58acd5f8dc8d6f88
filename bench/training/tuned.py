"""Choices by measurement: which of several equal ways of computing is quickest for a shape on a
kind of device.

A choice must not depend on a clock at run time, else one key would give two numbers. So ``bench
tune`` measures, the table it writes is committed beside the module that asks, and that module
imports it: the table is code that the key covers, on a CPU what was measured on CPUs and on a GPU
what was measured on GPUs. So what is measured on one leaves results of the other as they are. To
add one::

    from bench.training import tuned
    from . import _matching_tuned as table            # a file that holds ``TABLE = {}``; bench tune
    writes it

    @tuned.tunable("unlearning/shadows", candidates={"cpu": ("loop", "batch"), "cuda": ("loop",
    "batch")},
                   shapes={"cpu": ({"rows": 200, "nets": 8},), "cuda": ({"rows": 50000, "nets":
                   64},)}, table=table)
    def _prepare(candidate, device, *, rows, nets):
        ...                                           # whatever need not be timed
        return lambda: ...                            # one step, timed

    way = tuned.choice("unlearning/shadows", device, rows=len(x), nets=k)

``bench tune`` finds it wherever it stands: in ``bench.tracks``, ``bench.training``, a room or a
plugin.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec

from bench.errors import BenchError, near

if TYPE_CHECKING:
    import torch

Shape = dict[str, int]
Prepare = Callable[..., Callable[[], Any]]


class Tunable(msgspec.Struct, frozen=True):
    """A choice that is made by measurement.

    Attributes:
        name: by which it is asked for, like ``nets/resnet18``.
        candidates: kind of device -> names of the ways; the first is taken where nothing was
            measured.
        shapes: kind of device -> the shapes to measure, axis -> size; all with the same axes.
        prepare: ``(candidate, device, **shape)`` -> one step to time.
        table: the module that holds ``TABLE``, which ``bench tune`` writes.
    """

    name: str
    candidates: Mapping[str, Sequence[str]]
    shapes: Mapping[str, Sequence[Shape]]
    prepare: Prepare
    table: ModuleType

    def candidates_on(self, kind: str) -> Sequence[str]:
        """Return the candidates on a kind of device.

        Raises:
            BenchError: there are none.
        """
        if not self.candidates.get(kind):
            raise BenchError(
                f"{self.name!r} has no candidates on the device {kind!r}, only on "
                f"{', '.join(self.candidates)}."
            )
        return self.candidates[kind]


TUNABLES: dict[str, Tunable] = {}
"""Every choice registered in this process, by name."""

_noting: list[dict[str, str]] = []


def tunable(
    name: str,
    *,
    candidates: Mapping[str, Sequence[str]],
    shapes: Mapping[str, Sequence[Shape]],
    table: ModuleType,
) -> Callable[[Prepare], Prepare]:
    """Register a choice; decorates the function that prepares one step to time.

    See the module's docstring.
    """

    def register(prepare: Prepare) -> Prepare:
        TUNABLES[name] = Tunable(name, candidates, shapes, prepare, table)
        return prepare

    return register


def choice(name: str, device: torch.device | str, **shape: int) -> str:
    """Return the candidate that was quickest at the measured shape nearest to ``shape``, in the
    logarithms of its sizes.

    The answer depends on the name, the kind of device, the shape and the committed table alone. Of
    two shapes equally near the first of the table counts; where nothing was measured, or what was
    measured is no candidate any more, the first candidate.

    Raises:
        BenchError: there is no such choice, it has no candidates on the device, or the axes are not
            those of its shapes.
    """
    if name not in TUNABLES:
        raise BenchError(
            f"there is no choice {name!r} to make.{near(name, TUNABLES)} The module that "
            "registers it must be imported first."
        )
    found, kind = TUNABLES[name], device if isinstance(device, str) else device.type
    candidates = found.candidates_on(kind)
    for axes in (
        *found.shapes.get(kind, ()),
        *(measured for measured, _ in found.table.TABLE.get(name, {}).get(kind, ())),
    ):
        if axes.keys() != shape.keys():
            raise BenchError(
                f"{name!r} was asked for with the axes {', '.join(sorted(shape))}; it was "
                f"measured over {', '.join(sorted(axes))}."
            )
    rows = [
        (measured, best)
        for measured, best in found.table.TABLE.get(name, {}).get(kind, ())
        if best in candidates
    ]
    chosen = min(rows, key=lambda row: distance(row[0], shape))[1] if rows else candidates[0]
    for notes in _noting:
        notes[f"{name}[{','.join(f'{axis}={size}' for axis, size in sorted(shape.items()))}]"] = (
            chosen
        )
    return chosen


def distance(one: Shape, other: Shape) -> float:
    """Return the squared distance of two shapes of the same axes in the logarithms of their sizes;
    a size of 0 counts as 1.

    Rounded, so that two shapes equally near are so whatever the last digit of a logarithm.
    """
    return round(
        math.fsum(
            (math.log(max(one[axis], 1)) - math.log(max(other[axis], 1))) ** 2
            for axis in sorted(one)
        ),
        9,
    )


@contextlib.contextmanager
def noting() -> Iterator[dict[str, str]]:
    """Note every choice taken meanwhile, with its shape: what a record says of them."""
    notes: dict[str, str] = {}
    _noting.append(notes)
    try:
        yield notes
    finally:
        _noting.remove(notes)
