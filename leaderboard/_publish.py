"""The files of a board in a folder, each written whole or not at all, and
the freezing of anchors.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.errors import EnvironmentFault
from bench.files import put, put_with
from bench.runs.figures import held
from bench.runs.record import Record

from ._anchors import Anchors, Frozen, anchors_file, read_anchors, write_anchors
from ._beside import beside
from ._cells import suite_cells
from ._classes import ComparedRuns, compared_runs
from ._exports import history_parquet, history_rows, merged, night_of, read_history, records_parquet
from ._render import render
from ._schema import schema
from ._scores import clashes
from ._suite import find, in_tier, read_suite
from ._suite_file import Suite
from ._superseded import superseded
from ._text import as_csv
from ._track_exports import track_lines

PAGE = ("altair", "jinja2", "vl_convert")
"""What the page is made with: the extra ``page``."""
OURS = '<meta name="generator" content="datacentric-bench">'
"""What a page of ours holds."""


def publish(
    board: Mapping[str, Any], records: Sequence[Record], folder: Path, options: Mapping[str, Any]
) -> list[str]:
    """Write every file of a board; see :func:`.board.bench_publish`."""
    shown = {
        name for table in board["tables"] for row in table["rows"] for name in row["record_ids"]
    }
    mine = [record for record in records if record.id in shown]
    history: list[dict[str, Any]] = []
    if (file := options.get("history")) is not None:
        history = merged(
            read_history(file), history_rows(board, options.get("night") or night_of(mine))
        )
        file.parent.mkdir(parents=True, exist_ok=True)
        put_with(file, lambda path: history_parquet(history, path))
    missing = (
        [name for name in PAGE if importlib.util.find_spec(name) is None]
        if options.get("page")
        else []
    )
    how = f"the page needs {', '.join(missing)}; run \"pip install 'datacentric-bench[page]'\""
    if missing and options.get("required"):
        raise EnvironmentFault(f"{how}, or leave --serve out.")
    drawn: list[str] = []
    old, said = superseded(folder, board)
    if options.get("page") and not missing:
        from ._page import make_pages, page_files, page_name
        from ._picture import names, pictures

        options = {**options, "superseded": old, "beside": beside(folder, board)}
        name, files, drawn = (
            page_name(board, mine, history, options),
            page_files(board, options),
            names(board),
        )
        if _holds(folder, [*_names(board), *drawn, *files], name):
            return [*said, f"{folder} holds what these records give already."]
    for file, text in _texts(board).items():
        put(folder / file, text.encode())
    put_with(folder / "records.parquet", lambda path: records_parquet(mine, path))
    said.append(f"wrote {', '.join(_names(board))} to {folder}.")
    if missing:
        return [*said, f"{how}. The other files are complete."]
    if options.get("page"):
        for file, picture in pictures(board, options.get("tracks")).items():
            put(folder / file, picture.encode())
        _put_pages(folder, dict(make_pages(board, mine, history, options, name)))
        said.append(
            f"wrote {', '.join([*drawn, 'index.html'])} and {len(files) - 1} files that it leads "
            f"to, to {folder}."
        )
    return said


def _holds(folder: Path, files: Collection[str], name: str) -> bool:
    """Say whether a folder has all files, and a page of that name."""
    page = folder / "index.html"
    return (
        all((folder / file).is_file() for file in files)
        and name in page.read_text(encoding="utf-8", errors="replace")[:2000]
    )


def _put_pages(folder: Path, pages: Mapping[str, str]) -> None:
    """Write the files of a page, the first one last: it says that all are there. Pages of tracks
    and methods that are gone are removed.
    """
    for file in sorted(pages, key=lambda file: file == "index.html"):
        path = folder / file
        path.parent.mkdir(exist_ok=True)
        put(path, pages[file].encode())
    for room in ("tracks", "methods"):
        for path in (folder / room).glob("*.html"):
            if f"{room}/{path.name}" not in pages and OURS in path.read_text("utf-8", "replace"):
                path.unlink()


def _names(board: Mapping[str, Any]) -> list[str]:
    tracks = ["leaderboard.tex", "tracks.csv"] if board["tracks"] else []
    return sorted(
        [
            "leaderboard.md",
            "leaderboard.json",
            "leaderboard.csv",
            "leaderboard.schema.json",
            "records.parquet",
            *tracks,
        ]
    )


def _texts(board: Mapping[str, Any]) -> dict[str, str]:
    texts = {
        f"leaderboard.{style}": render(board, style) or "" for style in ("md", "json", "csv")
    } | {"leaderboard.schema.json": schema()}
    if board["tracks"]:
        texts |= {
            "leaderboard.tex": render(board, "latex") or "",
            "tracks.csv": as_csv(
                [line for track in board["tracks"] for line in track_lines(track)]
            ),
        }
    return texts


def freeze(
    records: Sequence[Record], tasks: Mapping[str, Any], options: Mapping[str, Any]
) -> list[str]:
    """Freeze the anchors of every tier that the records hold with every
    seed; what is frozen stays as it is.
    """
    path = find(options.get("suite"), options.get("suite_folders") or ())
    suite = read_suite(path)
    file, stale = anchors_file(path, suite), options.get("stale") or set()
    frozen = read_anchors(file, suite)
    records, _ = held(records, tasks)
    runs = compared_runs(records, stale)
    said, wrote = [], []
    for tier in suite.tiers:
        cells, notes, new = _frozen(in_tier(suite, tier), frozen.get(tier, {}), runs, tasks, stale)
        frozen[tier], more = _saturated(
            in_tier(suite, tier), cells, runs, tasks, options.get("cards") or {}, stale
        )
        said += [*notes, *more]
        where = f" of the tier {tier}" if len(suite.tiers) > 1 else ""
        wrote.append(
            f"froze the anchors of {new} cells{where} in {file}; {len(cells)} of "
            f"{sum(len(suite.cells(track)) for track in suite.tracks)} are frozen."
        )
    write_anchors(file, suite, frozen)
    return [*said, *wrote]


def _frozen(
    suite: Suite,
    old: Mapping[str, Frozen],
    runs: ComparedRuns,
    tasks: Mapping[str, Any],
    stale: Collection[str],
) -> tuple[dict[str, Frozen], list[str], int]:
    """Return the anchors of a suite in a tier with those that are whole
    now, what there is to say, and how many are new.
    """
    cells, said, open_cells = dict(old), [], []
    for track in suite.tracks:
        mine = [
            record for record in runs.records if record.track == track and record.id not in stale
        ]
        for cell in suite_cells(
            track, suite, Anchors(suite=suite.name, cells={}), mine, tasks, stale, runs.aside
        ):
            now = cell.anchors
            if cell.name in cells:
                if (
                    now
                    and now.complete(suite.seeds)
                    and _reached(now) != _reached(cells[cell.name])
                ):
                    said.append(
                        f"{cell.name} is frozen already and stays as it is; its anchors now reach "
                        "other figures. Another suite version may change them."
                    )
            elif now is None or not now.complete(suite.seeds) or cell.card is None:
                open_cells.append(cell.name)
            else:
                cells[cell.name] = now
    if open_cells:
        where = f" in the tier {suite.tier}" if len(suite.tiers) > 1 else ""
        names = ", ".join(open_cells) if cells or where == "" else f"all {len(open_cells)} cells"
        said.append(
            f"not frozen{where}, since a run of their anchors is missing ({suite.seeds} seeds "
            f"each, on {suite.device}): {names}."
        )
    return cells, said, len(cells) - len(old)


def _saturated(
    suite: Suite,
    cells: dict[str, Frozen],
    runs: ComparedRuns,
    tasks: Mapping[str, Any],
    methods: Mapping[str, Any],
    stale: Collection[str],
) -> tuple[dict[str, Frozen], list[str]]:
    """Return the frozen cells of a tier with what is decided now of saturated tasks, once every
    method has run them, and what there is to say.
    """
    from ._saturation import decided, plain_of, tasks_of, undecided
    from ._track import all_method_scores

    said, cells = [], dict(cells)
    for track in suite.tracks if suite.schema_version > 1 else ():
        mine = [
            record for record in runs.records if record.track == track and record.id not in stale
        ]
        found = suite_cells(
            track, suite, Anchors(suite=suite.name, cells=cells), mine, tasks, stale, runs.aside
        )
        loose = [
            cell for cell in found if cell.name in cells and cells[cell.name].saturated is None
        ]
        if not loose:
            continue
        reached = all_method_scores(track, found, suite, methods, clashes(mine, tasks))
        reasons = decided(found, reached, plain_of(track, methods))
        for task in tasks_of(loose):
            if obstacle := undecided(task, found, reached):
                where = f" in the tier {suite.tier}" if len(suite.tiers) > 1 else ""
                said.append(
                    f"whether {track}/{task} is saturated is not frozen{where}: {obstacle}."
                )
                continue
            for cell in found:
                if cell.task.task == task:
                    cells[cell.name] = msgspec.structs.replace(
                        cells[cell.name], saturated=reasons[task]
                    )
    return cells, said


def _reached(cell: Frozen) -> Any:
    return msgspec.to_builtins(
        [cell.problem, *((run.mean, run.sd) if run else None for run in (cell.low, cell.high))]
    )
