"""What changed since the last suite, and which verdicts were withdrawn."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from bench.errors import UsageError

from ._page_links import Link, file_link, linked, track_page
from ._page_matrix import pair_verdict
from ._plain import WORDS
from ._suite import ROOM, read_suite, suite_files
from ._suite_file import DEFAULT, Side, Suite
from ._suite_names import age, series
from ._text import counted

_KINDS: dict[Literal["low", "high"], str] = {"low": "baseline", "high": "upper anchor"}


def news(name: str) -> dict[str, Any]:
    """Return what a built-in suite changed against the one before it, by its notes and its file."""
    files = suite_files()
    older = [one for one in files if series(one) == series(name) and age(one) < age(name)]
    if name not in files or not older:
        return {"before": "", "notes": [], "changes": []}
    before = max(older, key=age)
    try:
        suites = read_suite(files[before]), read_suite(files[name])
    except UsageError:
        return {"before": before, "notes": [], "changes": []}
    return {
        "before": before,
        "notes": tomllib.loads((ROOM / "changes.toml").read_text("utf-8")).get(name, {}),
        "changes": list(_changes(*suites)),
    }


def _changes(old: Suite, new: Suite) -> Iterator[tuple[str, list[str]]]:
    """Yield track -> what came, went or changed; ``""``: the suite as a whole."""
    whole = []
    if old.tiers[DEFAULT] != new.tiers[DEFAULT]:
        whole.append(f"{new.tiers[DEFAULT]} seeds instead of {old.tiers[DEFAULT]}")
    if old.delta != new.delta:
        whole.append(f"delta is {new.delta} instead of {old.delta}")
    if whole:
        yield "", whole
    for track in {**old.tracks, **new.tracks}:
        if track not in old.tracks:
            yield track, [f"new: {counted(len(new.tracks[track].tasks), 'task')}"]
        elif track not in new.tracks:
            yield track, ["gone"]
        elif said := list(_of_track(old, new, track)):
            yield track, said


def _of_track(old: Suite, new: Suite, track: str) -> Iterator[str]:
    before = {task.task: task for task in old.tracks[track].tasks}
    now = {task.task: task for task in new.tracks[track].tasks}
    yield from (f"{task} is new" for task in now if task not in before)
    yield from (f"{task} is gone" for task in before if task not in now)
    for task in (task for task in now if task in before):
        came = [one for one in now[task].variants if one not in before[task].variants]
        went = [one for one in before[task].variants if one not in now[task].variants]
        if came:
            yield f"{task} has {', '.join(came)}"
        if went:
            yield f"{task} no longer has {', '.join(went)}"
        for kind, word in _KINDS.items():
            was, is_ = (
                _side(suite.tracks[track].side(tasks[task], kind))
                for suite, tasks in ((old, before), (new, now))
            )
            if was != is_:
                yield f"the {word} of {task} is {is_} instead of {was}"


def _side(side: Side) -> str:
    return side if isinstance(side, str) else f"{side.value:g}"


def errata(board: Mapping[str, Any], pages: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the withdrawn verdicts, the newest first, with what the board at hand says instead.

    Args:
        board: the board.
        pages: method -> the file of its page.
    """
    held = tomllib.loads((ROOM / "errata.toml").read_text("utf-8"))["withdrawn"]
    tracks = {table["track"] for table in board["tables"]}
    return [
        {
            **one,
            "holds": linked(one["holds"]),
            "today": _today(board, *one["today"]) if "today" in one else "",
            "places": [
                *(Link(name, track_page(name)) for name in one["tracks"] if name in tracks),
                *(Link(name, pages[name]) for name in one["methods"] if name in pages),
            ],
            "docs": file_link(one["docs"], one["docs"]),
        }
        for one in held
    ]


def _today(board: Mapping[str, Any], name: str, a: str, b: str) -> str:
    """Say how two methods compare on a track of a board; empty: one of them has no place there."""
    track = next((one for one in board["tracks"] if one["track"] == name), None)
    rows = {row["method"]: row for row in track["rows"] if row["place"]} if track else {}
    if track is None or a not in rows or b not in rows:
        return ""
    places = f"places {rows[a]['place']} and {rows[b]['place']} of {len(rows)}"
    return f"{a} is {WORDS[pair_verdict(track, a, b)]} {b} on the board of {name}: {places}."
