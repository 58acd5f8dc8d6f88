"""``bench describe``."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import click

from bench.cli._layout import wide_option
from bench.cli._options import (
    completer,
    emit_json,
    json_option,
    open_registry,
    plugins_option,
    say,
    table,
    warn,
)
from bench.errors import BenchWarning, UsageError
from bench.texts import text_of

_HELP = """Say what a dataset looks like before anything is trained on it.

DATASET is a name, with parameters in brackets: 'csv[file=flowers.csv,label=species]'. With
--plugins it may be one of your own.

\b
bench describe digits
bench describe my-table --plugins my_table.py --json
"""


@click.command("describe", help=_HELP)
@click.argument("dataset", shell_complete=completer("dataset"))
@wide_option
@plugins_option
@json_option
def command(dataset: str, plugins: tuple[str, ...], as_json: bool) -> None:
    """Load a dataset and describe its rows and labels."""
    from bench.cli._described import described, loaded
    from bench.params_text import split_call
    from bench.runs.cache import ready_cache

    if not dataset.strip():
        raise UsageError("DATASET is empty; 'bench list datasets' names all.")
    registry = open_registry(plugins)
    for item in registry.broken:
        warn(f"the plugin {item.name} ({item.source}) is broken and left out: {item.error}")
    name, texts = split_call(dataset)
    entry = registry.get("dataset", name)
    if said := ready_cache():
        warn(said)
    with (
        tempfile.TemporaryDirectory(prefix="bench-describe-") as folder,
        warnings.catch_warnings(record=True) as warned,
    ):
        warnings.simplefilter("always", BenchWarning)
        data, params = loaded(entry, texts, Path(folder))
        found = described(name, data)
    for text in dict.fromkeys(text_of(item.message) for item in warned):
        warn(text)
    if as_json:
        emit_json({"schema_version": 1, "dataset": name, "params": params, **found})
    else:
        say(table(_lines(found), ["descriptor", "value", "what it is"]))


def _lines(found: dict[str, Any]) -> list[list[Any]]:
    """Return the rows of the table for readers."""
    counts = (found["class_rows"] or {}).values()
    sizes = f", of {_range(min(counts), max(counts))} rows" if counts else ""
    sharp = "infinite" if found["equal_rows_differ"] else _figure(found["label_sharpness"])
    return [
        ["rows", f"{found['rows']:,}", f"each of shape {tuple(found['shape'])}"],
        ["classes", _figure(found["classes"]), f"different labels{sizes}"],
        ["duplicates", f"{found['duplicates']:,}", "rows that are equal to an earlier one"],
        [
            "class balance",
            _figure(found["class_balance"]),
            "entropy of the classes over that of equal ones, 0 to 1",
        ],
        [
            "intrinsic dimension",
            _figure(found["intrinsic_dim"]),
            "maximum likelihood, from the 20 nearest rows",
        ],
        ["label sharpness", sharp, "largest 1 / distance of rows with different labels"],
        [
            "neighbour agreement",
            _figure(found["neighbour_agreement"], " %"),
            "rows whose nearest row has the same label",
        ],
        ["missing", _figure(found["missing"], " %"), "values that are missing"],
    ]


def _range(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _figure(value: float | None, unit: str = "") -> str:
    return "-" if value is None else f"{value:.4g}{unit}"
