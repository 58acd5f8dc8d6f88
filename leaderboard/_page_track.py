"""The page of one track: who leads, its board, charts, tables and failures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from . import _charts
from ._page_links import Link, docs_link, linked, paper_links
from ._page_matrix import matrix, pairs
from ._page_overview import measured, standing_of, title_of
from ._page_parts import board_columns, board_rows
from ._page_plot import plot_of
from ._page_raw import Raw
from ._page_reading import HELP
from ._page_records import Extras
from ._page_sources import failures
from ._page_tables import table_rows
from ._ranks import EQUAL
from ._render_datasets import datasets_panel
from ._rows import on_axis
from ._text import counted
from ._track_facts import below, fixed_tests, reliability, shown_rows

_NO_SCORE = {
    True: (
        "Nothing of the suite has run here: what ran is shown by variant, and the track has "
        "no score."
    ),
    False: (
        "This track is not part of the suite: what ran is shown by variant, and it has no score."
    ),
}


class Room(NamedTuple):
    """What of its tables by variant a page has room for."""

    curves: bool
    rows: int
    """Most rows of a table."""


WHOLE = (Room(True, 10_000), Room(False, 10_000), Room(False, 20), Room(False, 5), Room(False, 0))
"""All, and what is left out of a page that would be too large, in this order."""


def chart(
    charts: dict[str, Any], name: str, title: str, about: str, spec: dict[str, Any]
) -> dict[str, str]:
    """Add a chart to those of a page, and return what the template shows with it."""
    charts[name] = spec
    return {"id": name, "title": title, "about": about}


def track_view(
    name: str,
    track: Mapping[str, Any] | None,
    board: Mapping[str, Any],
    found: Extras,
    options: Mapping[str, Any],
    raw: Sequence[Raw],
    pages: Mapping[str, str],
    room: Room = WHOLE[0],
) -> dict[str, Any]:
    """Return the page of a track.

    Args:
        name: of the track.
        track: its board, where it has one.
        board: the whole board.
        found: curves, pictures and failures.
        options: see :func:`.board.bench_publish`.
        raw: what rows of the track reached in metrics.
        pages: method -> the file of its page.
        room: what of the tables by variant is shown.
    """
    charts: dict[str, Any] = {}
    card = options.get("tracks", {}).get(name)
    cards = {
        identity.partition("/")[2]: one
        for identity, one in sorted(options.get("cards", {}).items())
        if identity.startswith(f"{name}/")
    }
    listed = failures(found.failed.get(name, []))
    view: dict[str, Any] = {
        "name": name,
        "title": title_of(name, board, options.get("tracks", {})),
        "about": track["about"] if track else _NO_SCORE[name in board["suite"]["tracks"]],
        "field": card.field if card else "",
        "ranked": card.ranked if card else "",
        "docs": docs_link(name),
        "data": _data(found.datasets.get(name, ()), options),
        "measured": measured(raw),
        "standing": None,
        "columns": [],
        "tables": [
            _table(table, place, found, charts, room)
            for place, table in enumerate(board["tables"])
            if table["track"] == name
        ],
        "left_out": "" if room.curves else "Learning curves are left out: the records hold them.",
        "method_help": HELP["method"],
        "plot_help": HELP["plot"],
        "methods": [
            {
                "name": method,
                "title": one.title,
                "page": pages.get(method, ""),
                "papers": paper_links([one]),
            }
            for method, one in cards.items()
        ],
        "failures": listed,
        "more_failures": len(found.failed.get(name, [])) - len(listed),
        "charts": charts,
    }
    if track is None:
        return view
    return view | _ranked(track, board["suite"], raw, cards, pages, charts)


def _ranked(
    track: Mapping[str, Any],
    suite: Mapping[str, Any],
    raw: Sequence[Raw],
    cards: Mapping[str, Any],
    pages: Mapping[str, str],
    charts: dict[str, Any],
) -> dict[str, Any]:
    """Return what a page shows of a track that has a board."""
    ranked = [row for row in track["rows"] if row["place"]]
    cells = sum(cell["state"] == "scored" for cell in track["cells"])
    papers = any(paper_links([cards[row["method"]]]) for row in ranked if row["method"] in cards)
    return {
        "standing": standing_of(track, raw),
        "columns": board_columns(track, raw, papers),
        "board": board_rows(track, raw, cards, pages),
        "plot": plot_of(shown_rows(track)),
        "caption": (
            f"Mean normalised score over {counted(len(track['scored_tasks']), 'task')} "
            f"({counted(cells, 'variant')}), {suite['seeds']} seeds; 95 % t interval over seeds."
        ),
        "facts": [
            *reliability(track),
            *fixed_tests(track),
            *below(track),
            *(
                f"{row['method']} is {row['why']}."
                for row in track["rows"]
                if row["why"].startswith(EQUAL)
            ),
        ],
        "warnings": track["notes"],
        "datasets": datasets_panel(sets) if (sets := track.get("datasets")) else None,
        "matrix": matrix(track),
        "pairs": pairs(track),
        "pareto": _pareto(ranked, charts),
    }


def _data(names: Collection[str], options: Mapping[str, Any]) -> list[tuple[str, list[Link]]]:
    """Return the datasets that the runs of a track loaded, each with where it comes from."""
    cards = options.get("datasets", {})
    return [
        (cards[name].title, linked(f"{cards[name].source} ({cards[name].licence})"))
        for name in sorted(names)
        if name in cards
    ]


def _pareto(ranked: Sequence[Mapping[str, Any]], charts: dict[str, Any]) -> dict[str, str] | None:
    """Return scores against the first cost that two methods have; None: there is none."""
    for axis, what in (("flops", "floating-point operations"), ("visits", "example visits")):
        shown = [row for row in ranked if row["cost"][axis] and on_axis(row["cost"], axis)]
        if len(shown) > 1:
            about = (
                f"{what.capitalize()} of one seed over all tasks; on the front: no method costs as "
                "little and scores more than delta higher."
            )
            drawn = _charts.pareto(shown, axis, f"{what} (log scale)")
            return chart(charts, "cost", "Score against cost", about, drawn)
    return None


def _table(
    table: Mapping[str, Any], place: int, found: Extras, charts: dict[str, Any], room: Room
) -> dict[str, Any]:
    shown = table_rows(table)
    every = shown["rows"]
    if len(every) > room.rows:
        said = f"The first {room.rows} of {len(every)} rows; leaderboard.csv holds all."
        shown |= {"rows": every[: room.rows], "notes": [*shown["notes"], said]}
    lines, names, key = found.curves.get(place, ([], [], ""))
    if lines and room.curves:
        about = (
            f"{key}, mean over seeds, of the {len(names)} methods shown: the best ranked and "
            "the references."
        )
        drawn = _charts.lines(lines, names, "step", "step", key)
        shown["curves"] = chart(charts, f"curve-{place}", "Learning curves", about, drawn)
    return {"curves": None, **shown, "pictures": found.pictures.get(place, [])}
