"""What a board says of the classes of machines that its runs come from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from bench.runs.record import Record

from ._classes import Classes
from ._text import counted

OTHER_CLASS = "run on another class than the others"


def other_class_text(seeds: Sequence[int]) -> str:
    """Say which seeds of a row are not compared; empty: all are."""
    if not seeds:
        return ""
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, sorted(seeds)))}: {OTHER_CLASS}"


def other_class_texts(aside: Sequence[Record]) -> list[str]:
    """Say which seeds of which cells are not compared, the first three."""
    seeds: dict[tuple[str, str], list[int]] = {}
    for record in aside:
        seeds.setdefault((record.task, record.variant), []).append(record.seed)
    said = [
        f"{task} {variant}, {other_class_text(found)}" for (task, variant), found in seeds.items()
    ]
    return [*said[:3], *([f"and {len(said) - 3} more variants"] if len(said) > 3 else [])]


def class_notes(records: Sequence[Record], classes: Classes, timed: str) -> list[str]:
    """Say which seeds ran on which class of machine, where there are several, and of which the
    seconds are.

    Args:
        records: those of one table that are compared.
        classes: of the machines that computed them.
        timed: the clock whose seconds are shown.
    """
    seeds: dict[str, set[int]] = defaultdict(set)
    for record in records:
        seeds[classes.names[classes.of(record)]].add(record.seed)
    if len(seeds) < 2:
        return _limited_note(records, classes, timed)
    said = "; ".join(
        f"seed{'s' * (len(found) > 1)} {', '.join(map(str, sorted(found)))} on {name}"
        for name, found in sorted(seeds.items())
    )
    return [
        (
            f"The runs of a seed share a class of machine: {said}. Seconds are of "
            f"{classes.clocks[timed]} alone."
        )
    ]


def track_class_notes(compared: Sequence[Record], classes: Classes, timed: str) -> list[str]:
    """Say how many runs of a track ran on which class of machine, where there are several."""
    told = classes.summary(compared)
    if len(told) < 2:
        return _limited_note(compared, classes, timed)
    said = "; ".join(f"{one['name']} ({counted(one['records'], 'run')})" for one in told)
    return [
        (
            f"Classes of machines: {said}. The runs of one task, variant and seed share a class. "
            f"Seconds are of {classes.clocks[timed]} alone."
        )
    ]


def _limited_note(records: Sequence[Record], classes: Classes, timed: str) -> list[str]:
    """Say how many runs have other seconds, since their processor was limited to the class."""
    others = [record for record in records if classes.clock(record) != timed]
    if not others:
        return []
    said = ", ".join(sorted({classes.clocks[classes.clock(record)] for record in others}))
    return [
        (
            f"{counted(len(others), 'run')} of {len(records)} came from {said}: same kernels, same "
            f"bits, other seconds. Seconds are of {classes.clocks[timed]} alone."
        )
    ]
