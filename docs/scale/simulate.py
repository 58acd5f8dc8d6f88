"""How busy N places are kept by the driver's own order of jobs, with the run times of
docs/records/: writes the picture and the table of docs/scale.md.

The jobs are those that the driver would make (:func:`bench.runs.plan.batches`), in the order it
would send them (:func:`bench.runs.schedule.longest_first`) by what it would expect of them
(:class:`bench.runs.schedule.Expected`). What is simulated is only the clock: a job goes to the
place that is free first, as every executor does, and takes as long as its runs took when they were
recorded.
"""

from __future__ import annotations

import heapq
import random
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.runs.batches import batches
from bench.runs.plan import Cell
from bench.runs.record import Record
from bench.runs.schedule import Expected, longest_first, seconds_of
from bench.runs.spec import RunSpec
from bench.runs.transfer import records_of

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 10
PLACES = 64
DRIVER = 0.005
"""Seconds that the driver spends on a job, one after the other: measured, see docs/scale.md."""
BLOCK = re.compile(r"(?<=<!-- simulated -->\n).*?(?=<!-- end simulated -->)", re.DOTALL)


class Work(NamedTuple):
    """The full matrix: its jobs' cells, what the driver expects of a cell,
    and what a cell takes.
    """

    jobs: list[list[Cell]]
    expected: Expected
    seconds: dict[str, float]


def full_matrix(places: int = PLACES, seeds: int = SEEDS) -> Work:
    """Return every recorded cell of the default presets with so many
    seeds; seed s takes as long as the s-th recorded one, in turns.
    """
    records = [
        record
        for file in sorted((ROOT / "docs" / "records").glob("*.jsonl"))
        for _, record in records_of(file)
    ]
    groups: dict[str, list[Record]] = {}
    for record in records:
        if record.preset == "default":
            groups.setdefault(record.group, []).append(record)
    cells, seconds = [], {}
    for members in groups.values():
        known = sorted(members, key=lambda record: record.seed)
        for seed in range(seeds):
            like = known[seed % len(known)]
            spec = RunSpec(
                **{
                    **{name: getattr(like, name) for name in RunSpec.__struct_fields__},
                    "seed": seed,
                }
            )
            cells.append(Cell(spec=spec, method=None, task=None, timeout=60.0))  # type: ignore[arg-type]
            seconds[spec.cell] = seconds_of(like)
    return Work(batches(cells, places), Expected(records), seconds)


def orders(work: Work) -> dict[str, list[float]]:
    """Return the jobs' seconds in the driver's order, and in a random one."""
    first = longest_first(work.jobs, work.expected.priority)
    shuffled = list(first)
    random.Random(0).shuffle(shuffled)  # noqa: S311
    return {
        name: [sum(work.seconds[cell.spec.cell] for cell in job) for job in jobs]
        for name, jobs in (("longest first", first), ("random order", shuffled))
    }


class Run(NamedTuple):
    """A job's time on the clock."""

    start: float
    end: float


def simulate(jobs: Sequence[float], places: int, driver: float = 0.0) -> list[Run]:
    """Return when every job runs, where each goes to the place that is
    free first and the driver takes some seconds to send it.
    """
    free, ready, found = [0.0] * places, 0.0, []
    for seconds in jobs:
        ready = max(ready, heapq.heappop(free)) + driver
        heapq.heappush(free, ready + seconds)
        found.append(Run(ready, ready + seconds))
    return found


def utilisation(runs: Iterable[Run], places: int) -> float:
    """Return the part of the places' time, until the last job ends, in which they run."""
    runs = list(runs)
    return sum(run.end - run.start for run in runs) / (places * max(run.end for run in runs))


# The page --------------------------------------------------------------------------


def picture(found: dict[str, list[Run]]) -> str:
    """Return the number of busy places over time as an SVG."""
    wide, high, left, top = 640, 260, 48, 16
    end = max(run.end for runs in found.values() for run in runs)
    colours, dashes = (
        {"longest first": "#0b62a4", "random order": "#c4571b"},
        {"longest first": "none", "random order": "5 3"},
    )

    def at(time: float, busy: int) -> str:
        return f"{left + time / end * wide:.0f} {top + (1 - busy / PLACES) * high:.1f}"

    lines = []
    for name, runs in found.items():
        events = sorted([(run.start, 1) for run in runs] + [(run.end, -1) for run in runs])
        path, busy = [f"M {at(0, 0)}"], 0
        for time, change in events:
            before, busy = busy, busy + change
            if before != busy:
                path.append(f"L {at(time, before)} L {at(time, busy)}")
        path = _thinned(path)
        lines.append(
            f'<path d="{" ".join(path)}" fill="none" stroke="{colours[name]}" stroke-width="1.6" '
            f'stroke-dasharray="{dashes[name]}"/>'
        )
    ticks = [
        (
            f'<text x="{left - 6}" y="{top + (1 - part / PLACES) * high + 4:.0f}" '
            f'text-anchor="end">{part}</text>'
        )
        for part in (0, 16, 32, 48, 64)
    ]
    step = 50 if end > 120 else 20
    ticks += [
        (
            f'<text x="{left + time / end * wide:.0f}" y="{top + high + 18}" '
            f'text-anchor="middle">{time} s</text>'
        )
        for time in range(0, int(end) + 1, step)
    ]
    legend = [
        (
            f'<text x="{left + 16}" y="{top + high - 34 + 18 * row}" '
            f'fill="{colours[name]}">{name}: '
            f"{100 * utilisation(runs, PLACES):.0f} % busy, {max(run.end for run in runs):.0f} "
            "s</text>"
        )
        for row, (name, runs) in enumerate(found.items())
    ]
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + wide + 24} '
                f'{top + high + 28}" font-family="sans-serif" font-size="13" role="img">'
            ),
            (
                f"<title>Busy places out of {PLACES} over time, longest first and in random "
                "order</title>"
            ),
            f'<rect width="{left + wide + 24}" height="{top + high + 28}" fill="#ffffff"/>',
            (
                f'<path d="M {left} {top} V {top + high} H {left + wide}" fill="none" '
                'stroke="#888888"/>'
            ),
            *ticks,
            *lines,
            *legend,
            "</svg>",
            "",
        ]
    )


def _thinned(path: list[str]) -> list[str]:
    """Drop steps that begin where the last one that is kept did, on the picture's grid."""
    kept: list[str] = []
    for step in path:
        if kept and kept[-1].split()[1] == step.split()[1]:
            kept[-1] = f"{' '.join(kept[-1].split()[:3])} L {' '.join(step.split()[-2:])}"
        else:
            kept.append(step)
    return kept


def table() -> str:
    """Return what the driver can keep busy, as Markdown."""
    rows = [
        (
            "| places | jobs | run time | longest first | random order | longest first, with the "
            "driver's time | what ends the night |"
        ),
        "| ---: | ---: | ---: | ---: | ---: | ---: | --- |",
    ]
    for places in (10, PLACES, 100, 1000):
        work = full_matrix(places)
        found = orders(work)
        driven = simulate(found["longest first"], places, DRIVER)
        parts = [
            f"{100 * utilisation(simulate(jobs, places), places):.1f} %" for jobs in found.values()
        ]
        end, longest = max(run.end for run in driven), max(found["longest first"])
        work_s = sum(found["longest first"])
        last = (
            "the work"
            if end < 1.1 * work_s / places
            else "the longest job"
            if end < longest + 0.5 * DRIVER * len(work.jobs)
            else "the driver"
        )
        rows.append(
            f"| {places:,} | {len(work.jobs):,} | {work_s / 60:.0f} min | {' | '.join(parts)} | "
            f"{100 * utilisation(driven, places):.1f} % | {last} |"
        )
    return "\n".join(rows) + "\n"


def main() -> None:
    """Write the picture and the table."""
    found = {name: simulate(jobs, PLACES) for name, jobs in orders(full_matrix()).items()}
    (Path(__file__).parent / "utilisation.svg").write_text(picture(found))
    page = ROOT / "docs" / "scale.md"
    page.write_text(BLOCK.sub(lambda _: table(), page.read_text()))


if __name__ == "__main__":
    main()
