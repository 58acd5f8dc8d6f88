"""The record of a run, made of its cell, its key and its result."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from bench.plugins.installed import version_of
from bench.plugins.registry import method_card
from bench.runs.keys import Keyed
from bench.runs.plan import Cell
from bench.runs.provenance import git_state, machine
from bench.runs.record import Failure, Record, without_folders
from bench.runs.rerun import is_local
from bench.runs.result import Result
from bench.runs.spec import RunSpec

_FROM_RESULT = (
    "data",
    "status",
    "metrics",
    "gates",
    "not_rankable",
    "cost",
    "counters",
    "flops",
    "curve",
    "logs",
    "warnings",
    "arrays",
    "images",
    "digests",
)


def record_of(
    keyed: Keyed,
    result: Result,
    log: str = "",
    where: dict[str, Any] | None = None,
    rerun: str = "",
) -> Record:
    """Make the record of a result; ``where`` describes the machine, None: this one; ``rerun`` is
    the command that shows an error again.
    """
    cell, spec = keyed.cell, keyed.cell.spec
    error = None
    if result.error is not None:
        said, frames, end = (
            result.error["message"],
            result.error.get("frames", []),
            without_folders(log)[-2000:],
        )
        error = Failure(
            type=result.error["type"], message=said, frames=frames, log=end, rerun=rerun
        )
    environment = {
        "cpu_class" if name == "cpu" else name: value
        for name, value in keyed.ingredients["environment"].items()
    }
    provenance = {
        **environment,
        **(machine() if where is None else where),
        "flags": result.flags,
        "files": keyed.ingredients["files"],
        "bench": _bench_version(),
    }
    provenance |= {"choices": result.choices} if result.choices else {}
    return Record(
        **{name: getattr(spec, name) for name in RunSpec.__struct_fields__},
        **{name: getattr(result, name) for name in _FROM_RESULT},
        cell=spec.cell,
        key=keyed.key,
        reference=cell.reference,
        peeks=cell.peeks,
        custom=cell.custom,
        needs=list(method_card(cell.method).needs) if cell.method else [],
        error=error,
        started=result.started,
        ended=result.ended,
        provenance=provenance,
    )


@functools.cache
def _bench_version() -> str:
    return version_of("datacentric-bench") or ""


def code_state(cell: Cell) -> dict[str, Any]:
    """Return the commits of bench and of the plugins of a cell, for its provenance."""
    found: dict[str, Any] = {"bench_git": git_state(str(Path(__file__).parent))}
    for role, entry in (("method", cell.method), ("task", cell.task)):
        if entry is not None and entry.source != "builtin":
            found[f"{role}_source"] = Path(entry.source).name if is_local(entry) else entry.source
            found[f"{role}_git"] = git_state(str(Path(entry.target.path).parent))
    return found


def parts_that_differ(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Return what of a machine's code and environment is not what a key was made for."""
    return [
        name
        for part in ("files", "environment")
        for name in found[part] | wanted[part]
        if found[part].get(name) != wanted[part].get(name)
    ]
