"""What the page says of where its figures come from: failures, anchors, provenance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bench.runs.kernels import in_words
from bench.runs.record import Record
from bench.runs.spec import RunSpec

from ._text import one_line, test_set_text

Row = Mapping[str, Any]


FAILURES, HEAD = 40, 400
"""Most failures that a track shows, and most characters of a reason."""


def failures(records: Sequence[Record]) -> list[dict[str, str]]:
    """Return the runs that failed with the first words of the reason and
    the command that runs them again.
    """
    ordered = sorted(
        records,
        key=lambda record: (record.task, record.variant, record.method, record.seed, record.id),
    )
    return [
        {
            "run": f"{record.method} on {record.task} {record.variant}, seed {record.seed}",
            "status": record.status,
            "reason": _head(f"{record.error.type}: {record.error.message}" if record.error else ""),
            "rerun": _head(
                record.error.rerun if record.error and record.error.rerun else _command(record)
            ),
        }
        for record in ordered[:FAILURES]
    ]


def _command(record: Record) -> str:
    return RunSpec(**{name: getattr(record, name) for name in RunSpec.__struct_fields__}).command()


def _head(text: str) -> str:
    line = one_line(text[: HEAD + 1])
    return line if len(line) <= HEAD else f"{line[:HEAD]} …"


def anchors(board: Row) -> list[dict[str, str]]:
    """Return what scores 0 and 1 in every cell."""

    def side(anchor: Row) -> tuple[str, str]:
        if anchor["value"] is None:
            return anchor["name"], "not run yet"
        error = f" ± {anchor['sd'] / anchor['n'] ** 0.5:.2g} s.e." if anchor["n"] else ""
        return anchor["name"] or anchor["why"], f"{anchor['value']:.4g}{error}"

    found = []
    for cell in (cell for track in board["tracks"] for cell in track["cells"]):
        low, high = side(cell["low"]), side(cell["high"])
        state = ", ".join(
            [
                f"{cell['state']}: {cell['thin'] or cell['saturated']}"
                if cell["thin"] or cell["saturated"]
                else cell["state"],
                "frozen" if cell["frozen"] else "not frozen",
                *(["drifted"] if cell["drift"] else []),
                *filter(None, [test_set_text(cell["test_set"])]),
            ]
        )
        found.append(
            {
                "cell": cell["cell"],
                "metric": cell["primary"],
                "low": low[0],
                "low_value": low[1],
                "high": high[0],
                "high_value": high[1],
                "state": state,
            }
        )
    return found


def provenance(
    board: Row, records: Sequence[Record], made_with: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return by what the records were computed, the most frequent first, and the page made."""

    def counted(values: Sequence[str]) -> str:
        found = sorted(
            Counter(value for value in values if value).items(),
            key=lambda item: (-item[1], item[0]),
        )
        return "; ".join(f"{value} ({count})" for value, count in found[:8]) + (
            f"; and {len(found) - 8} more" if len(found) > 8 else ""
        )

    sources = [record.provenance for record in records]
    versions = [
        f"{name} {version}"
        for source in sources
        for name, version in sorted(source.get("versions", {}).items())
    ]
    rows = [
        ("Records", f"{len(records)} in {len(board['tables'])} tables"),
        ("Runner", counted([str(source.get("runner", "")) for source in sources])),
        ("Processor", counted([str(source.get("cpu", "")) for source in sources])),
        ("Class", counted([str(source.get("cpu_class", "")) for source in sources])),
        (
            "Kernels",
            counted([in_words(source["kernels"]) for source in sources if "kernels" in source]),
        ),
        ("System", counted([str(source.get("system", "")) for source in sources])),
        ("Python", counted([str(source.get("python", "")) for source in sources])),
        ("Libraries", counted(versions)),
        (
            "Commits",
            counted(
                [str((source.get("bench_git") or {}).get("commit", ""))[:12] for source in sources]
            ),
        ),
        ("Page made with", ", ".join(f"{name} {version}" for name, version in made_with.items())),
        ("Notes", " ".join(board["notes"])),
    ]
    return [row for row in rows if row[1]]
