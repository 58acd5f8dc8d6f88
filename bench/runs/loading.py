"""Loading datasets: what was loaded is told by its fingerprint, held against the card, and
remembered with what it depended on.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.cards import DatasetCard
from bench.contracts import Dataset
from bench.errors import BenchError, InvalidRun
from bench.plugins.source import Target
from bench.runs import guard
from bench.runs.context import Setup
from bench.runs.data_calls import pinned
from bench.runs.data_index import DataIndex, Known, Want
from bench.runs.import_reads import imported
from bench.runs.inputs import ROOTS, data_root
from bench.runs.read_observer import ReadObserver, aside, noted

UNSEEN = (
    "no file could be seen that it reads; say which by run.reads, or had='generated' on its "
    "card where it reads none"
)


def kind_of(target: Target, name: str) -> type[Dataset]:
    """Import the class of a dataset.

    Raises:
        BenchError: it is none.
    """
    found = imported(target)
    if not issubclass(found, Dataset):
        raise BenchError(
            f"{name!r} is registered as a dataset, but {found.__qualname__} is no Dataset."
        )
    return found


def load(want: Want, run: Setup, index: DataIndex, read: Sequence[str] = ()) -> tuple[Any, str]:
    """Load a dataset, and return it with its fingerprint.

    What is known of it is held against what is loaded; where nothing is known, what it depends on
    is noticed and kept. ``read``: files that were read when it was imported.

    Raises:
        DataUnavailable: it is not on this machine.
    """
    from bench.training import state

    data = kind_of(want.target, want.name).make(want.params)
    with aside():
        known = index.get(want) if index.state(want).fingerprint else None
    if known is not None:
        noted(known.inputs)
        found = data.load(run)
        fingerprint = guard.fingerprint(found)
        # it changed this moment, or depends on what can't be seen
        if fingerprint != known.fingerprint:
            index.drop(want)
        return found, fingerprint
    before = state.position()
    with ReadObserver(homes(want.target)) as observer:
        for path in read:
            observer.asked(path)
        found = data.load(run)
    fingerprint = guard.fingerprint(found)
    inputs = observer.inputs(empty="" if want.had == "generated" else UNSEEN)
    with aside():
        inputs = msgspec.structs.replace(
            inputs, variables={name: os.environ.get(name) for name in ROOTS} | inputs.variables
        )
        index.put(
            want,
            Known(
                fingerprint=fingerprint,
                inputs=inputs,
                drawn=run._drawn() or state.position() != before,
            ),
        )
    return found, fingerprint


def check_pin(card: DatasetCard, want: Want, fingerprint: str) -> None:
    """Raise InvalidRun where a card pins another fingerprint for these parameters."""
    wanted = pinned(card.fingerprint, want.params)
    if wanted and wanted != fingerprint:
        raise InvalidRun(
            f"the dataset {want.call!r} has the fingerprint {fingerprint}, its card says "
            f"{wanted}; the data or its reader changed."
        )


def homes(target: Target) -> tuple[str, ...]:
    """Return the folders in which a dataset's files may lie: its
    plugin's, and that of local data.
    """
    return target.root or str(Path(target.path).parent), str(data_root())
