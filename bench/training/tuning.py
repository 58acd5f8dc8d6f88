"""Finding what can be tuned, measuring it, and writing the tables: what ``bench tune`` does."""

from __future__ import annotations

import importlib
import math
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import torch

import bench
from bench.errors import BenchError, EnvironmentFault
from bench.files import put
from bench.plugins.registry import Registry
from bench.plugins.source import Target, import_module, reach
from bench.training import state
from bench.training.tuned import TUNABLES, Shape, Tunable

_ASKS = "bench.training.tuned"
_MARGIN = 0.97
"""The first candidate stands unless another takes less than this share of
its time: noise must not change a choice.
"""
_SHORTEST = 0.02
"""Seconds that one reading of the clock should span at least."""


class Measured(msgspec.Struct, frozen=True):
    """What came of one shape: seconds of a step by candidate (None: it could not be run), the
    choice, and why those that failed did.
    """

    name: str
    shape: Shape
    seconds: dict[str, float | None]
    chosen: str
    failed: dict[str, str] = {}

    def said(self, candidate: str) -> str:
        """Return what came of a candidate, like ``1.5 ms``, ``no memory`` or ``fails``."""
        seconds = self.seconds[candidate]
        return (
            f"{1e3 * seconds:.3g} ms"
            if seconds is not None
            else "fails"
            if candidate in self.failed
            else "no memory"
        )


def discover(registry: Registry) -> list[str]:
    """Import every module of bench, of the rooms and of the plugins that asks the tuned tables, so
    that it registers what it has.

    Returns:
        A sentence for each module that could not be imported.
    """
    broken = []
    for target in _targets(registry):
        try:
            import_module(target)
        except Exception as error:  # a stranger's import may raise anything
            broken.append(f"{target.module} can't be imported: {type(error).__name__}: {error}")
    return broken


def _targets(registry: Registry) -> Iterator[Target]:
    scan, home = registry.index.scan, Path(bench.__file__).parent
    seen = {"bench.training.tuning"}
    for path in sorted(
        path for part in ("tracks", "training") for path in (home / part).rglob("*.py")
    ):
        parts = path.relative_to(home.parent).with_suffix("").parts
        if _ASKS in scan(path, ".".join(parts[:-1])).reaches and ".".join(parts) not in seen:
            seen.add(".".join(parts))
            yield Target(".".join(parts), "", str(path))
    for kind in ("method", "task", "dataset"):
        for entry in registry.rows(kind):
            for module, found in reach(entry.target, scan).items():
                if _ASKS in found.reaches and module not in seen:
                    seen.add(module)
                    yield Target(module, "", "", entry.target.root)


def measure(
    tunable: Tunable, device: torch.device, rounds: int, shapes: list[Shape] | None = None
) -> Iterator[Measured]:
    """Time the candidates of each shape in turns and yield the medians:
    processor time on a CPU, the clock on a GPU.
    """
    torch.manual_seed(0)
    candidates = tunable.candidates_on(device.type)
    for shape in tunable.shapes.get(device.type, ()) if shapes is None else shapes:
        failed: dict[str, str] = {}
        steps = {
            candidate: _ready(tunable, candidate, device, shape, failed) for candidate in candidates
        }
        times: dict[str, list[float]] = {
            candidate: [] for candidate, ready in steps.items() if ready is not None
        }
        for _ in range(rounds):
            for candidate, readings in times.items():
                ready = steps[candidate]
                assert ready is not None
                readings.append(_time(*ready, device))
        seconds = {
            candidate: statistics.median(times[candidate]) if candidate in times else None
            for candidate in candidates
        }
        yield Measured(tunable.name, shape, seconds, _chosen(tunable.name, seconds, failed), failed)


def chosen(seconds: dict[str, float | None]) -> str:
    """Return the quickest candidate; the first one unless another is quicker by more than what may
    be noise.

    Raises:
        EnvironmentFault: none could be run.
    """
    known = {candidate: value for candidate, value in seconds.items() if value is not None}
    if not known:
        raise EnvironmentFault(
            f"none of {', '.join(seconds)} fits into this device's memory; measure on a larger "
            "one, or leave it out with --only."
        )
    first, quickest = next(iter(seconds)), min(known, key=lambda candidate: known[candidate])
    return first if first in known and known[quickest] >= _MARGIN * known[first] else quickest


def _chosen(name: str, seconds: dict[str, float | None], failed: dict[str, str]) -> str:
    if len(failed) == len(seconds):
        raise BenchError(
            f"no candidate of {name!r} runs on this device; the first says: "
            f"{next(iter(failed.values()))}"
        )
    return chosen(seconds)


def _ready(
    tunable: Tunable, candidate: str, device: torch.device, shape: Shape, failed: dict[str, str]
) -> tuple[Callable[[], Any], int] | None:
    """Return a warm step and how often it is called between two readings; None where memory does
    not suffice, or it fails otherwise (``failed`` says how).
    """
    try:
        step = tunable.prepare(candidate, device, **shape)
        step()
        took = _time(step, 1, device)
    except (MemoryError, torch.OutOfMemoryError):
        return None
    except RuntimeError as error:  # an operation that this device, or torch on it, does not have
        failed[candidate] = (
            f"{type(error).__name__}: "
            f"{str(error).splitlines()[0] if str(error) else 'without a word'}"
        )
        return None
    return step, max(1, math.ceil(_SHORTEST / max(took, 1e-9)))


def _time(step: Callable[[], Any], calls: int, device: torch.device) -> float:
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    state.synchronize(device)
    start = clock()
    for _ in range(calls):
        step()
    state.synchronize(device)
    return (clock() - start) / calls


def write(table: ModuleType, kind: str, found: list[Measured], machine: str) -> Path:
    """Put what was measured on one kind of device into a table's file, in place of what stood there
    for the same names; the rest stays.

    Raises:
        EnvironmentFault: the file can't be written.
    """
    path = Path(str(table.__file__))
    text = path.read_text("utf-8")
    notes = _notes(text)
    rows: dict[str, dict[str, list[tuple[Shape, str]]]] = {
        name: dict(kinds) for name, kinds in table.TABLE.items()
    }
    for name in dict.fromkeys(item.name for item in found):
        rows.setdefault(name, {})[kind] = [
            (item.shape, item.chosen) for item in found if item.name == name
        ]
    for item in found:
        times = ", ".join(f"{candidate} {item.said(candidate)}" for candidate in item.seconds)
        notes[item.name, kind, _row(item.shape, item.chosen)] = (
            f"{times}; {machine}, torch {torch.__version__}, {datetime.now(UTC):%Y-%m-%d}"
        )
    lines = [
        text[: text.index("TABLE")]
        + "TABLE: dict[str, dict[str, list[tuple[dict[str, int], str]]]] = {"
    ]
    for name, kinds in sorted(rows.items()):
        lines.append(f'    "{name}": {{')
        for known, pairs in sorted(kinds.items()):
            lines.append(f'        "{known}": [')
            lines += [
                f"            {_row(*pair)}"
                + (f"  # {notes[key]}" if (key := (name, known, _row(*pair))) in notes else "")
                for pair in pairs
            ]
            lines.append("        ],")
        lines.append("    },")
    try:
        put(path, ("\n".join([*lines, "}"]) + "\n").encode())
    except OSError as error:
        raise EnvironmentFault(
            f"the table {str(path)!r} can't be written ({error.strerror}); tune from a checkout "
            "that you may write."
        ) from None
    importlib.invalidate_caches()
    vars(table)["TABLE"] = rows
    return path


def _notes(text: str) -> dict[tuple[str, str, str], str]:
    """Return what a table's file says of each row: name, kind of device
    and row -> the comment after it.
    """
    found, name, kind = {}, "", ""
    for line in text.splitlines():
        row, _, note = line.partition("  #")
        indent, _, rest = line.partition('"')
        if indent == 4 * " ":
            name = rest.partition('"')[0]
        elif indent == 8 * " ":
            kind = rest.partition('"')[0]
        if note:
            found[name, kind, row.strip()] = note.strip()
    return found


def _row(shape: Shape, candidate: str) -> str:
    inner = ", ".join(f'"{axis}": {size}' for axis, size in shape.items())
    return f'({{{inner}}}, "{candidate}"),'


__all__ = ["TUNABLES", "Measured", "chosen", "discover", "measure", "write"]
