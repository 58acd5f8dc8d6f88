"""Whether the rows of a stream are what a learner can read: a stream hands them out by itself, so
that no declaration of a field tells of them.
"""

from __future__ import annotations

from bench.checks.arrays import Wrong, checked, name_of, wanted
from bench.checks.scope import Scope
from bench.declared import Array
from bench.training.stream import Stream

_PARTS = (
    ("x", Array("n", ..., dtype="float32")),
    ("y", Array("n", dtype="int64", ge=0, lt="C")),
    ("orders", Array("passes", "rows", dtype="int64", ge=0, lt="n")),
)


def check_stream(stream: Stream, name: str, scope: Scope) -> None:
    """Raise Wrong if inputs, labels or orders of a task are not what a stream takes.

    Args:
        stream: as it is before anybody reads it.
        name: of its field.
        scope: the sizes that are known, the number of classes C among them.
    """
    if len(counts := {len(stream._x), len(stream._y), len(stream._orders)}) > 1:
        raise Wrong(
            f"{name} has inputs, labels and orders of {' and '.join(map(str, sorted(counts)))} "
            "tasks, and must have as many of each"
        )
    tasks = zip(stream._x, stream._y, stream._orders, strict=True)
    for t, parts in enumerate(tasks):
        own = Scope(parent=scope)
        for (part, array), value in zip(_PARTS, parts, strict=True):
            try:
                found = checked(value, array, own.size, own.bind)
                if found.dtype != value.dtype:  # it would be handed out as it is
                    raise Wrong(f"is {name_of(value.dtype)}")
            except Wrong as wrong:
                raise Wrong(
                    f"{part} of task {t} of {name} {wrong}, and must be {wanted(array, own.size)}"
                ) from None
