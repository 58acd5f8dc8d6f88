"""Compare what the twenty costliest cells of the board take in two checkouts, in turns on one machine.

``python tests/speed/costly_cells.py --before FOLDER --after FOLDER`` runs each cell by ``bench run``
with the interpreter of each checkout, from an empty results folder and a cache that a first run of
the same task has filled, and adds up the processor seconds of all its processes: the command, the
fork server, references, the pass that counts operations, and the runs.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import msgspec
import tabulate

CELLS = (
    ("policy-optimization", "d1s", "clock-arithmetic", "gflop150"),
    ("unlearning-privacy", "laf", "unlearn-random", "ten"),
    ("condensation", "dc", "condense-digits", "ipc5"),
    ("condensation", "ncfm", "condense-digits", "ipc3"),
    ("unlearning-privacy", "bad-teacher", "unlearn-worst", "worst"),
    ("policy-optimization", "pods", "clock-arithmetic", "gflop150"),
    ("policy-optimization", "gspo-d3s", "clock-arithmetic", "gflop150"),
    ("policy-optimization", "gspo-d2s", "clock-arithmetic", "gflop150"),
    ("condensation", "ncfm", "condense-digits", "ipc1"),
    ("noisy-labels", "late-stopping", "noisy-mnist", "clean"),
    ("selection", "el2n", "prune-mnist", "noise10"),
    ("policy-optimization", "d2s", "clock-arithmetic", "gflop150"),
    ("selection", "el2n", "prune-mnist", "clean"),
    ("policy-optimization", "random", "clock-arithmetic", "gflop150"),
    ("policy-optimization", "d3s", "clock-arithmetic", "gflop150"),
    ("policy-optimization", "dapo-filter", "clock-arithmetic", "gflop150"),
    ("unlearning-privacy", "bad-teacher", "unlearn-worst", "easy"),
    ("condensation", "dsa", "condense-digits", "ipc5"),
    ("selection", "grand", "prune-mnist", "clean"),
    ("policy-optimization", "d1s-cross", "clock-arithmetic", "gflop150"),
)
"""Track, method, task and variant: the twenty cells of the preset ``default`` whose five records of
the suite 2026.4 took the most processor seconds before their loops were made quicker.
"""


class Row(msgspec.Struct, frozen=True):
    """Processor seconds of a cell, before and after."""

    cell: str
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """What it takes after, as a share of before."""
        return self.after / self.before


def spent(command: list[str], folder: Path, cache: Path) -> float:
    """Return the processor seconds of a command with all its children.

    Raises:
        click.ClickException: it failed.
    """
    start = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "BENCH_CACHE": str(cache)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    end = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise click.ClickException(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
    return end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime


class Side:
    """A checkout with a cache of its own."""

    def __init__(self, checkout: Path, folder: Path, seeds: str) -> None:
        self._bench = [str(checkout / ".venv" / "bin" / "python"), "-m", "bench", "run"]
        self._seeds = seeds
        self._folder = folder
        self._runs = 0
        folder.mkdir()

    def run(self, track: str, method: str, task: str, variant: str) -> float:
        """Run a cell that has no record yet; return its processor seconds."""
        self._runs += 1
        results = self._folder / f"results{self._runs}"
        words = ["--track", track, "--method", method, "--task", task, "--variant", variant]
        more = ["--preset", "default", "--seeds", self._seeds, "--results", str(results)]
        return spent([*self._bench, *words, *more], self._folder, self._folder / "cache")


@click.command()
@click.option("--before", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--after", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--seeds", default="0-1", show_default=True, help="As bench run takes them.")
@click.option("--warm/--cold", default=True, help="Fill the cache by a run of a baseline first.")
@click.option("--only", multiple=True, help="A method or task; repeatable.")
@click.option("--json", "as_json", is_flag=True)
def main(
    before: Path, after: Path, seeds: str, warm: bool, only: tuple[str, ...], as_json: bool
) -> None:
    """Print the table and the ratio of the sums."""
    cells = [cell for cell in CELLS if not only or cell[1] in only or cell[2] in only]
    rows = []
    with tempfile.TemporaryDirectory(prefix="costly-") as folder:
        sides = [
            Side(before.absolute(), Path(folder) / "before", seeds),
            Side(after.absolute(), Path(folder) / "after", seeds),
        ]
        warmed = set()
        for track, method, task, variant in cells:
            if warm and (task, variant) not in warmed:
                warmed.add((task, variant))
                for side in sides:
                    side.run(track, BASELINES[track], task, variant)
            pair = [side.run(track, method, task, variant) for side in sides]
            rows.append(Row(f"{method} on {task}, {variant}", *pair))
            click.echo(f"{rows[-1].cell}: {pair[0]:.1f} s, {pair[1]:.1f} s", err=True)
    total = Row("all", sum(row.before for row in rows), sum(row.after for row in rows))
    if as_json:
        click.echo(json.dumps([msgspec.to_builtins(row) for row in [*rows, total]]))
        return
    table = [(row.cell, row.before, row.after, row.ratio) for row in [*rows, total]]
    click.echo(tabulate.tabulate(table, ["cell", "before", "after", "ratio"], floatfmt=".2f"))


BASELINES = {
    "policy-optimization": "grpo",
    "unlearning-privacy": "original",
    "condensation": "random",
    "noisy-labels": "ce",
    "selection": "random",
}
"""By track, a quick method whose run makes what all share: data, references, trained nets."""


if __name__ == "__main__":
    sys.exit(main())
