"""The table of descriptors says what ``bench describe`` says of the datasets as they are now."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

from bench.errors import BenchError

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "docs"))
tables = importlib.import_module("tables_described")
cards = importlib.import_module("tables_cards")
QUICK = ("breast-cancer", "clusters", "diabetes", "digits", "iris", "wine")
"""Datasets that every installation has and that take a moment; the others are looked at when asked
for: ``python -m pytest -m slow tests/docs/test_described_table.py``.
"""


def holds(name):
    """Measure a dataset and hold it against the file."""
    found, kept = tables.measured(name), tables.known()[name]
    assert found.keys() == kept.keys()
    for key, value in kept.items():
        # the estimates are sums of logarithms, whose last digits depend on the kernels
        assert found[key] == (pytest.approx(value, rel=2e-3) if type(value) is float else value)


@pytest.mark.parametrize("name", QUICK)
def test_the_values_of_a_dataset_are_those_that_it_has(name):
    holds(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(tables.known().keys() - {*QUICK}))
def test_the_values_of_a_dataset_that_takes_longer_are_those_that_it_has(name):
    try:
        holds(name)
    except BenchError as error:
        pytest.skip(str(error))


def test_the_values_are_of_the_data_that_a_card_pins():
    installed = {row.name: row.card.fingerprint for row in cards.registry().rows("dataset")}
    pins = {
        name: pin.get("", "") if isinstance(pin, dict) else pin for name, pin in installed.items()
    }
    known = tables.known()
    assert known.keys() <= pins.keys()
    pinned = [name for name in known if pins[name]]
    assert {"fashion-mnist", "letter", "shuttle"} <= {*pinned}
    for name in pinned:
        assert known[name]["fingerprint"] == pins[name], name


def test_a_row_of_the_table_holds_the_values_of_the_file(tmp_path, monkeypatch):
    file = tmp_path / "described.json"
    found = {
        "rows": 58000,
        "shape": [1, 28, 28],
        "classes": 7,
        "duplicates": 0,
        "class_balance": 0.34214,
        "intrinsic_dim": 1.186,
        "label_sharpness": 304.1,
        "neighbour_agreement": None,
        "missing": 0.0,
        "equal_rows_differ": False,
    }
    file.write_text(json.dumps({"a": found, "b": {**found, "equal_rows_differ": True}}))
    monkeypatch.setattr(tables, "FILE", file)
    lines = tables.described("all").strip().splitlines()
    assert lines[2] == "| `a` | 58,000 | 1x28x28 | 7 | 0 | 0.3421 | 1.186 | 304.1 | — | 0 |"
    assert lines[3].split(" | ")[7] == "infinite"
    assert len({line.count("|") for line in lines}) == 1
