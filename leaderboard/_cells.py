"""The cells of a suite with their anchors and who ran them: which count, and between what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import msgspec

from bench.cards import Metric, TaskCard
from bench.digests import digest
from bench.runs.record import Record

from ._anchors import REVERSED, Anchors, Frozen, Run, is_reversed, measured
from ._rows import Entrant, entrants
from ._suite_file import Fixed, Side, Suite, SuiteTask

SIZE_OF_DRIFT = 2.0
"""Standard errors beyond which anchors that were run anew no longer are what was frozen."""
ERRORS = 3.0
"""A cell whose anchors lie closer together than so many standard errors tells nothing apart."""
LEAST = -1.0
"""What no run counts as less than, however far below the low anchor chance
lies: one bad cell must not decide a track.
"""


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
    counts: bool = False
    """True: it counts although it is thin, since every cell of its track is."""
    saturated: str = ""
    """Why its task is shown and not counted, a plain baseline coming as far as the best method (see
    :mod:`._saturation`); empty: it counts.
    """

    @cached_property
    def low(self) -> float:
        """What scores 0, in the metric's unit."""
        return _value(self.sides[0], self.anchors.low if self.anchors else None)

    @cached_property
    def high(self) -> float:
        """What scores 1."""
        return _value(self.sides[1], self.anchors.high if self.anchors else None)

    @cached_property
    def chance(self) -> float:
        """The normalised score of a trivial predictor, never above the low anchor's."""
        return 0.0 if self.task.chance == "low" else min(0.0, self.score(self.task.chance))

    @cached_property
    def floor(self) -> float:
        """What a run that fails counts as, and no run counts as less:
        chance, or -1 where chance lies below.
        """
        return max(self.chance, LEAST)

    @cached_property
    def senseless(self) -> str:
        """Say why no score between the anchors says anything; empty: it does."""
        assert self.anchors is not None, "asked of anchored cells alone"
        error = (
            sum(run.sd**2 / run.n for run in (self.anchors.low, self.anchors.high) if run) ** 0.5
        )
        apart = self.high != self.low and abs(self.high - self.low) > ERRORS * error
        if apart and is_reversed(self.low, self.high, _metric(self.card, self.anchors.primary)):
            return REVERSED
        return "" if apart and self.anchors.informative else "its anchors can't be separated"

    @property
    def thin(self) -> str:
        """Say why the cell is shown and not counted; empty: it counts, or it has no anchors."""
        if self.anchors is None:
            return ""
        return self.senseless or ("" if self.counts else self.anchors.thin)

    @property
    def state(self) -> Literal["scored", "saturated", "thin", "unanchored"]:
        """Say whether the cell counts."""
        return (
            "unanchored"
            if self.anchors is None
            else "thin"
            if self.thin
            else "saturated"
            if self.saturated
            else "scored"
        )

    @property
    def scores(self) -> bool:
        """Say whether what is reached there has a normalised score, counted or not."""
        return self.state in ("scored", "saturated")

    def score(self, value: float) -> float:
        """Return (value - low) / (high - low): where less is better, high lies below low."""
        return (value - self.low) / (self.high - self.low)


def _value(side: Side, run: Run | None) -> float:
    if isinstance(side, Fixed):
        return side.value
    assert run is not None, "asked of anchored cells alone"
    return run.mean


def _metric(card: TaskCard | None, name: str) -> Metric | None:
    """Return what a card says of its primary metric; None: that is another one than ``name``."""
    return card.primary if card and card.primary.name == name else None


def suite_cells(
    track: str,
    suite: Suite,
    anchors: Anchors,
    records: Sequence[Record],
    tasks: Mapping[str, TaskCard],
    stale: Collection[str],
    aside: Collection[str] = (),
) -> list[SuiteCell]:
    """Return the cells of a track with the records that belong to them, one record a seed.

    Args:
        track: a track of the suite.
        suite: the suite.
        anchors: its frozen anchors.
        records: of the track, one a cell (see :func:`._classes.compared_runs`); whatever is not the
            suite's is left out.
        tasks: ``track/name`` -> card.
        stale: ids of records whose key is no longer the live one.
        aside: ids of records that are not compared.
    """
    places: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in records:
        if (
            record.device == suite.device
            and not record.custom
            and (suite.budget or not record.tuning)
            and record.seed < suite.seeds
        ):
            places[record.task, record.preset, record.variant].append(record)
    found = []
    for task, variant, name in suite.cells(track):
        card = tasks.get(f"{track}/{task.task}")
        frozen = anchors.cells.get(name)
        mine, left_out = _of_one_problem(places[task.task, task.preset, variant], frozen)
        primary = frozen.primary if frozen else card.primary.name if card else ""
        members = entrants(mine, primary, aside)
        sides = (suite.tracks[track].side(task, "low"), suite.tracks[track].side(task, "high"))
        now = measured(members, *sides, primary, _metric(card, primary))
        cell = SuiteCell(
            name,
            task,
            variant,
            card,
            sides,
            _one_a_method(members, stale),
            frozen is not None,
            frozen or now,
        )
        if left_out:
            cell.notes.append(
                f"{left_out} records of {task.task} {variant} have other task parameters than the "
                "suite's and are left out."
            )
        if frozen and now and now.complete(suite.seeds):
            cell.drift = _drift(cell, frozen, now, suite.delta)
        found.append(cell)
    _keep_some(found)
    return found


def _keep_some(cells: Sequence[SuiteCell]) -> None:
    """Let thin cells count where a track would have no other."""
    if not any(cell.state == "scored" for cell in cells):
        for cell in cells:
            cell.counts = bool(cell.anchors and cell.anchors.thin and not cell.senseless)
            if cell.counts:
                assert cell.anchors is not None
                cell.notes.append(
                    f"{cell.task.task} {cell.variant} is thin and counts all the same, since no "
                    f"cell of the track is better: {cell.anchors.thin}."
                )


def _of_one_problem(records: Sequence[Record], frozen: Frozen | None) -> tuple[list[Record], int]:
    """Return the records of the frozen problem, or of the one that was run
    last, and the number of the others.
    """
    if not records:
        return [], 0
    named: dict[int, str] = {id(record.task_params): "" for record in records}
    for record in records:
        named[id(record.task_params)] = named[id(record.task_params)] or digest(record.task_params)
    wanted = (
        frozen.problem
        if frozen
        else named[id(max(records, key=lambda record: (record.ended, record.id)).task_params)]
    )
    mine = [record for record in records if named[id(record.task_params)] == wanted]
    return mine, len(records) - len(mine)


def _one_a_method(members: Sequence[Entrant], stale: Collection[str]) -> dict[str, Entrant]:
    """Return one row a method: of several forms or types the best covered,
    the live, the first by label.
    """
    best: dict[str, tuple[Any, Entrant]] = {}
    for member in members:
        standing = (
            -len(member.values),
            any(record.id in stale for record in member.everything),
            member.label,
        )
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
            return (
                f"{then.name} of {cell.task.task} {cell.variant} now reaches "
                f"{again.mean:.4g}, and {then.mean:.4g} was frozen (band {band:.2g})"
            )
    return ""


def described(cell: SuiteCell) -> dict[str, Any]:
    """Return a cell and its anchors as plain data."""

    def side(position: int, run: Run | None) -> dict[str, Any]:
        own = cell.sides[position]
        if isinstance(own, Fixed):
            return {"name": "", "value": own.value, "sd": None, "n": None, "why": own.why}
        return {
            "name": own,
            "value": run.mean if run else None,
            "sd": run.sd if run else None,
            "n": run.n if run else None,
            "why": "",
        }

    return {
        "cell": cell.name,
        "task": cell.task.task,
        "preset": cell.task.preset,
        "variant": cell.variant,
        "test_set": cell.card.test_set if cell.card else "",
        "state": cell.state,
        "thin": cell.thin,
        "saturated": cell.saturated,
        "frozen": cell.frozen,
        "drift": cell.drift,
        "low": side(0, cell.anchors.low if cell.anchors else None),
        "high": side(1, cell.anchors.high if cell.anchors else None),
        "chance": round(cell.chance, 6) if cell.scores else None,
        "floor": round(cell.floor, 6) if cell.scores else None,
        "primary": cell.anchors.primary
        if cell.anchors
        else cell.card.primary.name
        if cell.card
        else "",
        "budget": msgspec.to_builtins({"seconds": cell.task.seconds, "visits": cell.task.visits}),
    }
