"""The page: a folder of HTML files that need no network, one for each track and each method.

What records and cards say is escaped by the templates; nothing else is marked safe.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.digests import digest
from bench.runs.record import Brief, Record

from . import _assets, _charts, _page_history, _page_links, _page_matrix
from ._page_links import track_page
from ._page_method import CELLS, method_view
from ._page_news import errata, news
from ._page_overview import fields_of, measured, standing_of, title_of
from ._page_parts import method_pages
from ._page_raw import Raw, raw_figures
from ._page_reading import HELP, READING
from ._page_records import extras
from ._page_shell import Shell
from ._page_sources import anchors, provenance
from ._page_track import WHOLE, track_view

SINGLE = ("index", "about", "submit", "changes", "errata")
"""The pages beside those of tracks and methods."""
METHOD_BYTES, TRACK_BYTES = 40_000, 600_000
"""Most bytes of a method's page, of which there may be hundreds, and of a track's."""


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
    kinds = ("tasks", "cards", "tracks", "datasets", "sources")
    cards = [options.get(kind, {}) for kind in kinds]
    made_with = [
        _assets.versions(),
        _assets.own_version(),
        _page_links.repository(),
        options.get("superseded", {}),
        [tuple(link) for link in options.get("beside", ())],
    ]
    return digest([board, said, list(history), code, made_with, cards])


def page_files(board: Mapping[str, Any], options: Mapping[str, Any]) -> list[str]:
    """Return the names of all files that :func:`make_pages` yields."""
    return [
        *(f"{name}.html" for name in SINGLE),
        *(f"superseded/{name}.html" for name in options.get("superseded", ())),
        *map(track_page, _held(board)),
        *method_pages(board, options.get("cards", {})).values(),
        *_assets.FILES,
    ]


def make_pages(
    board: Mapping[str, Any],
    records: Sequence[Record],
    history: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    name: str,
) -> Iterator[tuple[str, str]]:
    """Yield the files of the page of a board, each with its text.

    Args:
        board: what :func:`.board.bench_board` made.
        records: the records that the board is of.
        history: rows of history.parquet.
        options: ``tasks``, ``cards``, ``tracks``, ``datasets``, ``sources``, ``load``, ``picture``
            ``superseded`` and ``beside``, see :func:`.board.bench_publish`.
        name: what :func:`page_name` returned.
    """
    found = extras(board, records, options)
    by_id = {record.id: record for record in records}
    cards = options.get("tracks", {})
    boards = {track["track"]: track for track in board["tracks"]}
    raw = {track: raw_figures(boards[track], board, by_id) for track in boards}
    pages = method_pages(board, options.get("cards", {}))
    held = _held(board)
    fields = fields_of(held, board, cards)
    shell = Shell(board, found.totals, fields, name, options.get("beside", ()))
    lacking = [track for track in board["suite"]["tracks"] if track not in held]
    absent = [one["title"] for of in fields_of(lacking, board, cards) for one in of["tracks"]]
    yield "index.html", shell.page("index", overview=_overview(fields, boards, raw), absent=absent)
    with _charts.unchecked():
        for track in held:
            views = (
                track_view(
                    track, boards.get(track), board, found, options, raw.get(track, []), pages, room
                )
                for room in WHOLE
            )
            yield track_page(track), _track(track, shell, views)
        nights = _page_history.nights(history, board)
    for method, file in pages.items():
        yield file, _method(method, shell, board, options, raw)
    yield (
        "about.html",
        shell.page(
            "about",
            reading=READING,
            coverage=[_page_matrix.coverage(track) for track in board["tracks"]],
            dots=_page_matrix.DOTS,
            anchors=anchors(board),
            provenance=provenance(board, records, _assets.versions()),
            history=nights,
            charts={nights["id"]: nights["spec"]} if nights else {},
        ),
    )
    yield "submit.html", shell.page("submit", version=_assets.own_version())
    fresh = news(board["suite"]["name"])
    fresh["changes"] = [
        (title_of(track, board, cards) if track else "All tracks", said)
        for track, said in fresh["changes"]
    ]
    old = list(options.get("superseded", {}).items())
    yield "changes.html", shell.page("changes", news=fresh, superseded=[one for one, _ in old])
    yield "errata.html", shell.page("errata", errata=errata(board, pages))
    for suite, kept in old:
        yield f"superseded/{suite}.html", shell.page("superseded", old=kept)
    yield from _assets.files()


def _track(name: str, shell: Shell, views: Iterator[dict[str, Any]]) -> str:
    """Return the page of a track, of the first of its views that is not too large."""
    for view in views:
        shown = _used(view, HELP)
        text = shell.page("track", track=view, here=name, charts=view["charts"], help=shown)
        if len(text.encode()) <= TRACK_BYTES:
            break
    return text


def _method(
    name: str,
    shell: Shell,
    board: Mapping[str, Any],
    options: Mapping[str, Any],
    raw: Mapping[str, Sequence[Raw]],
) -> str:
    """Return the page of a method, with as many rows by variant as it has room for."""
    for most in (CELLS, CELLS // 2, CELLS // 4, 0):
        text = shell.page("method", method=method_view(name, board, options, raw, most))
        if len(text.encode()) <= METHOD_BYTES:
            break
    return text


def _overview(
    fields: Sequence[Mapping[str, Any]],
    boards: Mapping[str, Mapping[str, Any]],
    raw: Mapping[str, Sequence[Raw]],
) -> list[dict[str, Any]]:
    """Return the fields with a row for each of their tracks."""
    return [
        {
            "field": group["field"],
            "rows": [
                {
                    **track,
                    "measured": measured(raw.get(track["name"], []), whole=False),
                    "standing": standing_of(boards[track["name"]], raw[track["name"]])
                    if track["name"] in boards
                    else None,
                }
                for track in group["tracks"]
            ],
        }
        for group in fields
    ]


def _used(view: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, str]:
    """Return the help that the columns of a track's page ask for, by the number of its text."""
    asked = [*view["columns"], *(one for table in view["tables"] for one in table["columns"])]
    wanted = dict.fromkeys([texts["method"], texts["plot"], *(one.help for one in asked)])
    numbers = {text: place for place, text in enumerate(dict.fromkeys([*texts.values(), *wanted]))}
    return {text: f"help{numbers[text]}" for text in wanted}


def _held(board: Mapping[str, Any]) -> list[str]:
    """Return every track with a table, which has a page: those of the suite first."""
    held = {table["track"] for table in board["tables"]}
    names = dict.fromkeys([*board["suite"]["tracks"], *sorted(held)])
    return [name for name in names if name in held]
