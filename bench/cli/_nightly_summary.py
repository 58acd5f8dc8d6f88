"""The summary of a night, in Markdown: what a person reads in the morning."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tabulate import tabulate

from bench.cli._grouped import alike, first_line
from bench.texts import printable

if TYPE_CHECKING:
    from bench.runs.nightly import Alarm, Night
    from bench.runs.plan import NotRun
    from bench.runs.record import Record

_SHOWN = 30


def summary(
    night: Night,
    fresh: int,
    raised: Sequence[Alarm],
    failed: Sequence[Record],
    missing: int,
    not_run: Sequence[NotRun],
    classes: Mapping[str, int],
) -> str:
    """Say what ran, what moved, what did not come out the same, what failed and what was not run,
    the important first.

    Args:
        night: the night.
        fresh: how many of its recorded runs ran tonight.
        raised: rows that moved.
        failed: the last records of cells that failed.
        missing: cells that did not run.
        not_run: pairs that are not run, with the reason.
        classes: class of machine -> how many of its recorded runs are of it.
    """
    from bench.runs.nightly_classes import shares_said

    seconds = sum(part.seconds for part in night.parts)
    count = (
        f"{night.recorded} of {night.planned} runs are recorded, {fresh} of them from tonight "
        f"({seconds / 60:.1f} min)"
    )
    parts = [
        f"# Night of {night.night}, tier {night.tier}",
        f"{count}; {len(failed)} failed, {missing} did not run.",
    ]
    if classes:
        shares = f" Tonight {_cell(said)}." if (said := shares_said(night.parts)) else ""
        counted = ", ".join(f"{_cell(name)} ({runs} runs)" for name, runs in classes.items())
        parts.append(f"Classes of machines: {counted}.{shares}")
    if raised:
        rows = [
            [
                _cell(alarm.label),
                alarm.metric,
                f"{alarm.before:.4g}",
                f"{alarm.now:.4g}",
                f"{alarm.limit:.2g}",
            ]
            for alarm in raised
        ]
        parts += [
            f"## Moved, two nights in a row, tier {night.tier}",
            _table(rows, ["row", "metric", "before", "now", "more than"]),
        ]
    checks = night.checks
    differing = [check for check in checks if not check.same]
    if differing:
        rows = [
            [
                _cell(check.label),
                check.record,
                (", ".join([*sorted(check.differs), *check.other]) or "it failed")
                + ("; its renewal is withdrawn" if check.renewal else ""),
            ]
            for check in differing
        ]
        parts += ["## Not the same when run again", _table(rows, ["run", "record", "differs in"])]
    if checks:
        parts.append(
            f"{len(checks) - len(differing)} of {len(checks)} runs that were done again came out "
            "bit for bit the same."
        )
    if failed:
        groups: dict[tuple[str, str, str], list[Record]] = {}
        for record in failed:
            groups.setdefault((record.method, record.status, alike(first_line(record))), []).append(
                record
            )
        rows = [[_run(found), found[0].status, *_said(found[0])] for found in groups.values()]
        parts += ["## Failed", _table(rows, ["run", "status", "why", "see it again"])]
    pairs = Counter(
        (item.status, item.reason)
        for item in [*not_run, *(item for part in night.parts for item in part.not_run)]
    )
    if pairs:
        rows = [
            [status, _cell(reason), str(count)] for (status, reason), count in sorted(pairs.items())
        ]
        parts += ["## Not run", _table(rows, ["status", "why", "pairs"])]
    return "\n\n".join(parts) + "\n"


def _run(runs: Sequence[Record]) -> str:
    """Name the first of runs that failed alike."""
    first = runs[0]
    return _cell(f"{first.identity} {first.variant} {first.method} seed {first.seed}") + (
        f" and {len(runs) - 1} more" if len(runs) > 1 else ""
    )


def _said(record: Record) -> list[str]:
    if record.error is None:
        return ["", ""]
    return [_cell(f"{record.error.type}: {record.error.message}"), _code(record.error.rerun)]


def _code(text: str) -> str:
    """Write a command into a Markdown table, whole: a cut one could not be pasted."""
    ticks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " * ("`" in text)
    whole = printable(text).replace("\n", " ").replace("|", "\\|")
    return f"{ticks}{space}{whole}{space}{ticks}"


def _table(rows: Sequence[Sequence[object]], headers: list[str]) -> str:
    left = len(rows) - _SHOWN
    text = tabulate(rows[:_SHOWN], headers=headers, tablefmt="github", disable_numparse=True)
    return text + (f"\n\nand {left} more." if left > 0 else "")


def _cell(text: str) -> str:
    """Write text from a record or a plugin into a Markdown table: one
    short line, nothing in it that ends the cell or opens a tag.
    """
    line = " ".join(
        "".join(character if character.isprintable() else " " for character in text).split()
    )[:200]
    for plain, safe in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("`", "'")):
        line = line.replace(plain, safe)
    return line
