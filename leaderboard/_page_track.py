"""The panel of one track on the page: its board, charts, tables and cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import _charts
from ._page_matrix import matrix, pairs
from ._page_parts import card_of, slug_of, track_rows
from ._page_records import Extras
from ._page_sources import failures
from ._page_tables import table_rows
from ._ranks import EQUAL
from ._render_datasets import datasets_panel
from ._rows import on_axis
from ._text import class_cells, counted
from ._track_facts import below, fixed_tests, reliability, shown_rows


def chart(
    charts: dict[str, Any], name: str, title: str, about: str, spec: dict[str, Any]
) -> dict[str, str]:
    """Add a chart to those of the page, and return what the template shows with it."""
    charts[name] = spec
    return {"id": name, "title": title, "about": about}


_NO_SCORE = {
    True: (
        "Nothing of the suite has run here: what ran is shown by variant, and the track has "
        "no score."
    ),
    False: (
        "This track is not part of the suite: what ran is shown by variant, and it has no score."
    ),
}


def panel_of(
    item: tuple[str, Mapping[str, Any] | None],
    board: Mapping[str, Any],
    found: Extras,
    charts: dict[str, Any],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the panel of a track, given by its name and its board, if it has one; its charts go
    into ``charts``.
    """
    name, track = item
    slug, card = slug_of(name), options.get("tracks", {}).get(name)
    panel: dict[str, Any] = {
        "slug": slug,
        "title": board["suite"]["tracks"][name]["title"]
        if name in board["suite"]["tracks"]
        else card.title
        if card
        else name,
        "about": track["about"] if track else _NO_SCORE[name in board["suite"]["tracks"]],
        "board": None,
        "classes": False,
        "best_plain": "",
        "tables": [
            _table(table, place, slug, found, charts)
            for place, table in enumerate(board["tables"])
            if table["track"] == name
        ],
        "cards": [
            card_of(identity, card, board, track)
            for identity, card in sorted(options.get("cards", {}).items())
            if identity.startswith(f"{name}/")
        ],
        "failures": failures(found.failed.get(name, [])),
        "more_failures": max(
            0, len(found.failed.get(name, [])) - len(failures(found.failed.get(name, [])))
        ),
        "datasets": None,
        "pairs": None,
        "intervals": None,
        "pareto": None,
    }
    return panel if track is None else panel | _ranked(track, board["suite"], slug, charts)


def _ranked(
    track: Mapping[str, Any], suite: Mapping[str, Any], slug: str, charts: dict[str, Any]
) -> dict[str, Any]:
    """Return what a panel shows of a track that has a board."""
    ranked = [row for row in track["rows"] if row["place"]]
    cells = sum(cell["state"] == "scored" for cell in track["cells"])
    return {
        "board": track_rows(track),
        "classes": bool(class_cells(shown_rows(track))),
        "best_plain": track["best_plain"],
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
        "intervals": _intervals(ranked, slug, charts) if ranked else None,
        "pareto": _pareto(ranked, slug, charts),
    }


def _intervals(
    ranked: Sequence[Mapping[str, Any]], slug: str, charts: dict[str, Any]
) -> dict[str, str]:
    about = (
        "0: the baseline, 1: the upper anchor. Thick: 95 % over seeds, these tasks. Thin: tasks "
        "resampled too."
        if ranked[0]["wide"]
        else "0: the baseline, 1: the upper anchor. Bars: 95 % over seeds, these tasks."
    )
    drawn = _charts.intervals(ranked)
    return chart(charts, f"{slug}-intervals", "Scores and intervals", about, drawn)


def _pareto(
    ranked: Sequence[Mapping[str, Any]], slug: str, charts: dict[str, Any]
) -> dict[str, str] | None:
    """Return scores against the first cost that two methods have; None: there is none."""
    for axis, what in (("flops", "floating-point operations"), ("visits", "example visits")):
        shown = [row for row in ranked if row["cost"][axis] and on_axis(row["cost"], axis)]
        if len(shown) > 1:
            about = (
                f"{what.capitalize()} of one seed over all tasks; on the front: no method costs as "
                "little and scores more than delta higher."
            )
            drawn = _charts.pareto(shown, axis, f"{what} (log scale)")
            return chart(charts, f"{slug}-pareto", "Score against cost", about, drawn)
    return None


def _table(
    table: Mapping[str, Any], place: int, slug: str, found: Extras, charts: dict[str, Any]
) -> dict[str, Any]:
    shown = table_rows(table)
    lines, names, key = found.curves.get(place, ([], [], ""))
    if lines:
        about = (
            f"{key}, mean over seeds, of the {len(names)} methods shown: the best ranked and "
            "the references."
        )
        shown["curves"] = chart(
            charts,
            f"{slug}-curve-{place}",
            "Learning curves",
            about,
            _charts.lines(lines, names, "step", "step", key),
        )
    return {"curves": None, **shown, "pictures": found.pictures.get(place, [])}
