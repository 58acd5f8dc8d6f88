"""What can be said of a data set: that it loads, twice the same, as its card pins it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.cards import DatasetCard
from bench.conformance.content import fault
from bench.conformance.report import Finding
from bench.contracts import Dataset
from bench.errors import DataUnavailable
from bench.plugins.index import Entry
from bench.plugins.registry import Registry
from bench.plugins.source import import_target
from bench.runs.guard import fingerprint


def loaded_twice(registry: Registry, entry: Entry, folder: Path) -> Finding:
    """Load a data set twice, without a cache, compare the fingerprints with each other and with the card's, and look at its content."""
    import torch

    from bench.runs.context import Setup

    kind = import_target(entry.target)
    assert issubclass(kind, Dataset)

    loaded: list[Any] = []

    def load() -> Any:
        run = Setup(seed=0, task=f"check {entry.name}", method="", device=torch.device("cpu"), workdir=folder / "data")
        loaded[:] = [kind.make({}).load(run)]
        return fingerprint(loaded[0])

    try:
        first, second = load(), load()
    except DataUnavailable as error:
        return Finding(rule="loads", subject="", outcome="skipped", said=str(error))
    except Exception as error:
        return Finding(rule="loads", subject="", outcome="failed", said=f"{type(error).__name__}: {error}")
    card = entry.card
    assert isinstance(card, DatasetCard)
    if first != second:
        return Finding(rule="loads", subject="", outcome="failed", said="two loads differ; draw from run's streams, with a seed of the data set's own")
    if card.fingerprint and card.fingerprint != first:
        return Finding(rule="loads", subject="", outcome="failed", said=f"its fingerprint is {first}, its card says {card.fingerprint}")
    if said := fault(loaded[0]):
        return Finding(rule="rows", subject="", outcome="failed", said=said)
    return Finding(rule="loads", subject="", outcome="passed")
