"""Writing tables of published and measured figures as Markdown and as a page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ._paper_verdicts import CAP, FEWEST, FLOOR, WIDEST
from ._text import Column, counted, escape, grid, number

Row = Mapping[str, Any]
PAGE = Path(__file__).parent / "page" / "published.md"
NOWHERE = "not in the product"
_COMMIT = 8
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def papers_markdown(document: Row) -> str:
    """Return every table, one after the other."""
    return "\n\n".join(_paper(paper) for paper in document["papers"]) + "\n"


def papers_page(document: Row) -> str:
    """Return the page "Published against measured": the rules in words, and every table."""
    text = PAGE.read_text(encoding="utf-8")
    facts = {
        "floor": f"{FLOOR:g}",
        "cap": f"{CAP:g}",
        "widest": f"{WIDEST:g}",
        "fewest": str(FEWEST),
        "summary": _summary(document["papers"]),
        "tables": papers_markdown(document).strip(),
    }
    return re.sub(r"\{\{ (\w+) \}\}", lambda match: facts[match[1]], text)


def _summary(papers: Sequence[Row]) -> str:
    rows = [row for paper in papers for row in paper["rows"]]
    words = Counter(_state(row) for row in rows)
    return f"{counted(len(rows), 'row')}: {', '.join(f'{words[name]} {name}' for name in words)}."


def _state(row: Row) -> str:
    """Return a row's verdict, or in a word why it has none."""
    if row["problem"]:
        return "not known here"
    if row["verdict"]:
        return str(row["verdict"])
    if not row["cell"]:
        return NOWHERE
    return "not read" if row["kind"] == "figure" and row["published"] is None else "not run"


def _paper(paper: Row) -> str:
    rows = paper["rows"]
    if paper["problem"]:
        return f"## {paper['name']}\n\nThe file of this table can't be used."
    departures = list(
        dict.fromkeys((part["what"], part["breaks"]) for row in rows for part in row["departs"])
    )
    letters = {part: _letter(place) for place, part in enumerate(departures)}
    digits = _digits(rows)
    columns: list[Column] = [
        ("method", "left", [_method(row) for row in rows]),
        ("cell", "left", [escape(_cell(row)) for row in rows]),
        ("published", "right", [_published(row, digits) for row in rows]),
        ("ours [95 % interval]", "right", [_ours(row, digits) for row in rows]),
        ("difference", "right", [number(row["difference"], digits, "+") for row in rows]),
        ("verdict", "left", [escape(_verdict(row)) for row in rows]),
        ("departs", "left", [_departs(row, letters) for row in rows]),
        ("cost", "left", [escape(row["expected"] or "—") for row in rows]),
        ("runs", "left", [escape(_runs(row["records"])) for row in rows]),
    ]
    metrics = ", ".join(dict.fromkeys(row["metric"] for row in rows if row["metric"]))
    return "\n\n".join(
        filter(
            None,
            [
                f"## {escape(paper['paper'])}, {escape(paper['place'])}",
                (
                    f"Table `{paper['name']}`. "
                    + (f"Metric: {escape(metrics)}. " if metrics else "")
                    + (
                        f"Read: {escape(paper['read'])}."
                        if paper["read"]
                        else "The table was not read, so no figure of it is printed."
                    )
                ),
                grid(columns),
                _over(rows),
                _departures(letters),
                _keys(rows),
            ],
        )
    )


def _letter(place: int) -> str:
    return (_letter(place // 26 - 1) if place >= 26 else "") + _LETTERS[place % 26]


def _method(row: Row) -> str:
    return escape(
        f"{row['method']} above {row['below']}" if row["kind"] == "ordering" else row["method"]
    )


def _cell(row: Row) -> str:
    if not row["cell"]:
        return NOWHERE
    below = row.get("below_cell", row["cell"])
    return str(row["cell"]) if below == row["cell"] else f"{row['cell']}, {below}"


def _published(row: Row, digits: int) -> str:
    if row["kind"] == "ordering":
        return f"by at least {row['by']:.{digits}f}" if row["by"] else "above"
    if row["published"] is None:
        return "not read"
    figure = f"{row['published']:.{digits}f}"
    if row["published"] and not float(figure):  # a p value, say
        figure = f"{row['published']:.2e}"
    if row["sd"] is not None:
        return f"{figure} ± {row['sd']:.{digits}f}"
    return f"{figure}, no sd: counts 0" if row["cell"] else figure


def _digits(rows: Iterable[Row]) -> int:
    """Return the most decimals that a published figure of the table has, from 1 to 6."""
    figures = [
        figure for row in rows for name in ("published", "sd", "by") if (figure := row.get(name))
    ]
    shown = [f"{figure:.6f}".rstrip("0").partition(".")[2] for figure in figures]
    return max([1, *map(len, shown)])


def _ours(row: Row, digits: int) -> str:
    if row["mean"] is None:
        return "—"
    mean, low, high = (number(row[name], digits) for name in ("mean", "low", "high"))
    return mean if row["low"] is None else f"{mean} [{low}, {high}]"


def _verdict(row: Row) -> str:
    reason = row["why"] or row["problem"].partition(". ")[0]
    why = f": {reason}" if reason else ""
    stale = (
        f" (stale: seed{'s' * (len(row['stale']) > 1)} {', '.join(map(str, row['stale']))})"
        if row["stale"]
        else ""
    )
    return _state(row) + why + stale


def _departs(row: Row, letters: Mapping[tuple[str, bool], str]) -> str:
    return ", ".join(letters[part["what"], part["breaks"]] for part in row["departs"]) or "—"


def _runs(records: Sequence[Row]) -> str:
    """Return of how many seeds, on which device and of which commits records are."""
    if not records:
        return "—"
    seeds = len({record["seed"] for record in records})
    devices = ", ".join(sorted({record["device"] for record in records}))
    commits = ", ".join(dict.fromkeys(map(_commit, records)))
    return f"{counted(seeds, 'seed')}, {devices}, {commits}"


def _commit(record: Row) -> str:
    name = record["commit"][:_COMMIT] or "no commit"
    return f"{name} with changes" if record["dirty"] else name


def _over(rows: Iterable[Row]) -> str:
    """Say what the published deviations are over."""
    known = dict.fromkeys(
        row["over"] for row in rows if row["kind"] == "figure" and row["sd"] is not None
    )
    said = [over for over in known if over not in ("", "unknown")]
    if len(said) < len(known):
        said.append("what is not said" if not said else "or what is not said")
    return f"± of published figures: over {escape(', '.join(said))}." if said else ""


def _departures(letters: Mapping[tuple[str, bool], str]) -> str:
    lines = [
        f"- {letter}: {escape(what)}{' (breaks the comparison)' * breaks}"
        for (what, breaks), letter in letters.items()
    ]
    return "\n".join(["Departures from the paper's protocol:", "", *lines]) if lines else ""


def _keys(rows: Iterable[Row]) -> str:
    """List the key of every record that speaks."""
    records = {record["id"]: record for row in rows for record in row["records"]}
    lines = [
        f"- {escape(record['method'])}, seed {record['seed']}, {record['device']}: "
        f"`{record['key']}`"
        for record in records.values()
    ]
    return "\n".join(["Keys of the records:", "", *lines]) if lines else ""
