"""What the page takes from whole records: learning curves, pictures, failures."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.runs.record import Record

from ._charts import MOST_LINES

POINTS = 50
"""Most points of one curve."""
PICTURES, PICTURE_BYTES, ALL_PICTURES = 4, 150_000, 300_000
"""Most pictures of a table, bytes of one, and bytes of all: pages stay ones that open at once."""
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass
class Extras:
    """What tables are shown with: by the place of the table in the board."""

    totals: dict[str, Any]
    curves: dict[int, tuple[list[dict[str, Any]], list[str], str]] = field(default_factory=dict)
    pictures: dict[int, list[dict[str, str]]] = field(default_factory=dict)
    failed: dict[str, list[Record]] = field(default_factory=dict)
    datasets: dict[str, set[str]] = field(default_factory=dict)
    """Track -> the datasets that its runs loaded."""


def extras(
    board: Mapping[str, Any], records: Sequence[Record], options: Mapping[str, Any]
) -> Extras:
    """Return the curves, pictures and failures of a board, reading whole
    records only where they are drawn.
    """
    by_id = {record.id: record for record in records}
    found = Extras(
        {
            "records": len(records),
            "newest": max((record.ended[:10] for record in records), default=""),
        }
    )
    for record in records:
        loaded = {call.partition("(")[0] for call in record.data or ()}
        found.datasets.setdefault(record.track, set()).update(loaded)
        if record.status not in ("ok", "interrupted"):
            found.failed.setdefault(record.track, []).append(record)
    chosen = {place: _chosen(table["rows"]) for place, table in enumerate(board["tables"])}
    wanted = {
        name
        for rows in chosen.values()
        for row in rows
        for name in row["record_ids"]
        if name in by_id and by_id[name].status == "ok"
    }
    if not wanted or options.get("load") is None:
        return found
    whole = {record.id: (record.curve, record.images, record) for record in options["load"](wanted)}
    spent = 0
    for place, rows in chosen.items():
        found.curves[place] = _curves(
            rows,
            {name: curve for name, (curve, _, _) in whole.items()},
            board["tables"][place]["primary"]["name"],
        )
        pictures = []
        for row in rows:
            holder = next(
                (whole[name][2] for name in row["record_ids"] if name in whole and whole[name][1]),
                None,
            )
            if holder is None or row["peeks"]:
                continue
            for name in sorted(holder.images):
                data = options["picture"](holder, name) if options.get("picture") else None
                if (
                    len(pictures) < PICTURES
                    and data
                    and data.startswith(_PNG)
                    and len(data) <= PICTURE_BYTES
                    and spent + len(data) <= ALL_PICTURES
                ):
                    spent += len(data)
                    pictures.append(
                        {
                            "title": f"{row['method']}, seed {holder.seed}: {name}",
                            "data": base64.b64encode(data).decode(),
                        }
                    )
            break
        found.pictures[place] = pictures
    return found


def _chosen(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the rows whose curves are drawn: references first to be kept,
    then the best, in the order of the table.
    """
    drawn = [row for row in rows if row["n"]]
    references = [row for row in drawn if row["reference"]][:3]
    best = [row for row in drawn if not row["reference"]][: MOST_LINES - len(references)]
    names = {row["method"] for row in (*references, *best)}
    return [row for row in drawn if row["method"] in names]


def _curves(
    rows: Sequence[Mapping[str, Any]],
    curves: Mapping[str, Sequence[Mapping[str, Any]]],
    primary: str,
) -> tuple[list[dict[str, Any]], list[str], str]:
    """Return points of mean curves, the methods that have one, and the figure that is drawn."""
    held = [
        point for row in rows for name in row["record_ids"] for point in curves.get(name, ())[:1]
    ]
    keys = list(
        dict.fromkeys(
            key
            for point in held
            for key, value in point.items()
            if key != "step" and isinstance(value, int | float)
        )
    )
    if not keys:
        return [], [], ""
    key = (
        primary
        if primary in keys
        else next((name for name in keys if name in primary or primary.startswith(name)), keys[0])
    )
    points, names = [], []
    for row in rows:
        sums: dict[float, list[float]] = defaultdict(list)
        for name in row["record_ids"]:
            for point in curves.get(name, ()):
                if isinstance(point.get(key), int | float) and isinstance(
                    point.get("step"), int | float
                ):
                    sums[point["step"]].append(point[key])
        steps = sorted(sums)
        if len(steps) > 1:
            names.append(row["method"])
            kept = (
                steps
                if len(steps) <= POINTS
                else sorted(
                    {
                        steps[round(place * (len(steps) - 1) / (POINTS - 1))]
                        for place in range(POINTS)
                    }
                )
            )
            points += [
                {
                    "method": row["method"],
                    "step": step,
                    "y": float(f"{sum(sums[step]) / len(sums[step]):.4g}"),
                }
                for step in kept
            ]
    return points, names, key
