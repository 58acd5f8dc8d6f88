"""``bench tune``."""

from __future__ import annotations

import fnmatch
from typing import Any

import click

from bench.cli._options import (
    emit_json,
    json_option,
    open_registry,
    plugins_option,
    split_names,
    table,
    warn,
)
from bench.errors import NothingSelected, UsageError, near


@click.command("tune")
@click.option(
    "--only",
    multiple=True,
    metavar="NAME",
    help="Only these choices: names, comma lists, globs. Repeatable.",
)
@click.option(
    "--device",
    default="auto",
    show_default=True,
    help="auto (the GPU if there is one), cpu or cuda.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1, 10_000),
    default=9,
    show_default=True,
    help="How often each candidate is timed, in turns.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print what would be measured and what the tables say now; measure and write nothing.",
)
@plugins_option
@json_option
def command(
    only: tuple[str, ...],
    device: str,
    rounds: int,
    dry_run: bool,
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Measure which of several equivalent implementations is fastest on this kind of device, and
    write the tables.

    A table is a Python file beside the module that uses it, and part of the key. If a choice
    changes, results of code that imports the table, on this kind of device, become stale.
    """
    from bench.executors import memory
    from bench.runs.provenance import THREADS, choose_device, cpu, gpu

    kind = choose_device(device)
    import torch

    from bench.training import state, tuning

    state.pin(kind, THREADS)
    for sentence in tuning.discover(open_registry(plugins)):
        warn(sentence)
    names = _selected(split_names(only), kind)
    machine = (gpu() or {}).get("name", "a GPU") if kind == "cuda" else cpu()["model"]
    measured, written = [], []
    for name in names:
        tunable = tuning.TUNABLES[name]
        before = {
            _text(shape): best for shape, best in tunable.table.TABLE.get(name, {}).get(kind, ())
        }
        if dry_run:
            seconds: dict[str, float | None] = dict.fromkeys(tunable.candidates_on(kind))
            found = [
                tuning.Measured(name, shape, seconds, before.get(_text(shape), ""))
                for shape in tunable.shapes.get(kind, ())
            ]
        else:
            with memory.kept():
                found = list(tuning.measure(tunable, torch.device(kind), rounds))
            for item in found:
                for candidate, why in item.failed.items():
                    warn(f"{name}: {candidate} can't be run at {_text(item.shape)}: {why}")
            written.append(str(tuning.write(tunable.table, kind, found, machine)))
        measured += [(item, before.get(_text(item.shape))) for item in found]
    if as_json:
        emit_json(
            {
                "schema_version": 1,
                "device": kind,
                "machine": machine,
                "measured": not dry_run,
                "written": sorted(set(written)),
                "choices": [_row(*one) for one in measured],
            }
        )
    else:
        click.echo(
            table(
                [_cells(*one, dry_run) for one in measured],
                ["choice", "shape", "candidates", "table says" if dry_run else "chosen"],
            )
        )
        for path in sorted(set(written)):
            warn(f"wrote {path}")


def _selected(only: tuple[str, ...], kind: str) -> list[str]:
    from bench.training.tuned import TUNABLES

    for pattern in only:
        if not fnmatch.filter(TUNABLES, pattern):
            raise UsageError(
                f"unknown choice {pattern!r} (from --only).{near(pattern, TUNABLES)} Run 'bench "
                "tune --dry-run' for all."
            )
    names = sorted(
        name
        for name, tunable in TUNABLES.items()
        if len(tunable.candidates.get(kind, ())) > 1
        and tunable.shapes.get(kind)
        and (not only or any(fnmatch.fnmatchcase(name, pattern) for pattern in only))
    )
    if not names:
        raise NothingSelected(
            f"on {kind} there is nothing to choose{' among those named' if only else ''}: every "
            "choice has one candidate there."
        )
    return names


def _row(found: Any, before: str | None) -> dict[str, Any]:
    return {
        "name": found.name,
        "shape": found.shape,
        "seconds": found.seconds,
        "failed": found.failed,
        "chosen": found.chosen or None,
        "before": before,
    }


def _text(shape: dict[str, int]) -> str:
    return ", ".join(f"{axis} {size}" for axis, size in shape.items())


def _cells(found: Any, before: str | None, dry_run: bool) -> list[str]:
    times = ", ".join(name if dry_run else f"{name} {found.said(name)}" for name in found.seconds)
    said = found.chosen or "nothing yet"
    return [
        found.name,
        _text(found.shape),
        times,
        said if dry_run or before in (None, found.chosen) else f"{said} (was {before})",
    ]
