"""What one method reached in every cell of a track, as normalised scores: what counts as what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.cards import MethodCard, TaskCard
from bench.runs.figures import disagreements
from bench.runs.record import Record

from ._cells import SuiteCell
from ._rows import differing
from ._suite_file import Suite
from ._text import seconds


def applicable(card: MethodCard | None, cell: SuiteCell, params: Mapping[str, Any] | None) -> str:
    """Say why a method has no place in a cell: the suite does not ask for it there, or one of its
    needs is not met; empty: it applies, or nothing is known.
    """
    if card and not cell.task.asks_for(card.name):
        return f"the suite does not ask for it on {cell.task.task}"
    if card and cell.card and card.inputs == "pictures" and cell.card.inputs == "table":
        return f"{cell.task.task} has a table, and it takes pictures"
    for need in card.needs if card and cell.card else ():
        assert cell.card is not None
        offers = cell.card.offers.get(need)
        if offers is None or (
            params is not None and any(params.get(name) != value for name, value in offers.items())
        ):
            return f"{cell.task.task} {cell.variant} does not offer {need}"
    return ""


def word_of(record: Record, cell: SuiteCell, primary: str, clashing: Collection[str]) -> str:
    """Say why a record counts as the floor of its cell; empty: it counts as it stands."""
    if record.status != "ok":
        return "missing" if record.status == "interrupted" else record.status
    if record.key in clashing:
        return "nondeterministic"
    spent = seconds(record.cost, record.device)
    if spent is not None and spent > cell.task.seconds:
        return "over budget"
    if (
        cell.task.visits is not None
        and record.counters.get("forward", 0) + record.counters.get("backward", 0)
        > cell.task.visits
    ):
        return "over budget"
    # doing nothing fails the gate of having done something
    if not all(record.gates.values()) and record.reference != "low":
        return "gate"
    return "" if record.metrics.get(primary) is not None or record.not_rankable else "invalid"


@dataclass
class MethodScores:
    """What one method reached in every cell of a track."""

    method: str
    scores: NDArray[np.float64]
    """(tasks, seeds): the mean over the task's cells that count, none
    below its floor; nan where a run is missing.
    """
    cells: dict[str, dict[str, Any]]
    records: list[Record]
    figures: list[float]
    """What every run of every cell reached in the metric's unit, nan where
    it has no figure: rows are the same where these are.
    """
    skipped: str = ""
    """Why it does not apply to a task that counts; empty: it applies to all."""
    missing: int = 0
    """Runs that are not there yet."""
    imputed: int = 0
    """Runs that failed and count as the floor of their cell."""
    obstacle: str = ""
    """What keeps it from a rank whatever it reached; empty: nothing."""
    aside: list[Record] = field(default_factory=list)
    """Records that are not compared: they ran on another class of machine than the others."""


def method_scores(
    method: str,
    card: MethodCard | None,
    cells: Sequence[SuiteCell],
    suite: Suite,
    params: Mapping[str, Mapping[str, Any] | None],
    clashing: Collection[str],
) -> MethodScores:
    """Return the scores of one method; see docs/leaderboard.md for what counts as what.

    Args:
        method: its name.
        card: its card; None: it is not installed, or a reference of the task's own.
        cells: the track's.
        suite: the suite.
        params: cell -> the task's parameters there, as far as a record says them.
        clashing: keys whose records say different numbers.
    """
    tasks = list(dict.fromkeys(cell.task.task for cell in cells))
    sums, counts = np.zeros((len(tasks), suite.seeds)), np.zeros(len(tasks))
    found = MethodScores(method, sums, {}, [], [])
    for cell in cells:
        # what is shown there keeps nobody from a place
        uncounted = cell.state in ("thin", "saturated")
        entrant = cell.runs.get(method)
        by_seed = {record.seed: record for record in entrant.records} if entrant else {}
        found.records += by_seed.values()
        found.aside += entrant.aside if entrant else ()
        if entrant is None and (reason := applicable(card, cell, params.get(cell.name))):
            found.cells[cell.name] = _shown("not_applicable", [], [], 0, 0, suite.seeds, "")
            found.figures += [nan] * suite.seeds
            found.skipped = found.skipped or ("" if uncounted else reason)
            continue
        values, words, reached = (
            np.full(suite.seeds, nan),
            ["missing"] * suite.seeds,
            [nan] * suite.seeds,
        )
        primary = (
            cell.anchors.primary if cell.anchors else cell.card.primary.name if cell.card else ""
        )
        for seed, record in by_seed.items():
            words[seed] = word_of(record, cell, primary, clashing)
            reached[seed] = (
                nan
                if words[seed] or record.metrics.get(primary) is None
                else record.metrics[primary] or 0.0
            )
            if words[seed] == "" and cell.scores and record.metrics.get(primary) is not None:
                values[seed] = cell.score(record.metrics[primary] or 0.0)
            if words[seed] == "" and record.not_rankable and cell.state == "scored":
                found.obstacle = found.obstacle or record.not_rankable
                words[seed] = "not rankable"
        if entrant and not uncounted and (names := differing(entrant.ok, code=True)):
            found.obstacle = found.obstacle or (
                f"its seeds of {cell.task.task} {cell.variant} were computed with "
                f"different {', '.join(names)}"
            )
        found.figures += reached
        found.missing += 0 if uncounted else words.count("missing")
        counted = values
        if cell.scores:
            failed = np.array([word not in ("", "missing") for word in words])
            counted = np.where(
                failed, cell.floor, np.where(np.isnan(values), nan, np.maximum(values, cell.floor))
            )
        if cell.state == "scored":
            found.imputed += int(failed.sum())
            place = tasks.index(cell.task.task)
            sums[place] += counted
            counts[place] += 1
        found.cells[cell.name] = _cell(cell, values, counted, words, suite.seeds)
    with np.errstate(invalid="ignore"):
        found.scores = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], np.nan)
    return found


def _cell(
    cell: SuiteCell,
    values: NDArray[np.float64],
    counted: NDArray[np.float64],
    words: Sequence[str],
    seeds: int,
) -> dict[str, Any]:
    reached, kept = (
        [float(value) for value in np.sort(group[~np.isnan(group)])] for group in (values, counted)
    )
    bad = Counter(word for word in words if word not in ("", "missing"))
    word = bad.most_common(1)[0][0] if bad else "missing" if "missing" in words else ""
    below = (
        ""
        if not cell.scores or min(reached, default=0.0) >= cell.floor
        else "below -1"
        if cell.floor > cell.chance
        else "below chance"
    )
    return _shown(word, reached, kept, sum(bad.values()), words.count(""), seeds, below)


def _shown(
    word: str,
    reached: Sequence[float],
    counted: Sequence[float],
    imputed: int,
    ok: int,
    seeds: int,
    below: str,
) -> dict[str, Any]:
    score, kept = (
        round(sum(group) / len(group), 6) if group else None for group in (reached, counted)
    )
    return {
        "score": score,
        "counted": kept,
        "below": below,
        "ok": ok,
        "imputed": imputed,
        "of": seeds,
        "word": word,
    }


def clashes(records: Sequence[Record], tasks: Mapping[str, TaskCard]) -> set[str]:
    """Return the keys under which records of a CPU say different numbers: same key, same number is
    what a key promises. Readings of a clock, as the task's card says, promise nothing.
    """
    cpu = (record for record in records if record.device == "cpu")
    return {record.key for record, _, _ in disagreements(cpu, tasks)}
