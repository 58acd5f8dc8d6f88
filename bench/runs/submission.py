"""What stands against records that somebody hands in: each is held against its own digests, the
cards and code that are here, and the rules of a ranked row.
"""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.cards import TaskCard
from bench.errors import BenchError, UsageError, near
from bench.params import render_call, resolve
from bench.plugins.registry import Registry, task_card
from bench.runs.figures import disagreements, outside
from bench.runs.record import Record, RecordError, decode_record
from bench.runs.replay import spec_of
from bench.runs.transfer import content, documents_of
from bench.runs.variants import resolved

RULES = {
    "record": "it is a record, whole and readable",
    "digest": "its cell is the digest of its own fields",
    "id": "no other record in the files has its id",
    "name": "its task, method, preset and variant are known here",
    "parameters": "its parameters are those that the preset, variant and defaults give",
    "metrics": "its metrics are on the task's card, the primary one among them, and within bounds",
    "gates": "it passes the gates of its task",
    "status": "it ended as ok",
    "key": "its key is what the code, the libraries and the data that are here give",
    "number": "records of one key have the same figures",
    "commit": "it was computed from a clean commit",
    "seeds": "its row has every seed that the preset asks for",
}
"""Rule -> what it asks of a record, in words."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What stands against a record."""

    rule: str
    """One of :data:`RULES`."""
    where: str
    """File and line."""
    record: str = ""
    """Its id; empty where it can't be read."""
    said: str
    """What is wrong and what to do, in one sentence."""


class Examined(msgspec.Struct):
    """What was looked at, and what stands against it."""

    records: int
    rows: int
    """How many rows of a board the records are."""
    faults: list[Fault]


Placed = tuple[str, Record]
"""Where a record stands, and the record."""


def examine(
    files: Iterable[Path], registry: Registry, stale: Callable[[Sequence[Record]], set[str]]
) -> Examined:
    """Look at every record of the files.

    Args:
        files: exports, or single records.
        registry: the tasks and methods that are here.
        stale: returns the ids of those records whose key is not the one of today.

    Raises:
        UsageError: a file is missing or of another format. RecordError: it is no Parquet file of
            records.
    """
    faults: list[Fault] = []
    placed = list(_read(files, faults))
    for where, record in placed:
        faults += _of_record(where, record, registry)
    faults += _between(placed, registry)
    sound = {fault.record for fault in faults if fault.rule in ("digest", "name", "id")}
    known = [(where, record) for where, record in placed if record.id not in sound]
    old = stale([record for _, record in known if record.status == "ok"])
    faults += [
        _fault(
            "key",
            where,
            record,
            "was computed by other code, libraries or data than are here; run it again from the "
            "newest version",
        )
        for where, record in known
        if record.id in old
    ]
    order = list(RULES)
    faults.sort(key=lambda fault: order.index(fault.rule))
    return Examined(len(placed), len({record.group for _, record in placed}), faults)


def _read(files: Iterable[Path], faults: list[Fault]) -> Iterator[Placed]:
    """Yield what can be read; ``faults`` gets the rest, and ids that come twice."""
    seen: dict[str, tuple[str, bytes]] = {}
    for file in files:
        for where, data in documents_of(file):
            try:
                record = decode_record(data)
            except RecordError as error:
                said = f"{where} is no record: {error}; export it again from the folder it lies in."
                faults.append(Fault(rule="record", where=where, said=said))
                continue
            before = seen.setdefault(record.id, (where, content(record)))
            if before[0] == where:
                yield where, record
            elif before[1] != content(record):
                said = f"has the id of the record in {before[0]} and differs; leave one of them out"
                faults.append(_fault("id", where, record, said))


def _fault(rule: str, where: str, record: Record, said: str) -> Fault:
    name = f"{record.method} on {record.task} {record.variant}, seed {record.seed}"
    return Fault(rule=rule, where=where, record=record.id, said=f"{where}: {name}: {said}.")


def _of_record(where: str, record: Record, registry: Registry) -> Iterator[Fault]:
    fault = functools.partial(_fault, where=where, record=record)
    if spec_of(record).cell != record.cell:
        yield fault(
            "digest",
            said="its cell is not the digest of its own fields: somebody changed it; take it "
            "from the folder where it was recorded",
        )
        return
    try:
        task = registry.get("task", record.identity)
    except UsageError as error:
        yield fault("name", said=str(error).rstrip("."))
        return
    card = task_card(task)
    yield from (fault("name", said=said) for said in _names(record, card, registry))
    if said := _parameters(record, card, registry):
        yield fault("parameters", said=said)
    if record.status != "ok":
        reason = record.error.message if record.error else ""
        yield fault(
            "status",
            said=f"it ended as {record.status} ({reason[:200].rstrip('.')}); "
            "fix the method and run it again, or export with --status ok",
        )
        return
    yield from (fault("metrics", said=said) for said in _metrics(record, card))
    if failed := [] if record.reference else [name for name, ok in record.gates.items() if not ok]:
        yield fault(
            "gates",
            said=f"it fails {' and '.join(failed)}, so the board gives it the floor of its task; "
            "fix the method, or leave the row out",
        )
    if (record.provenance.get("bench_git") or {}).get("dirty"):
        yield fault(
            "commit",
            said="it was computed with changes that are in no commit; commit them and run it again",
        )


def _names(record: Record, card: TaskCard, registry: Registry) -> Iterator[str]:
    """Say of method, preset and variant what is not known here."""
    if record.method not in {reference.name for reference in card.references}:
        try:
            registry.get("method", f"{record.track}/{record.method}")
        except UsageError as error:
            yield str(error).rstrip(".")
    preset = card.presets.get(record.preset)
    if preset is None:
        yield (
            f"{record.task} has no preset {record.preset!r}.{near(record.preset, card.presets)} "
            f"Its presets: {', '.join(card.presets)}"
        )
    elif record.variant not in preset.variants and not record.custom:
        yield (
            f"the preset {record.preset} has no variant {record.variant!r}."
            f"{near(record.variant, preset.variants)} Its variants: {', '.join(preset.variants)}"
        )


def _parameters(record: Record, card: TaskCard, registry: Registry) -> str:
    """Say which parameters are not those of a ranked row; empty where all are."""
    if record.custom or record.tuning is not None:
        return (
            f"{render_call(record.method, record.params)} ran with parameters or a variant of its "
            "own, which is never ranked; run it with the defaults, or leave it out"
        )
    preset = card.presets.get(record.preset)
    if preset is None or record.variant not in preset.variants:
        return ""
    task = registry.get("task", record.identity)
    wanted = [(record.task, record.task_params, resolved(task, preset, record.variant, {}))]
    with contextlib.suppress(BenchError):  # a reference of the task, or unknown: said elsewhere
        method = registry.get("method", f"{record.track}/{record.method}")
        wanted.append((record.method, record.params, resolve(record.method, method.params, {})))
    for name, found, values in wanted:
        right = msgspec.json.decode(msgspec.json.encode(values))
        if found != right:
            return (
                f"{render_call(name, _beside(found, right))} is not what a ranked row has, "
                f"{render_call(name, _beside(right, found))}; run it again with the defaults of "
                "this version"
            )
    return ""


def _beside(some: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs from others."""
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in some.items()
        if name not in others or others[name] != value
    }


def _metrics(record: Record, card: TaskCard) -> Iterator[str]:
    known = {metric.name: metric for metric in card.metrics}
    for name, value in record.metrics.items():
        if name not in known:
            yield f"{record.task} has no metric {name!r}; its metrics: {', '.join(known)}"
        elif value is not None and (wrong := outside(known[name], value)):
            yield f"{name} = {value:g}, {wrong}; fix the task or its card, then run it again"
    if record.metrics.get(card.primary.name) is None:
        yield f"it has no {card.primary.name}, which the board ranks; run it again"


def _between(placed: Sequence[Placed], registry: Registry) -> Iterator[Fault]:
    """Say what stands against records beside each other: figures of one key, seeds of one row."""
    places = {record.id: where for where, record in placed}
    cards = registry.cards()
    for one, other, name in disagreements((record for _, record in placed), cards):
        yield _fault(
            "number",
            places[other.id],
            other,
            f"{name} = {other.metrics.get(name)}, and {one.metrics.get(name)} in "
            f"{places[one.id]} under the same key; 'bench reproduce' tells which one holds",
        )
    seeds: dict[str, set[int]] = {}
    rows: dict[str, Placed] = {}
    for where, record in placed:
        rows.setdefault(record.group, (where, record))
        seeds.setdefault(record.group, set()).add(record.seed)
    for group, (where, record) in rows.items():
        card = cards.get(record.identity)
        preset = card.presets.get(record.preset) if card else None
        if preset and (missing := sorted({*range(preset.seeds)} - seeds[group])):
            yield _fault(
                "seeds",
                where,
                record,
                f"its row has no seed {', '.join(map(str, missing))} of the {preset.seeds} that "
                f"the preset {record.preset} asks for; run them",
            )


def counted(faults: Iterable[Fault]) -> dict[str, int]:
    """Return how many faults there are by rule, in the order of :data:`RULES`."""
    found = Counter(fault.rule for fault in faults)
    return {rule: found[rule] for rule in RULES if found[rule]}
