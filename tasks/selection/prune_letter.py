"""Pruning the table letter."""

from __future__ import annotations

from typing import ClassVar

from bench import TaskCard

from ._metrics import REFERENCES
from ._table import BUDGET, LETTER, PRESETS, TablePruning


class PruneLetter(TablePruning):
    """4,000 printed letters to choose among, 1,000 to judge by."""

    card: ClassVar = TaskCard(
        name="prune-letter",
        title="The table letter: which rows to keep",
        track="selection",
        datasets=("letter",),
        inputs="table",
        metrics=LETTER,
        presets=PRESETS,
        budget=BUDGET,
        references=REFERENCES,
        tuning={"holdout": 0.2},
        paper="arXiv:2107.07075",
    )
    source: ClassVar = "letter"
