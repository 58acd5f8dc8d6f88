"""A part of the docs that is generated from data: what ``bench describe`` says of the datasets that
it can read.

The values stand in docs/described.json, so that the page is made without the data.
``python docs/tables_described.py [NAME...]`` measures the named datasets anew, or all; what is not
on the machine keeps its values.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tables_cards import ROOT, registry

FILE = ROOT / "docs" / "described.json"
COLUMNS = {
    "rows": "rows",
    "shape": "of shape",
    "classes": "classes",
    "duplicates": "duplicates",
    "class_balance": "class balance",
    "intrinsic_dim": "intrinsic dimension",
    "label_sharpness": "label sharpness",
    "neighbour_agreement": "neighbour agreement (%)",
    "missing": "missing (%)",
}
"""Key of a descriptor -> head of its column."""


def described(which: str) -> str:
    """Return the descriptors of all datasets as a Markdown table."""
    lines = [f"| dataset | {' | '.join(COLUMNS.values())} |", "| --- |" + " --- |" * len(COLUMNS)]
    for name, found in known().items():
        cells = " | ".join(_cell(key, found) for key in COLUMNS)
        lines.append(f"| `{name}` | {cells} |")
    return "\n" + "\n".join(lines) + "\n\n"


def known() -> dict[str, Any]:
    """Return what was measured: name -> descriptors, with the fingerprint of the data."""
    return dict(json.loads(FILE.read_text(encoding="utf-8"))) if FILE.is_file() else {}


def measured(name: str) -> dict[str, Any]:
    """Load a dataset with its defaults and return its descriptors, to four digits.

    Raises:
        BenchError: it is not on this machine, or holds no rows of numbers.
    """
    from bench.cli._described import described as descriptors
    from bench.cli._described import loaded
    from bench.runs.guard import fingerprint

    with tempfile.TemporaryDirectory() as folder:
        data, _ = loaded(registry().get("dataset", name), {}, Path(folder))
        found = descriptors(name, data)
        print_of = fingerprint(data)
    kept = {key: found[key] for key in (*COLUMNS, "equal_rows_differ")}
    short = {key: float(f"{v:.4g}") if isinstance(v, float) else v for key, v in kept.items()}
    return {**short, "fingerprint": print_of}


def _cell(key: str, found: dict[str, Any]) -> str:
    value = found[key]
    if key == "label_sharpness" and found["equal_rows_differ"]:
        return "infinite"
    if value is None:
        return "—"
    if key == "shape":
        return "x".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def main() -> None:
    """Measure datasets and write what was found."""
    from bench.errors import BenchError

    found = known()
    for name in sys.argv[1:] or sorted(row.name for row in registry().rows("dataset")):
        try:
            found[name] = measured(name)
        except BenchError as error:
            print(f"{name}: {str(error).partition(': ')[0]}", file=sys.stderr)
    text = ",\n".join(f" {json.dumps(name)}: {json.dumps(found[name])}" for name in sorted(found))
    FILE.write_text(f"{{\n{text}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
