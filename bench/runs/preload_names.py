"""What a fork server imports for the cells that are about to run."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bench.plugins.registry import Registry, method_card, task_card
from bench.runs.keys import Keyed


def preload_names(todo: Sequence[Keyed], registry: Registry) -> list[str]:
    """Return what the fork server imports before it forks: torch, what
    every run uses, and the cards' libraries.
    """
    names = [
        "torch",
        "bench.runs.run_job",
        "bench.training.preload",
        "bench.training.state",
        "bench.checks.scores",
        "PIL.PngImagePlugin",
        "safetensors.torch",
        "safetensors.numpy",
    ]
    data = {name for keyed in todo for name in task_card(keyed.cell.task).datasets}
    cards = [
        card
        for keyed in todo
        for card in (
            task_card(keyed.cell.task),
            *([method_card(keyed.cell.method)] if keyed.cell.method else []),
        )
    ]
    # a dataset's are needed once, to build its cache
    names += sorted({name for card in cards for name in card.libraries})
    entries = [
        entry
        for keyed in todo
        for entry in (keyed.cell.method, keyed.cell.task)
        if entry is not None
    ]
    entries += [registry.get("dataset", name) for name in sorted(data)]
    local = sorted({entry.target.module for entry in entries if entry.source == "builtin"})
    return [*names, *local] if sys.platform != "win32" else names
