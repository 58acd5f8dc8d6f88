"""From the records of a track to normalised scores: one state for each method, cell of the suite and seed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.cards import MethodCard, TaskCard
from bench.digests import digest
from bench.runs.record import Record

from ._rows import Entrant, differing, entrants
from ._suite import Anchors, Fixed, Frozen, Run, Side, Suite, SuiteTask, measured
from ._text import seconds

SIZE_OF_DRIFT = 2.0
"""Standard errors beyond which anchors that were run anew no longer are what was frozen."""
INERT = 3.0
"""A cell whose anchors lie closer together than so many standard errors tells nothing apart."""


@dataclass
class SuiteCell:
    """One cell of the suite: a variant of a task, its anchors and who ran it."""

    name: str
    task: SuiteTask
    variant: str
    card: TaskCard | None
    sides: tuple[Side, Side]
    runs: dict[str, Entrant]
    """Method -> its row at the default parameters."""
    frozen: bool
    anchors: Frozen | None
    notes: list[str] = field(default_factory=list)
    drift: str = ""

    @property
    def low(self) -> float:
        """What scores 0, in the metric's unit."""
        return _value(self.sides[0], self.anchors.low if self.anchors else None)

    @property
    def high(self) -> float:
        """What scores 1."""
        return _value(self.sides[1], self.anchors.high if self.anchors else None)

    @property
    def chance(self) -> float:
        """The normalised score of a trivial predictor, never above the low anchor's: what a run that fails counts as, and none counts as less."""
        return 0.0 if self.task.chance == "low" else min(0.0, self.score(self.task.chance))

    @property
    def state(self) -> Literal["scored", "inert", "unanchored"]:
        """Say whether the cell counts, and if not, why."""
        if self.anchors is None:
            return "unanchored"
        if not self.anchors.informative:
            return "inert"
        error = sum(run.sd**2 / run.n for run in (self.anchors.low, self.anchors.high) if run) ** 0.5
        return "inert" if abs(self.high - self.low) <= INERT * error or self.high == self.low else "scored"

    def score(self, value: float) -> float:
        """Return (value - low) / (high - low): where less is better, high lies below low."""
        return (value - self.low) / (self.high - self.low)


def _value(side: Side, run: Run | None) -> float:
    if isinstance(side, Fixed):
        return side.value
    assert run is not None, "asked of anchored cells alone"
    return run.mean


def suite_cells(
    track: str, suite: Suite, anchors: Anchors, records: Sequence[Record], tasks: Mapping[str, TaskCard], stale: Collection[str]
) -> list[SuiteCell]:
    """Return the cells of a track with the records that belong to them, one record a seed.

    Args:
        track: a track of the suite.
        suite: the suite.
        anchors: its frozen anchors.
        records: of the track, one a cell (see :func:`._rows.current`); whatever is not the suite's is left out.
        tasks: ``track/name`` -> card.
        stale: ids of records whose key is no longer the live one.
    """
    places: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in records:
        if record.device == suite.device and not record.custom and not record.tuning and record.seed < suite.seeds:
            places[record.task, record.preset, record.variant].append(record)
    found = []
    for task, variant, name in suite.cells(track):
        card = tasks.get(f"{track}/{task.task}")
        frozen = anchors.cells.get(name)
        mine, left_out = _of_one_problem(places[task.task, task.preset, variant], frozen)
        primary = frozen.primary if frozen else card.primary.name if card else ""
        members = entrants(mine, primary)
        sides = (suite.tracks[track].side(task, "low"), suite.tracks[track].side(task, "high"))
        now = measured(members, *sides, primary)
        cell = SuiteCell(name, task, variant, card, sides, _one_a_method(members, stale), frozen is not None, frozen or now)
        if left_out:
            cell.notes.append(f"{left_out} records of {task.task} {variant} have other task parameters than the suite's and are left out.")
        if frozen and now and now.complete(suite.seeds):
            cell.drift = _drift(cell, frozen, now, suite.delta)
        found.append(cell)
    return found


def _of_one_problem(records: Sequence[Record], frozen: Frozen | None) -> tuple[list[Record], int]:
    """Return the records of the frozen problem, or of the one that was run last, and the number of the others."""
    if not records:
        return [], 0
    named: dict[int, str] = {id(record.task_params): "" for record in records}
    for record in records:
        named[id(record.task_params)] = named[id(record.task_params)] or digest(record.task_params)
    wanted = frozen.problem if frozen else named[id(max(records, key=lambda record: (record.ended, record.id)).task_params)]
    mine = [record for record in records if named[id(record.task_params)] == wanted]
    return mine, len(records) - len(mine)


def _one_a_method(members: Sequence[Entrant], stale: Collection[str]) -> dict[str, Entrant]:
    """Return one row a method: of several forms or types the best covered, the live, the first by label."""
    best: dict[str, tuple[Any, Entrant]] = {}
    for member in members:
        standing = (-len(member.values), any(record.id in stale for record in member.records), member.label)
        if member.first.method not in best or standing < best[member.first.method][0]:
            best[member.first.method] = (standing, member)
    return {method: member for method, (_, member) in sorted(best.items())}


def _drift(cell: SuiteCell, frozen: Frozen, now: Frozen, delta: float) -> str:
    """Say which anchor is no longer what was frozen: then the harness moved, not the methods."""
    for kind in ("low", "high"):
        then, again = getattr(frozen, kind), getattr(now, kind)
        if then is None or again is None:
            continue
        band = max(delta * abs(cell.high - cell.low), SIZE_OF_DRIFT * then.sd / then.n**0.5)
        if abs(again.mean - then.mean) > band:
            return f"{then.name} of {cell.task.task} {cell.variant} now reaches {again.mean:.4g}, and {then.mean:.4g} was frozen (band {band:.2g})"
    return ""


def applicable(card: MethodCard | None, cell: SuiteCell, params: Mapping[str, Any] | None) -> str:
    """Say which need of a method the cell does not meet; empty: it applies, or nothing is known."""
    for need in card.needs if card and cell.card else ():
        assert cell.card is not None
        offers = cell.card.offers.get(need)
        if offers is None or (params is not None and any(params.get(name) != value for name, value in offers.items())):
            return f"{cell.task.task} {cell.variant} does not offer {need}"
    return ""


def word_of(record: Record, cell: SuiteCell, primary: str, clashing: Collection[str]) -> str:
    """Say why a record counts as chance; empty: it counts as it stands."""
    if record.status != "ok":
        return "missing" if record.status == "interrupted" else record.status
    if record.key in clashing:
        return "nondeterministic"
    spent = seconds(record.cost, record.device)
    if spent is not None and spent > cell.task.seconds:
        return "over budget"
    if cell.task.visits is not None and record.counters.get("forward", 0) + record.counters.get("backward", 0) > cell.task.visits:
        return "over budget"
    if not all(record.gates.values()) and record.reference != "low":  # doing nothing fails the gate of having done something
        return "gate"
    return "" if record.metrics.get(primary) is not None or record.not_rankable else "invalid"


@dataclass
class MethodScores:
    """What one method reached in every cell of a track."""

    method: str
    scores: NDArray[np.float64]
    """(tasks, seeds): the mean over the task's cells that count, none below chance; nan where a run is missing."""
    cells: dict[str, dict[str, Any]]
    records: list[Record]
    skipped: str = ""
    """Why it does not apply to a task; empty: it applies to all."""
    missing: int = 0
    """Runs that are not there yet."""
    imputed: int = 0
    """Runs that count as chance."""
    obstacle: str = ""
    """What keeps it from a rank whatever it reached; empty: nothing."""


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
    found = MethodScores(method, sums, {}, [])
    for cell in cells:
        entrant = cell.runs.get(method)
        by_seed = {record.seed: record for record in entrant.records} if entrant else {}
        found.records += by_seed.values()
        if not by_seed and (reason := applicable(card, cell, params.get(cell.name))):
            found.cells[cell.name] = _shown("not_applicable", [], 0, 0, suite.seeds)
            found.skipped = found.skipped or reason
            continue
        values, words = np.full(suite.seeds, np.nan), ["missing"] * suite.seeds
        primary = cell.anchors.primary if cell.anchors else cell.card.primary.name if cell.card else ""
        for seed, record in by_seed.items():
            words[seed] = word_of(record, cell, primary, clashing)
            if words[seed] == "" and cell.state == "scored" and record.metrics.get(primary) is not None:
                values[seed] = cell.score(record.metrics[primary] or 0.0)
            if words[seed] == "" and record.not_rankable and cell.state == "scored":
                found.obstacle = found.obstacle or record.not_rankable
                words[seed] = "not rankable"
        if entrant and (names := differing(entrant.ok, code=True)):
            found.obstacle = found.obstacle or f"its seeds of {cell.task.task} {cell.variant} were computed with different {', '.join(names)}"
        found.cells[cell.name] = _cell(cell, values, words, suite.seeds)
        found.missing += words.count("missing") if cell.state != "inert" else 0
        if cell.state == "scored":
            chance, place = cell.chance, tasks.index(cell.task.task)
            counted = np.where(np.isnan(values), np.nan, np.maximum(values, chance))
            failed = np.array([word not in ("", "missing") for word in words])
            found.imputed += int(failed.sum())
            sums[place] += np.where(failed, chance, counted)
            counts[place] += 1
    with np.errstate(invalid="ignore"):
        found.scores = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], np.nan)
    return found


def _cell(cell: SuiteCell, values: NDArray[np.float64], words: Sequence[str], seeds: int) -> dict[str, Any]:
    reached = [float(value) for value in np.sort(values[~np.isnan(values)])]
    bad = Counter(word for word in words if word not in ("", "missing"))
    word = bad.most_common(1)[0][0] if bad else "missing" if "missing" in words else ""
    return _shown(word, reached, sum(bad.values()), words.count(""), seeds)


def _shown(word: str, reached: Sequence[float], imputed: int, ok: int, seeds: int) -> dict[str, Any]:
    return {"score": round(sum(reached) / len(reached), 6) if reached else None, "ok": ok, "imputed": imputed, "of": seeds, "word": word}


def clashes(records: Sequence[Record]) -> set[str]:
    """Return the keys under which records of a CPU say different numbers: same key, same number is what a key promises."""
    seen: dict[str, dict[str, float | None]] = {}
    found = set()
    for record in records:
        if record.status == "ok" and record.device == "cpu" and seen.setdefault(record.key, record.metrics) != record.metrics:
            found.add(record.key)
    return found


def described(cell: SuiteCell) -> dict[str, Any]:
    """Return a cell and its anchors as plain data."""

    def side(position: int, run: Run | None) -> dict[str, Any]:
        own = cell.sides[position]
        if isinstance(own, Fixed):
            return {"name": "", "value": own.value, "sd": None, "n": None, "why": own.why}
        return {"name": own, "value": run.mean if run else None, "sd": run.sd if run else None, "n": run.n if run else None, "why": ""}

    return {
        "cell": cell.name,
        "task": cell.task.task,
        "preset": cell.task.preset,
        "variant": cell.variant,
        "state": cell.state,
        "frozen": cell.frozen,
        "drift": cell.drift,
        "low": side(0, cell.anchors.low if cell.anchors else None),
        "high": side(1, cell.anchors.high if cell.anchors else None),
        "chance": None if cell.state != "scored" else round(cell.chance, 6),
        "primary": cell.anchors.primary if cell.anchors else cell.card.primary.name if cell.card else "",
        "budget": msgspec.to_builtins({"seconds": cell.task.seconds, "visits": cell.task.visits}),
    }
