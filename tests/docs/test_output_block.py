"""What the front page shows as the output of a command is what the committed records give."""

from __future__ import annotations

import importlib
import json
import re
import sys
from pathlib import Path
from statistics import fmean

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "docs"))
tables = importlib.import_module("tables_output")


def test_the_output_holds_the_means_of_the_first_three_seeds():
    text = tables.output("noisy-digits", "sym40", "ce", "elr")
    file = ROOT / "docs" / "records" / "noisy-labels.noisy-digits.jsonl"
    records = [json.loads(line) for line in file.read_text().splitlines()]
    for method in ("ce", "elr"):
        reached = [
            record["metrics"]["acc_last"]
            for record in records
            if (record["method"], record["variant"], record["preset"])
            == (method, "sym40", "default")
            and record["seed"] < 3
            and not record["custom"]
        ]
        assert len(reached) == 3
        (line,) = [line for line in text.splitlines() if re.match(rf"\W*{method}\b.*\[", line)]
        assert f" {fmean(reached):.2f} " in line
    assert "runs of the suite" not in text  # what a board of the whole track lacks is no news
    assert max(map(len, text.splitlines())) <= 100
