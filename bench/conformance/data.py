"""What can be said of a dataset: that it loads, twice the same, as its card pins it."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from bench.conformance.content import fault
from bench.conformance.report import Finding
from bench.contracts import Dataset
from bench.errors import BenchError, DataUnavailable
from bench.params import Schema
from bench.plugins.entries import Entry
from bench.plugins.registry import dataset_card
from bench.plugins.source import import_target
from bench.runs.data_calls import params_of, params_text, parse_call, pinned
from bench.runs.guard import fingerprint

_MOST = 8
"""Sets of parameters that are loaded besides those that the card pins."""


def loaded_twice(entry: Entry, folder: Path) -> Iterator[Finding]:
    """Load a dataset twice without a cache, with its defaults, with each word that a parameter
    takes, and with what its card pins.

    The fingerprints are held against each other and against the card's; what there is to pin is
    said.
    """
    kind, card = import_target(entry.target), dataset_card(entry)
    assert issubclass(kind, Dataset)
    found: dict[str, str] = {}
    for params in _parameters(kind.schema(), card.fingerprint):
        text = params_text(params)
        yield from _loaded(kind, params, folder, found)
        if (wanted := pinned(card.fingerprint, params)) and found.get(text, wanted) != wanted:
            yield Finding(
                rule="loads",
                subject=text,
                outcome="failed",
                said=f"its fingerprint is {found[text]}, its card says {wanted}",
            )
    if found:
        whole = found[""] if list(found) == [""] else found
        yield Finding(
            rule="loads",
            subject="",
            outcome="passed",
            said=f"to pin what was loaded, write fingerprint={_written(whole)} on its card",
        )


def _loaded(
    kind: type[Dataset], params: dict[str, Any], folder: Path, found: dict[str, str]
) -> Iterator[Finding]:
    import torch

    from bench.runs.context import Setup

    loaded: list[Any] = []

    def load() -> str:
        run = Setup(
            seed=0,
            task=f"check {kind.name_of()}",
            method="",
            device=torch.device("cpu"),
            workdir=folder / "data",
        )
        loaded[:] = [kind.make(params).load(run)]
        return fingerprint(loaded[0])

    subject = params_text(params)
    try:
        first, second = load(), load()
    except DataUnavailable as error:
        yield Finding(rule="loads", subject=subject, outcome="skipped", said=str(error))
    except Exception as error:
        yield Finding(
            rule="loads", subject=subject, outcome="failed", said=f"{type(error).__name__}: {error}"
        )
    else:
        if first != second:
            yield Finding(
                rule="loads",
                subject=subject,
                outcome="failed",
                said="two loads differ; draw from run's streams, with a seed of the dataset's own",
            )
            return
        yield Finding(rule="loads", subject=subject, outcome="passed")
        if said := fault(loaded[0]):
            yield Finding(rule="rows", subject=subject, outcome="failed", said=said)
        found[subject] = first


def _parameters(schema: Schema, pins: str | dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield the parameters to load with, each set once: none, the words
    that one parameter takes, and what is pinned.
    """
    seen: list[dict[str, Any]] = []
    if all(param.default is not msgspec.UNSET for param in schema.values()):
        seen.append({})
        words = [
            (name, word)
            for name, param in schema.items()
            if typing.get_origin(param.type) is typing.Literal
            for word in typing.get_args(param.type)
        ]
        seen += [{name: word} for name, word in words if word != schema[name].default][:_MOST]
    for text in pins if isinstance(pins, dict) else ():
        try:
            params = params_of("", schema, parse_call(f"({text})")[1]) if text else {}
        except BenchError as error:
            raise BenchError(
                f"the card pins {text!r}, which the dataset does not take: {error}"
            ) from None
        if params not in seen:
            seen.append(params)
    yield from seen


def _written(pins: str | dict[str, str]) -> str:
    if isinstance(pins, str):
        return f'"{pins}"'
    return "{" + ", ".join(f'"{name}": "{text}"' for name, text in pins.items()) + "}"
