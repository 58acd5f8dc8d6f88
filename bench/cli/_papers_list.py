"""The list of tables of published figures: what is recorded and missing, what it would cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.cli._options import emit_json, say, table, warn

if TYPE_CHECKING:
    from bench.cli._papers import Papers, Part


def print_list(papers: Papers, as_json: bool) -> None:
    """Print what there is of every table."""
    data = papers.data()
    rows = [_listed(papers, paper, data) for paper in papers.papers]
    if as_json:
        emit_json({"schema_version": 1, "papers": rows})
        return
    say(
        table(
            [
                [
                    row["name"],
                    f"{row['paper']}, {row['place']}" if row["paper"] else "can't be read",
                    row["rows"],
                    row["in_product"],
                    row["recorded"],
                    row["missing"],
                    _data_said(row),
                    row["expected"] or "—",
                ]
                for row in rows
            ],
            [
                "table",
                "published in",
                "rows",
                "can run",
                "recorded",
                "missing",
                "data",
                "cost of the missing",
            ],
        )
    )
    for reason in dict.fromkeys([*data.values(), *(row["unavailable"] for row in rows)]):
        if reason:
            warn(f"{reason.rstrip('.')}.")


def _listed(papers: Papers, paper: dict[str, Any], data: dict[str, str]) -> dict[str, Any]:
    """Return what there is of a table as plain data; counts of runs are of seeds."""
    from bench.plugins.registry import task_card

    parts = papers.parts_of(paper)
    sets = sorted(
        {
            name
            for part in parts
            for cell in part.cells[:1]
            for name in task_card(cell.task).datasets
        }
    )
    return {
        "name": paper["name"],
        "paper": paper["paper"],
        "place": paper["place"],
        "read": paper["read"],
        "rows": len(paper["rows"]),
        "in_product": sum(bool(row["cell"]) for row in paper["rows"]),
        "recorded": sum(part.recorded for part in parts),
        "missing": sum(len(part.missing) for part in parts),
        "data": {name: not data[name] for name in sets},
        "expected": _expected(paper, parts),
        "unavailable": next((part.unavailable for part in parts if part.unavailable), ""),
        "problem": paper["problem"] or next((part.problem for part in parts if part.problem), ""),
    }


def _data_said(row: dict[str, Any]) -> str:
    if row["problem"]:
        return "not known"
    if row["unavailable"]:
        return "can't run here"
    absent = [name for name, had in row["data"].items() if not had]
    return f"no: {', '.join(absent)}" if absent else "yes" if row["data"] else "—"


def _expected(paper: dict[str, Any], parts: list[Part]) -> str:
    """Say what the runs that are missing would cost: by records, else in the table's words."""
    from bench.runs.select import spoken

    missing = [part for part in parts if part.missing]
    known = [part.seconds * len(part.missing) for part in missing if part.seconds is not None]
    said = [spoken(sum(known))] if known else []
    if len(known) < len(missing):
        words = dict.fromkeys(
            filter(None, [paper["cost"], *(row["cost"] for row in paper["rows"] if row["cell"])])
        )
        said += list(words) or ["not known"]
    return "; ".join(said)
