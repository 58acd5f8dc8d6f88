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
from ._page_matrix import dots
from ._page_parts import (
    overview_row,
)
from ._page_reading import READING
from ._page_records import extras
from ._page_sources import anchors, provenance
from ._page_track import chart, panel_of
from ._text import one_line


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
        tracks = [panel_of(track, board, found, charts, options) for track in _tracks(board)]
        nights = _history(history, board, charts)
    script = _assets.text("page.js")
    held = {table["track"] for table in board["tables"]}

    def shown(value: Any) -> Any:
        """Drop control characters of records and cards; what is escaped already is the page's."""
        return (
            one_line(value) if isinstance(value, str) and not isinstance(value, Markup) else value
        )

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, finalize=shown
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
    return chart(
        charts,
        "history",
        "Over the nights",
        "The score of each track's present leader. Scores of two suites, or of two tiers, never "
        "share a line.",
        spec,
    )
