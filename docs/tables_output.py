"""A part of the docs that is generated from committed records: what a command prints."""

from __future__ import annotations

import functools

from tables_cards import registry
from tables_records import records

SEEDS = 3
"""The first seeds, as the command on the page asks for them."""
WIDTH = 100
"""Columns of the terminal."""


@functools.cache
def output(task: str, variant: str, *methods: str) -> str:
    """Return what ``bench run`` prints of methods on a variant, of the first three seeds, but for
    what it says of the machine.
    """
    from bench.cli._board import board_text
    from bench.cli._layout import markdown

    found = [
        record
        for record in records()
        if (record.task, record.variant, record.preset) == (task, variant, "default")
        and record.method in methods
        and record.seed < SEEDS
        and not record.custom
    ]
    text = markdown(board_text(registry(), found, {}, "md"), WIDTH).strip()
    said = [part for part in text.split("\n\n") if not part.startswith("All runs are of one class")]
    return "\n```text\n" + "\n\n".join(said) + "\n```\n\n"
