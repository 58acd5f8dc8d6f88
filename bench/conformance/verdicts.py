"""What records of a plugin's runs say of it: findings, rule by rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from bench.cards import TaskCard
from bench.conformance.observe import Seen
from bench.conformance.report import Finding
from bench.plugins.registry import task_card
from bench.runs.plan import Cell
from bench.runs.record import Record
from bench.runs.replay import differing

_BLAME = (
    ("changed its input", "inputs"),
    ("drew from the global random streams", "stack"),
    ("random streams", "global-state"),
    ("setting of the whole process", "global-state"),
    ("was replaced during the run", "global-state"),
    *(
        (f"the method's {part}", "solution")
        for part in ("solution", "model", "policy", "plan", "solve_stacked")
    ),
    *(
        (f"the task's {part}", "problem")
        for part in ("problem", "hidden part", "prepare", "case", "watch", "evaluate")
    ),
    ("what the method returned", "solution"),
    ("the task gives", "problem"),
    ("the rewards of the task", "problem"),
)
"""Part of an invalid run's reason -> the rule that it broke; any other
reason is the task's, of its rules or budget.
"""

_KEPT = {"solves": ("solution", "budget", "inputs", "global-state"), "references": ("problem",)}
"""Rule of what ended well -> the rules that it kept, too."""

Records = dict[str, Record]
"""Cell -> record."""


def judged(rule: str, cell: Cell, passed: bool, said: str) -> Finding:
    """Return the finding of a rule on a cell; ``said`` is what is wrong where it did not pass."""
    return Finding(
        rule=rule,
        subject=cell.spec.label(),
        outcome="passed" if passed else "failed",
        said="" if passed else said,
    )


def named(rule: str, found: dict[str, None], said: str) -> Finding:
    """Return the finding of a rule that fails where anything was found;
    ``said`` has a place for its names.
    """
    return Finding(
        rule=rule,
        subject="",
        outcome="failed" if found else "passed",
        said=said.format(", ".join(list(found)[:3])) if found else "",
    )


def repeated(rule: str, cell: Cell, first: Records, again: Records, said: str) -> Finding:
    """Say whether a cell gave the same metrics twice; ``said`` is what
    that tells where it did not.
    """
    before, after = first[cell.spec.cell], again[cell.spec.cell]
    if after.status != "ok":
        return judged(
            rule,
            cell,
            False,
            f"it ended {after.status}: {after.error.message if after.error else ''}",
        )
    names = list(differing(before, after, task_card(cell.task)))
    return judged(rule, cell, not names, f"{', '.join(names[:3])} differ: {said}")


def ended(cells: Sequence[Cell], records: Records, rule: str = "solves") -> Iterator[Finding]:
    """Say of every cell whether it ended well, and which rule one that did not has broken."""
    broken: set[str] = set()
    for cell in cells:
        record = records[cell.spec.cell]
        if record.status == "ok":
            yield judged(rule, cell, True, "")
            continue
        message = record.error.message if record.error else record.status
        blamed = (
            next((name for part, name in _BLAME if part in message), "budget")
            if record.status == "invalid"
            else rule
        )
        broken.add(blamed)
        if record.status == "failed" and record.error and record.error.frames:
            message += f" ({record.error.frames[-1]})"
        yield judged(
            blamed,
            cell,
            False,
            f"{record.error.type if record.error else record.status}: {message}",
        )
    for name in _KEPT[rule]:
        if name not in broken and any(records[cell.spec.cell].status == "ok" for cell in cells):
            yield Finding(rule=name, subject="", outcome="passed")


def ordered(card: TaskCard, cells: Sequence[Cell], records: Records) -> Iterator[Finding]:
    """Say of every variant whether the mean of the high reference is at
    least that of the low one.
    """
    sign = -1 if card.primary.direction == "min" else 1
    for variant in dict.fromkeys(cell.spec.variant for cell in cells):
        ends: dict[str, list[float]] = {"low": [], "high": []}
        for cell in cells:
            kind = next(
                (item.kind for item in card.references if item.name == cell.spec.method), ""
            )
            value = records[cell.spec.cell].metrics.get(card.primary.name)
            if (
                cell.spec.variant == variant
                and kind in ends
                and value is not None
                and records[cell.spec.cell].not_rankable is None
            ):
                ends[kind].append(sign * value)
        if ends["low"] and ends["high"] and card.primary.direction != "none":
            low, high = (sum(values) / len(values) for values in (ends["low"], ends["high"]))
            said = (
                f"{card.primary.name} of the high reference is {sign * high:.4g}, of the low "
                f"one {sign * low:.4g}"
            )
            yield Finding(
                rule="references",
                subject=variant,
                outcome="passed" if high >= low else "failed",
                said="" if high >= low else said,
            )


def test_set(
    card: TaskCard, cells: Sequence[Cell], hidden: Mapping[str, Mapping[str, Seen]]
) -> Iterator[Finding]:
    """Say whether the hidden parts of two seeds are as the card says: without a table in common
    where seeds draw the test set, else with an array in common.

    A table of all rows may be in common where another array says which of them are held out, and
    is another one for the other seed.

    Args:
        card: of the task.
        cells: two seeds of one row.
        hidden: of each cell what its arrays are, by path.
    """
    if len(cells) != 2 or cells[0].spec.group != cells[1].spec.group:
        return
    first, second = (hidden.get(cell.spec.cell, {}) for cell in cells)
    shared = [path for path, array in first.items() if second.get(path) == array and array.hidden]
    if card.test_set != "drawn":
        said = (
            f"the card says test_set={card.test_set!r}, and no array of the hidden part is "
            "the same for both seeds; say 'drawn', or fix the rows"
        )
        yield judged("test-set", cells[1], bool(shared), said)
        return
    # labels in order are often alike by chance
    tables = [
        path
        for path in shared
        if (first[path].axes > 1 or not any(one.axes > 1 for one in first.values() if one.hidden))
        and not _split_anew(first[path], first, second)
    ]
    said = (
        (
            f"hidden.{tables[0]} is the same for both seeds; draw the test rows from "
            "run.numpy_generator('split'), or say test_set='official' or 'fixed' on the card"
        )
        if tables
        else ""
    )
    yield judged("test-set", cells[1], not tables, said)


def _split_anew(table: Seen, first: Mapping[str, Seen], second: Mapping[str, Seen]) -> bool:
    """Say whether two seeds take a table apart in different ways: every mask of its rows differs.
    Pairs of rows are taken apart by what differs of the rows that they name, masks or classes.
    """
    if table.kind == "pairs":
        return any(
            one.kind in ("mask", "classes")
            and one.rows >= table.rows
            and second.get(path) not in (None, one)
            for path, one in first.items()
        )
    masks = [path for path, one in first.items() if one.kind == "mask" and one.rows == table.rows]
    return bool(masks) and all(second.get(path) not in (None, first[path]) for path in masks)
