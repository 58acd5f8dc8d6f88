"""What a track's board lets one say: who is first, how sure that is, what counts as the floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._plain import plain_lines
from ._ranks import EQUAL
from ._text import counted, number, test_set_text
from ._unaided import unaided_lines

Row = Mapping[str, Any]


def shown_rows(track: Row) -> list[Row]:
    """Return the rows of a track's board: those that ran, each of several
    that are the same once.
    """
    return [
        row
        for row in track["rows"]
        if (row["ok"] or row["imputed"]) and not row["why"].startswith(EQUAL)
    ]


def reliability(track: Row) -> list[str]:
    """Say how far the headline can be relied on: who can't be separated from the first, agreement
    of three summaries, leave-one-task-out, the test.
    """
    lines = [*leaders(track), *unaided_lines(track)]
    if top := track["agreement"]:
        if top["agree"]:
            lines.append(
                f"Mean, IQM and mean rank agree on the first three: {', '.join(top['mean'])}."
            )
        else:
            said = "; ".join(
                f"{', '.join(top[name])} ({name.replace('_', ' ')})"
                for name in ("mean", "iqm", "mean_rank")
            )
            lines.append(f"Mean, IQM and mean rank do not agree on the first three: {said}.")
    if out := track["leave_one_out"]:
        lines.append(left_out(out))
    lines += plain_lines(track)
    if track["test"]:
        lines.append(
            f"Test: {track['test']}; p adjusted by Holm over all "
            f"{counted(len(track['pairs']['mean']), 'pair')} of placed methods."
        )
    return lines


def left_out(out: Row) -> str:
    """Say whether the first stays first when one task is left out, and
    else who is first without which.
    """
    if out["holds"] == out["of"]:
        return (
            f"{out['leader']} stays first whichever task is left out ({out['of']} of {out['of']})."
        )
    others = ", ".join(
        f"{name} without {task}" for task, name in out["without"].items() if name != out["leader"]
    )
    return (
        f"{out['leader']} stays first in {out['holds']} of {out['of']} cases where one task "
        f"is left out; else first: {others}."
    )


def leaders(track: Row) -> list[str]:
    """Say who is first and how many can't be separated from it; nothing
    where no method has a place.
    """
    placed = [row for row in track["rows"] if row["place"]]
    if len(placed) < 2:
        return []
    firsts = [row["method"] for row in placed if row["place"] == 1]
    group = [row["method"] for row in placed if row["leading"] and row["place"] > 1]
    others = len(placed) - len(firsts)
    who = f"{' and '.join(firsts)} {'is' if len(firsts) == 1 else 'share'} first by the mean"
    if not group:
        return [f"{who}; the next is significantly worse."] if _parted(placed) else [f"{who}."]
    return [
        (
            f"{who}; {len(group)} of the other {others} can't be separated from "
            f"{'it' if len(firsts) == 1 else 'them'}: {', '.join(group)}."
        )
    ]


def _parted(placed: Sequence[Row]) -> bool:
    """Say whether the next row after the first is worse than it."""
    after = next((row for row in placed if row["place"] > 1), None)
    return bool(after and after["vs_first"] and after["vs_first"]["verdict"] == "worse")


def fixed_tests(track: Row) -> list[str]:
    """Name the tasks whose test rows are the same for every seed: their
    spread over seeds is blind to which rows these are.
    """
    own = {"official": "the data's own", "fixed": "the task's own"}
    found = {
        cell["task"]: own[cell["test_set"]]
        for cell in track["cells"]
        if test_set_text(cell["test_set"])
    }
    return (
        [
            (
                "Fixed test set, the same rows for every seed: "
                f"{', '.join(f'{task} ({whose})' for task, whose in found.items())}."
            )
        ]
        if found
        else []
    )


def below(track: Row) -> list[str]:
    """Name the runs that count as -1, with what they reached."""
    found = []
    for row in shown_rows(track):
        for cell in track["cells"]:
            reached = row["cells"][cell["cell"]]
            if reached["below"] == "below -1":
                found.append(
                    f"{row['method']} on {cell['task']} {cell['variant']} "
                    f"({number(reached['score'], 2)})"
                )
    return [f"Below -1, where runs count as -1: {', '.join(found)}."] if found else []
