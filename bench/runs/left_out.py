"""Why a task and a method that a command selects are left out of its plan."""

from __future__ import annotations

from bench.cards import Preset
from bench.plugins.entries import Entry
from bench.plugins.registry import Registry, dataset_card, method_card, task_card
from bench.runs.provenance import missing


def unnamed(preset: Preset, method: str) -> bool:
    """Say whether a preset names its methods, and not this one."""
    return bool(preset.methods) and method not in preset.methods


def only_named(task: str, name: str, preset: Preset) -> str:
    """Say which methods a preset names, and how others run."""
    return (
        f"{task} runs only {', '.join(preset.methods)} in its preset {name}; name other methods "
        "with --method, or all with --method '*'."
    )


def unavailable(registry: Registry, task: Entry, method: Entry | None) -> str:
    """Say which dataset or library is missing here; empty: none."""
    card = task_card(task)
    for name in card.datasets:
        if name not in {entry.name for entry in registry.rows("dataset")}:
            return f"{task.name} uses the dataset {name!r}, which no plugin registers"
        if absent := missing(dataset_card(registry.get("dataset", name)).libraries):
            return (
                f"the dataset {name!r} needs the library {absent[0]!r}, which is not "
                f"installed; run 'pip install {absent[0]}'"
            )
    libraries = [*card.libraries, *(method_card(method).libraries if method else ())]
    if absent := missing(libraries):
        return f"the library {absent[0]!r} is not installed; run 'pip install {absent[0]}'"
    return ""
