"""The page: one HTML file that needs no network.

What records and cards say is escaped by the template; nothing else is marked safe.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.digests import digest
from bench.runs.record import Brief, Record

from . import _assets, _charts
from ._page_matrix import dots, matrix, pairs
from ._page_parts import (
    anchors,
    card_of,
    failures,
    overview_row,
    provenance,
    slug_of,
    table_rows,
    track_rows,
)
from ._page_records import Extras, extras
from ._ranks import EQUAL
from ._render_tracks import below, fixed_tests, reliability, shown_rows
from ._rows import on_axis
from ._text import class_cells, some

READING = (
    "A score is normalised: 0 is what doing nothing reaches (the null of the track), 1 what its "
    "upper reference does. Anchors are frozen with the suite.",
    "The headline is the mean over tasks; a task is the mean of its variants. Its interval is "
    "Student's t over seeds, for these tasks alone.",
    "The thin line of the chart resamples tasks and then seeds: use it for claims about other "
    "tasks like these.",
    "IQM is the mean of the middle half of all scores. P(> null) is the chance that a run beats "
    "one of the null's. Their bootstrap intervals are optimistic below ten seeds.",
    "# is the place by the score; equal scores share it. The range is that of the true rank: from "
    "1 + the methods that are better to the last place that no worse method takes.",
    "The ranges of a board hold all together at 95 %; they are widened where they would run "
    "against the order of scores.",
    "Better or worse takes a p below 0.05, adjusted by Holm over all pairs of a board, and a "
    "difference of at least delta.",
    "An undecided difference leans to a side where its own interval excludes 0; the seeds that "
    "would decide it are planned for a power of 90 %.",
    "Bold: the first, and those after it that can't be separated from it.",
    "A run that fails counts as chance, at least -1, and no run counts as less, so that failing "
    "never beats finishing. The range of a method with such a run (‡) starts at its place.",
    "A method that misses runs is provisional and has no place. A method that equals another in "
    "every run stands once. Scores that no seed changes have no interval.",
    "A cell whose anchors lie too close together is thin: shown, and not counted.",
    "A plain baseline is what anyone would try first. A task where the best one reaches nine "
    "tenths of the best other method's score is saturated: shown, and not counted, unless all "
    "tasks are.",
    "References that see the hidden part never have a place. Rows of other than the default "
    "parameters are in the tables by variant and in no track's board.",
    "The runs of one task, variant and seed are of one class of machine (its instruction class, "
    "kernels and GPU), other seeds may be of another. A run of another class is not compared, and "
    "its row says so.",
    "Seconds are of the processor on a CPU, by the clock elsewhere, and of one class of machine "
    "alone. No cost decides a place.",
    "GFLOP: floating-point operations in units of 10^9, counted by the harness (≥: part of the "
    "work has no formula). Visits of examples are counted by the method. Both are comparable "
    "anywhere.",
)


_NO_SCORE = {
    True: (
        "Nothing of the suite has run here: what ran is shown by variant, and the track has "
        "no score."
    ),
    False: (
        "This track is not part of the suite: what ran is shown by variant, and it has no score."
    ),
}


def page_name(
    board: Mapping[str, Any],
    records: Sequence[Record],
    history: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
) -> str:
    """Name a page by all that it depends on."""
    said = sorted(
        record.content if isinstance(record, Brief) else digest(record) for record in records
    )
    code = [
        path.read_text(encoding="utf-8")
        for folder in (Path(inspect.getfile(_assets)).parent, _assets.HERE)
        for path in sorted(folder.iterdir())
        if path.is_file()
    ]
    cards = {**options.get("tasks", {}), **options.get("cards", {}), **options.get("tracks", {})}
    return digest([board, said, list(history), code, _assets.versions(), cards])


def make_page(
    board: Mapping[str, Any],
    records: Sequence[Record],
    history: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    name: str,
) -> str:
    """Return the page of a board.

    Args:
        board: what :func:`.board.bench_board` made.
        records: the records that the board is of.
        history: rows of history.parquet.
        options: ``tasks``, ``cards``, ``tracks``, ``load`` and ``picture``, see
            :func:`.board.bench_publish`.
        name: what :func:`page_name` returned.
    """
    import jinja2
    from markupsafe import Markup

    charts: dict[str, Any] = {}
    found = extras(board, records, options)
    with _charts.unchecked():
        tracks = [_panel(track, board, found, charts, options) for track in _tracks(board)]
        nights = _history(history, board, charts)
    script = _assets.text("page.js")
    held = {table["track"] for table in board["tables"]}
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    safe = {"css": _assets.text("page.css"), "script": script}
    return environment.from_string(_assets.text("page.html.j2")).render(
        name=name,
        policy=f"default-src 'none'; script-src {_assets.sha256(script)} blob:; style-src "
        "'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'",
        suite=board["suite"],
        totals=found.totals,
        classes=board["classes"][0]["name"]
        if len(board["classes"]) == 1
        else f"{len(board['classes'])} classes of machines"
        if board["classes"]
        else "",
        tracks=tracks,
        overview=[
            overview_row(_track_of(board, name), name, one, name in held)
            for name, one in board["suite"]["tracks"].items()
        ],
        dots=[dots(track) for track in board["tracks"]],
        history=nights,
        reading=READING,
        anchors=anchors(board),
        provenance=provenance(board, records, _assets.versions()),
        charts=_assets.packed(json.dumps(charts, allow_nan=False, sort_keys=True)),
        document=_assets.packed(json.dumps(board, allow_nan=False)),
        tables_bundle=_assets.tables_bundle(),
        vega_bundle=_assets.vega_bundle(),
        **{key: Markup(text) for key, text in safe.items()},  # noqa: S704 - our own files, no record's text
    )


def _track_of(board: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    return next((track for track in board["tracks"] if track["track"] == name), None)


def _tracks(board: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any] | None]]:
    """Return every track with a table, those of the suite first, with its
    board where it has one.
    """
    names = dict.fromkeys(
        [*board["suite"]["tracks"], *(table["track"] for table in board["tables"])]
    )
    held = {table["track"] for table in board["tables"]}
    return [(name, _track_of(board, name)) for name in names if name in held]


def _panel(
    item: tuple[str, Mapping[str, Any] | None],
    board: Mapping[str, Any],
    found: Extras,
    charts: dict[str, Any],
    options: Mapping[str, Any],
) -> dict[str, Any]:
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
        "pairs": None,
        "intervals": None,
        "pareto": None,
    }
    if track is None:
        return panel
    ranked = [row for row in track["rows"] if row["place"]]
    cells = sum(cell["state"] == "scored" for cell in track["cells"])
    panel |= {
        "board": track_rows(track),
        "classes": bool(class_cells(shown_rows(track))),
        "best_plain": track["best_plain"],
        "caption": (
            f"Mean normalised score over {some(len(track['scored_tasks']), 'task')} "
            f"({some(cells, 'variant')}), {board['suite']['seeds']} seeds; 95 % t interval "
            "over seeds."
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
        "matrix": matrix(track),
        "pairs": pairs(track),
    }
    if ranked:
        about = (
            (
                "0: the null, 1: the upper anchor. Thick: 95 % over seeds, these tasks. Thin: "
                "tasks resampled too."
            )
            if ranked[0]["wide"]
            else "0: the null, 1: the upper anchor. Bars: 95 % over seeds, these tasks."
        )
        panel["intervals"] = _chart(
            charts, f"{slug}-intervals", "Scores and intervals", about, _charts.intervals(ranked)
        )
        for axis, what in (("flops", "floating-point operations"), ("visits", "example visits")):
            shown = [row for row in ranked if row["cost"][axis] and on_axis(row["cost"], axis)]
            if len(shown) > 1:
                about = (
                    f"{what.capitalize()} of one seed over all tasks; on the front: no method "
                    "costs as little and scores more than delta higher."
                )
                panel["pareto"] = _chart(
                    charts,
                    f"{slug}-pareto",
                    "Score against cost",
                    about,
                    _charts.pareto(shown, axis, f"{what} (log scale)"),
                )
                break
    return panel


def _chart(
    charts: dict[str, Any], name: str, title: str, about: str, spec: dict[str, Any]
) -> dict[str, str]:
    charts[name] = spec
    return {"id": name, "title": title, "about": about}


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
        shown["curves"] = _chart(
            charts,
            f"{slug}-curve-{place}",
            "Learning curves",
            about,
            _charts.lines(lines, names, "step", "step", key),
        )
    return {"curves": None, **shown, "pictures": found.pictures.get(place, [])}


def _history(
    history: Sequence[Mapping[str, Any]], board: Mapping[str, Any], charts: dict[str, Any]
) -> dict[str, str] | None:
    """Draw the first place of every track over nights; one night is no
    history, and neither suites nor tiers ever share a line.
    """
    suite = board["suite"]
    mine = [
        row
        for row in history
        if (row["suite"], row["tier"]) == (suite["name"], suite["tier"])
        and row["score"] is not None
    ]
    if len({row["night"] for row in mine}) < 2:
        return None
    best: dict[str, str] = {
        track["track"]: track["rows"][0]["method"]
        for track in board["tracks"]
        if track["rows"] and track["rows"][0]["place"]
    }
    values = [
        {
            "method": f"{row['track']}: {row['method']}",
            "night": row["night"],
            "y": round(row["score"], 4),
        }
        for row in mine
        if best.get(row["track"]) == row["method"]
    ]
    names = [f"{track}: {method}" for track, method in best.items()]
    spec = _charts.lines(values, names, "night", "night", "normalised score", temporal=True)
    return _chart(
        charts,
        "history",
        "Over the nights",
        "The score of each track's present leader. Scores of two suites, or of two tiers, never "
        "share a line.",
        spec,
    )
