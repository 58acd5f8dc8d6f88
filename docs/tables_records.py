"""Parts of the docs that are generated from committed records: boards, the papers' claims beside
what was measured, sweeps over a parameter, one device against another.
"""

from __future__ import annotations

import functools
import shutil
import sys
import tempfile
from collections.abc import Sequence
from typing import Any
from unittest import mock

from tables_cards import ROOT, registry
from tables_claimed import CLAIMED_ABOVE

RECORDS = ROOT / "docs" / "records"


@functools.cache
def records() -> Sequence[Any]:
    """Return every record of the board that is committed."""
    from bench.runs.store import Store

    return Store(RECORDS).read()


@functools.cache
def track_board(track: str) -> dict[str, Any]:
    """Return the board of a track, as plain data."""
    from bench.cli._board import make_board

    return make_board(registry(), records(), {"track": track})


@functools.cache
def claims(track: str) -> str:
    """Return what the papers of a track claim and whether it holds here,
    as a Markdown table: a row for each ordering.
    """
    said = {
        row.name: (row.card.paper, row.card.claim)
        for row in registry().rows("method")
        if getattr(row.card, "claim", "") and track in row.card.tracks
    }
    stands = against_plain(track)
    asked = {task for *_, tasks in CLAIMED_ABOVE.get(track, []) for task in tasks}
    cards = [row.card for row in registry().rows("task") if row.name in asked]
    percent = all(card.primary.unit == "%" for card in cards)
    form, unit = ("+.1f", "points") if percent else ("+.3f", "the metric, + is better")
    lines = [
        (
            f"| method | the paper's claim, in our words | above | here, in {unit} (95 % interval) "
            "| holds | the best plain baseline |"
        ),
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for method in sorted(said):
        paper, claim = said[method]
        for rival, rows in orderings(track).get(method, [("", [])]):
            figures = "; ".join(
                (
                    f"{row['task']} {row['variant']} {row['difference']:{form}} "
                    f"[{row['low']:{form}}, {row['high']:{form}}]"
                )
                for row in rows
            )
            lines.append(
                f"| `{method}` ({paper}) | {claim} | {f'`{rival}`' if rival else '-'} | "
                f"{figures or 'not measured'} | {verdict(rows)} | {stands.get(method, '-')} |"
            )
    return "\n" + "\n".join(lines) + "\n\n"


@functools.cache
def orderings(track: str) -> dict[str, list[tuple[str, list[dict[str, Any]]]]]:
    """Return what the papers of a track put above what, and what was measured: method -> each rival
    with the paired differences.
    """
    installed, held = registry(), records()
    found: dict[str, list[tuple[str, list[dict[str, Any]]]]] = {}
    for method, rival, tasks in CLAIMED_ABOVE.get(track, []):
        rows = _differences(installed, held, track, method, rival, tasks)
        found.setdefault(method, []).append((rival, rows))
    return found


@functools.cache
def against_plain(track: str) -> dict[str, str]:
    """Return how each method with a place on the track's board stands to the best plain baseline
    there, by the verdict of the board.
    """
    from bench.builtin.leaderboard import _plain

    boards = track_board(track)["tracks"]
    rows = [(row, board["best_plain"]) for board in boards for row in board["rows"] if row["place"]]
    return {
        row["method"]: _plain.against_plain(row, best)
        or ("it is the best" if row["method"] == best else "-")
        for row, best in rows
    }


def _differences(
    installed: Any,
    records: Sequence[Any],
    track: str,
    method: str,
    rival: str,
    tasks: tuple[str, ...],
) -> list[dict[str, Any]]:
    """Return the paired differences of two methods on the variants that have wrong labels."""
    options = {"track": track, "preset": "default", "tasks": [f"{track}/{task}" for task in tasks]}
    found = installed.manager.hook.bench_compare(
        records=records, tasks=installed.cards(), a=method, b=rival, options=options
    )
    return [row for row in found["rows"] if row["variant"] != "clean" and row["low"] is not None]


def verdict(rows: list[dict[str, Any]]) -> str:
    """Say on how many variants the whole interval is above zero, and on how many below."""
    if not rows:
        return "-"
    above, below = sum(row["low"] > 0 for row in rows), sum(row["high"] < 0 for row in rows)
    return ("yes" if above == len(rows) else f"in {above} of {len(rows)}" if above else "no") + (
        f"; reversed in {below}" if below else ""
    )


@functools.cache
def board(task: str, preset: str = "default") -> str:
    """Return the board of a task as Markdown; empty as long as no record is committed."""
    files = sorted(RECORDS.glob(f"*.{task}.jsonl"))
    if not any(RECORDS.glob("*.jsonl")):
        return ""
    # seventy boards are made one after another: each reads the records of its task alone, and all
    # look up cards in one registry
    with tempfile.TemporaryDirectory() as folder:
        for file in files:
            shutil.copy(file, folder)
        done = _leaderboard(folder, "--task", task, "--preset", preset)
    # a command in it names the records that are committed, not their copy
    said = done.stdout.replace(folder, RECORDS.relative_to(ROOT).as_posix())
    if done.exit_code == 3:
        return f"\nNo record of `{task}` is committed in the preset `{preset}`.\n\n"
    if done.exit_code:
        why = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        sys.exit(
            f"tables: no board of {task!r}, 'bench leaderboard' left with exit code "
            f"{done.exit_code}: {why}"
        )
    return "\n" + said.strip() + "\n\n"


def _leaderboard(folder: str, *options: str) -> Any:
    """Run ``bench leaderboard`` on a folder of records; return how it ended."""
    from click.testing import CliRunner

    from bench.cli import leaderboard_, main

    call = ["leaderboard", "--results", folder, *options, "--no-stale", "--format", "md"]
    with mock.patch.object(leaderboard_, "open_registry", return_value=registry()):
        return CliRunner().invoke(main, call, catch_exceptions=False)


@functools.cache
def sweep(file: str, parameter: str, *metrics: str) -> str:
    """Return each method's mean of metrics that are differences, with 95 % t intervals over seeds,
    for every value of a parameter of the task or of the methods.
    """
    from bench.builtin.leaderboard._statistics import mean, t_interval

    from bench.runs.transfer import records_of

    path = RECORDS / "sweeps" / f"{file}.jsonl"
    if not path.is_file():
        return f"\nNo record of `{file}` is committed.\n\n"
    values: dict[tuple[float, str, str], list[float]] = {}
    for _, record in records_of(path):
        for metric in metrics:
            at = (record.task_params | record.params).get(parameter)
            if at is not None:
                values.setdefault((at, metric, record.method), []).append(record.metrics[metric])
    methods = sorted({method for _, _, method in values} - {"random"})
    lines = [
        f"| {parameter} | metric | {' | '.join(methods)} |",
        f"| --- | --- |{' --- |' * len(methods)}",
    ]
    for at in sorted({at for at, _, _ in values}):
        for metric in metrics:
            cells = []
            for method in methods:
                low, high = t_interval(values[at, metric, method])
                cells.append(f"{mean(values[at, metric, method]):+.1f} [{low:+.1f}, {high:+.1f}]")
            lines.append(f"| {at:g} | {metric} | {' | '.join(cells)} |")
    return "\n" + "\n".join(lines) + "\n\n"


@functools.cache
def devices(one: str, other: str) -> str:
    """Return how the ranking metric of the same cells differs between two
    devices, and what they cost, by track.
    """
    from statistics import fmean

    from bench.runs.transfer import records_of

    def runs(file: str) -> dict[tuple[Any, ...], Any]:
        found = [record for _, record in records_of(RECORDS / "devices" / f"{file}.jsonl")]
        return {
            (record.track, record.task, record.variant, record.method, record.seed): record
            for record in found
        }

    installed, twins, pairs, aside = registry(), runs(one), {}, set()
    for run, record in runs(other).items():
        if run not in twins:
            continue
        task = installed.one("task", record.task)
        name = installed.get("task", task.identity).card.primary.name
        if name in record.metrics and name in twins[run].metrics:
            pairs.setdefault(task.track, []).append((twins[run], record, name))
        else:
            aside.add(record.task)
    lines = [
        "| track | runs | alike | mean difference | largest | solve | most memory |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for track, found in sorted(pairs.items()):
        gaps = [record.metrics[name] - twin.metrics[name] for twin, record, name in found]
        most, (_, there, _) = max(zip(gaps, found, strict=True), key=lambda pair: abs(pair[0]))
        alike = sum(abs(gap) < 1e-3 for gap in gaps)
        seconds = [fmean(pair[side].cost["solve_s"] for pair in found) for side in (0, 1)]
        memory = max(record.cost["peak_gpu_mb"] or 0 for _, record, _ in found)
        largest = f"{most:+.2g} (`{there.method}`, {there.task})" if abs(most) >= 1e-3 else "-"
        lines.append(
            f"| {track} | {len(found)} | {alike} | {fmean(gaps):+.2f} | {largest} | "
            f"{seconds[0]:.2f} s, {seconds[1]:.2f} s | {memory:.0f} MB |"
        )
    if aside:
        lines += [
            "",
            "Left out, since these runs did not record what ranks the task today: "
            f"{', '.join(f'`{task}`' for task in sorted(aside))}.",
        ]
    return "\n" + "\n".join(lines) + "\n\n"
