"""From a record back to its cell, and what has changed since it was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bench.cards import TaskCard
from bench.digests import digest
from bench.errors import BenchError
from bench.instructions import VARIABLE
from bench.plugins.registry import Registry, task_card
from bench.runs import provenance
from bench.runs.data_calls import FILE
from bench.runs.kernels import differences
from bench.runs.keys import Keyed
from bench.runs.plan import Cell
from bench.runs.record import Record
from bench.runs.spec import RunSpec


def spec_of(record: Record) -> RunSpec:
    """Return the spec that a record is the result of."""
    return RunSpec(**{name: getattr(record, name) for name in RunSpec.__struct_fields__})


def cell_of(record: Record, registry: Registry) -> Cell | None:
    """Return the cell of a record with the plugins that are here now; None where one is missing."""
    try:
        task = registry.get("task", record.identity)
        reference = next(
            (item for item in task_card(task).references if item.name == record.method), None
        )
        solve = reference.solve if reference else ""
        method = None if solve else registry.get("method", f"{record.track}/{record.method}")
    except BenchError:
        return None
    preset = task_card(task).presets.get(record.preset)
    return Cell(
        spec=spec_of(record),
        method=method,
        task=task,
        reference=record.reference,
        solve=solve,
        peeks=record.peeks,
        custom=record.custom,
        timeout=preset.timeout if preset else 600.0,
    )


def with_seed(cell: Cell, seed: int) -> Cell:
    """Return the cell of another seed."""
    return (
        cell
        if cell.spec.seed == seed
        else msgspec.structs.replace(cell, spec=msgspec.structs.replace(cell.spec, seed=seed))
    )


def changes(record: Record, now: Keyed, data: Sequence[str] = ()) -> list[str]:
    """Say in words what of a record's key is different now; empty when the key is the same.

    Args:
        record: as it was written.
        now: its cell with the key of today's code and environment on the data of the record.
        data: what changed in the data, in words (see
            :meth:`bench.runs.data_status.DataStatus.what_changed`).
    """
    said = list(data)
    if record.key == now.key:
        return said
    if record.data is None and record.status == "ok":
        said.append(
            "which data it loaded is not known: the version of bench that wrote it did not note it"
        )
    then, environment = record.provenance, now.ingredients["environment"]
    if record.cell != now.cell.spec.cell:
        said.append("the record's cell is not the digest of its own fields: it was edited by hand")
    for name in sorted({*then.get("versions", {}), *environment["versions"]}):
        before, after = (
            then.get("versions", {}).get(name, "absent"),
            environment["versions"].get(name, "absent"),
        )
        if before != after:
            said.append(f"{name} was {before}, is {after}")
    for name, title in (("threads", "threads"), ("gpu", "GPU")):
        if then.get(name) != environment.get(name):
            said.append(f"{title} was {then.get(name)}, is {environment.get(name)}")
    if then.get("cpu_class") != environment["cpu"]:
        said.append(
            f"processor class was {then.get('cpu_class')}, is {environment['cpu']}{_hint(then)}"
        )
    said += differences(then.get("kernels"), environment["kernels"])
    files: dict[str, str] = then.get("files", {})
    for module in sorted({*files, *now.ingredients["files"]}):
        before, after = files.get(module), now.ingredients["files"].get(module)
        if before != after:
            said.append(
                f"the code of {module} "
                f"{'changed' if before and after else 'is new' if after else 'is gone'}"
            )
    return said or [
        "the harness changed in a way that can change numbers (its protocol number rose)"
    ]


def _hint(then: Mapping[str, Any]) -> str:
    """Say how a processor of today computes with the kernels of a record, where it can."""
    own = str(provenance.cpu()["own"])
    narrower = own.endswith("-avx512") and then.get("cpu_class") == own.replace("avx512", "avx2")
    return f" (set {VARIABLE}=avx2 to compute with its kernels)" if narrower else ""


def data_differs(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Say in words how the data of two runs of a cell differ."""
    said = []
    for call in sorted({*then, *now}):
        what = (
            f"the file {call.removeprefix(FILE)}"
            if call.startswith(FILE)
            else f"the data of {call}"
        )
        if then.get(call) != now.get(call):
            change = "changed" if call in then else "is read now"
            said.append(f"{what} {change if call in now else 'is not read any more'}")
    return said


def differing(
    first: Record, second: Record, card: TaskCard | None
) -> dict[str, tuple[float | None, float | None]]:
    """Return the metrics that are not bit-equal in two records of a cell,
    without those read off a clock: name -> both values.
    """
    clocks = card.clocks if card else ()
    names = [name for name in {**first.metrics, **second.metrics} if name not in clocks]
    pairs = {name: (first.metrics.get(name), second.metrics.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if digest(pair[0]) != digest(pair[1])}
