"""What verbs that run cells share: the options that say where and within which limits runs run, and
the bar that shows how far they are.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli._grouped import Failures
from bench.cli._notebook import line, notebook_progress
from bench.cli._options import Command, warn
from bench.cli._progress import Bar
from bench.errors import UsageError
from bench.texts import shell_word

if TYPE_CHECKING:
    from bench.executors import Executor
    from bench.runs.driver import Driver
    from bench.runs.keys import Keyed
    from bench.runs.record import Record


def _seconds(_: click.Context, option: click.Parameter, text: str | None) -> float | None:
    """Read a number of seconds above 0.

    Python reads ``nan`` and ``inf`` as numbers too, and neither is a limit.
    """
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise UsageError(
            f"{option.opts[0]} got {text!r}; give a number of seconds above 0, like 90 or 0.5."
        )
    return seconds


_OPTIONS = (
    click.option(
        "--jobs",
        type=click.IntRange(1, 4096),
        help="Runs at a time.  [default: one for each core, or as many as fit on the GPUs]",
    ),
    click.option(
        "--timeout",
        metavar="SECONDS",
        callback=_seconds,
        help="Wall-clock limit of one run in seconds.  [default: the preset's]",
    ),
    click.option(
        "--cpu-time",
        metavar="SECONDS",
        callback=_seconds,
        help="Limit of processor time of one run in seconds.  [default: none]",
    ),
    click.option(
        "--memory",
        metavar="SIZE",
        help="Limit of one run's memory, like 4GiB, or none.  [default: an even share of the "
        "machine's]",
    ),
    click.option(
        "--per-gpu",
        type=click.IntRange(1, 64),
        default=1,
        show_default=True,
        help="Runs at a time on one GPU.",
    ),
    click.option(
        "--gpu-memory",
        metavar="SIZE",
        help="Limit of one run's GPU memory.  [default: an even share of the GPU's]",
    ),
    click.option(
        "--flops/--no-flops",
        default=None,
        help="Count the operations of one seed of each row, in a second pass.  [default: "
        "unless BENCH_FLOPS is 0]",
    ),
    click.option(
        "--executor",
        default="local",
        show_default=True,
        metavar="NAME",
        help="local; inline (in this process, for a debugger); ray[...] or slurm[...], see "
        "docs/scale.md.",
    ),
)


def running_options(command: Command) -> Command:
    """Add the options that say where, how many at a time and within which limits runs run."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def run_cells(
    driver: Driver, todo: list[Keyed], engine: Executor, jobs: int, quiet: bool, cached: int
) -> list[Record]:
    """Run cells under a bar and return their records; say at once what of
    each that is not ``ok``.

    Raises:
        KeyboardInterrupt: the command was interrupted; it says what was cut off.
    """
    failures = Failures(warn)
    try:
        return list(_records(driver, todo, engine, jobs, quiet, cached, failures))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(failures.cut_off()) from None
    finally:
        failures.end()


def _records(
    driver: Driver,
    todo: list[Keyed],
    engine: Executor,
    jobs: int,
    quiet: bool,
    cached: int,
    failures: Failures,
) -> Iterator[Record]:
    from bench.runs.rerun import whole

    said = len(driver.notes)
    with _progress(len(todo), cached, quiet) as (notice, advance):
        for keyed, record in driver.run(todo, engine, jobs, notice):
            if record is None or record.status != "interrupted":
                advance(keyed)
            for note in driver.notes[said:]:
                warn(note)
            said = len(driver.notes)
            if record is None:
                continue
            if record.error is not None:
                root, encoding = driver.store.root, sys.stderr.encoding or "utf-8"
                command = whole(keyed.cell, driver.registry, driver.again, root, encoding)
                failures.note(
                    record, keyed.cell.spec.label(), command, _show(record.id, root, encoding)
                )
            yield record


def _show(record: str, results: Path, encoding: str) -> str:
    """Return the command that shows a record, to paste into a shell."""
    words = ["bench", "show", record]
    if results.resolve() != Path("results").resolve():
        words += ["--results", str(results.resolve())]
    return " ".join(shell_word(word, encoding) for word in words)


@contextmanager
def _progress(
    total: int, cached: int, quiet: bool
) -> Iterator[tuple[Callable[[str, float], None], Callable[[Keyed], None]]]:
    """Show a bar with the time left: in a notebook a line of its own, else
    on stderr, where that is a terminal.
    """
    if not quiet and (show := line()) is not None:
        with notebook_progress(show, total, cached) as functions:
            yield functions
        return
    if quiet or not sys.stderr.isatty():
        yield (lambda *_: None), (lambda *_: None)
        return
    with Bar(total, cached) as bar:
        yield bar.notice, bar.advance
