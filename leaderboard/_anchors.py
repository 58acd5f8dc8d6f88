"""The anchors of a suite's cells: what scores 0 and 1.

Measured from runs, frozen in a file beside the suite.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from bench.cards import Metric
from bench.digests import digest
from bench.errors import EnvironmentFault, UsageError

from ._ranks import SIGNS
from ._rows import Entrant, figure
from ._statistics import mean, sample_sd
from ._suite_file import Fixed, Side, Suite

SHARE = 0.05
"""The least distance of two anchors as a share of what the metric can span."""
DEVIATIONS = 5.0
"""The least distance of two anchors in deviations of one run over seeds."""
REVERSED = "its upper anchor is worse than the baseline"
"""What is the matter with a cell where scores would rank the worse before the better."""


class Run(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an anchor reached over the suite's seeds."""

    name: str
    mean: float
    sd: float
    n: int
    records: tuple[str, ...] = ()


class Frozen(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """The anchors of one cell."""

    problem: str
    """The digest of the task's parameters: other parameters are another problem."""
    primary: str
    informative: bool
    """False: the task itself says that the anchors can't be told apart, or the upper one is worse
    than the baseline.
    """
    low: Run | None
    """None: it is a fixed value."""
    high: Run | None
    thin: str = ""
    """Why its anchors lie too close together for a score between them to
    say much; empty: they do not.
    """
    saturated: str | None = None
    """Why its task says little of methods, a plain baseline coming as far
    as they do; empty: it is not so; None: not decided yet.
    """

    def complete(self, seeds: int) -> bool:
        """Say whether every anchor that is run has all seeds."""
        return all(run is None or run.n == seeds for run in (self.low, self.high))


class Anchors(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The frozen anchors of a suite in one tier."""

    suite: str
    cells: dict[str, Frozen]


class _File(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """The file of frozen anchors of a suite."""

    schema_version: Literal[1, 2]
    suite: str
    cells: dict[str, Frozen] | None = None
    """Of the only tier, in version 1."""
    tiers: dict[str, dict[str, Frozen]] | None = None
    """Tier -> cell -> anchors, since version 2."""


def anchors_file(path: Path, suite: Suite) -> Path:
    """Return where the anchors of the suite at ``path`` lie."""
    return path.with_name(f"anchors-{suite.name}.json")


def read_anchors(path: Path, suite: Suite) -> dict[str, dict[str, Frozen]]:
    """Read the frozen anchors of a suite: tier -> cell -> anchors; none where there is no file yet.

    A file of version 1 holds those of the default tier.

    Raises:
        UsageError: the file is damaged, or another suite's.
    """
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
        if (file.cells is None) == (file.schema_version == 1) or (file.tiers is None) == (
            file.schema_version == 2
        ):
            raise msgspec.ValidationError(
                "schema_version 1 has `cells` and no `tiers`, 2 has `tiers` and no `cells`"
            )
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(
            f"the anchors {str(path)!r} can't be read ({error.strerror}); fix the file, or take "
            "it from the repository again."
        ) from None
    except msgspec.MsgspecError as error:
        raise UsageError(
            f"the anchors {str(path)!r} are damaged: {error}; take the file from the repository "
            "again."
        ) from None
    tiers = file.tiers if file.tiers is not None else {"default": file.cells or {}}
    known = {name for track in suite.tracks for _, _, name in suite.cells(track)}
    strange = sorted({name for cells in tiers.values() for name in cells} - known)
    what = f"of the suite {file.suite!r}, not {suite.name!r}" if file.suite != suite.name else ""
    what = what or (f"of the cell {strange[0]!r}, which the suite has not" if strange else "")
    what = what or next(
        (
            f"of the tier {tier!r}, which the suite has not"
            for tier in tiers
            if tier not in suite.tiers
        ),
        "",
    )
    what = what or next(
        (said for tier, cells in tiers.items() if (said := _unlike(cells, suite, tier))), ""
    )
    if what:
        raise UsageError(
            f"the anchors {str(path)!r} are {what}; take the file from the repository again."
        )
    return tiers


def _unlike(cells: Mapping[str, Frozen], suite: Suite, tier: str) -> str:
    """Say where frozen anchors are others than the suite's; empty: nowhere."""
    for track in suite.tracks:
        for task, _, name in suite.cells(track):
            for kind in ("low", "high") if name in cells else ():
                side, run = (
                    suite.tracks[track].side(task, kind),
                    cells[name].low if kind == "low" else cells[name].high,
                )
                wanted = "a fixed value" if isinstance(side, Fixed) else repr(side)
                if (found := repr(run.name) if run else "a fixed value") != wanted:
                    return (
                        f"of {found} as the {kind} anchor of {name}, where the suite has {wanted}"
                    )
                if run and (run.n != suite.tiers[tier] or run.sd < 0):
                    return (
                        f"of {run.n} seeds and deviation {run.sd:g} of {run.name} in {name}, "
                        f"where the tier {tier} has {suite.tiers[tier]} seeds"
                    )
    return ""


def measured(
    entrants: Sequence[Entrant], low: Side, high: Side, primary: str, metric: Metric | None = None
) -> Frozen | None:
    """Return the anchors of a cell as its records have them now, over the seeds at hand; None where
    one has fewer than two.

    Args:
        entrants: the rows of the cell.
        low: what scores 0.
        high: what scores 1.
        primary: the metric's name.
        metric: what the card says of it; None: no card does.
    """
    found: dict[str, Run | None] = {"low": None, "high": None}
    informative = True
    for kind, side in (("low", low), ("high", high)):
        if not isinstance(side, Fixed):
            member = next((entrant for entrant in entrants if entrant.first.method == side), None)
            found[kind] = _run(member) if member else None
            if member is None or found[kind] is None:
                return None
            informative &= not any(record.not_rankable for record in member.records)
    if not entrants:
        return None
    thin = thin_because([found["low"] or low, found["high"] or high], primary, metric)
    return Frozen(
        problem=digest(entrants[0].first.task_params),
        primary=primary,
        informative=informative and thin != REVERSED,
        low=found["low"],
        high=found["high"],
        thin=thin,
    )


def is_reversed(low: float, high: float, metric: Metric | None) -> bool:
    """Say whether the upper anchor is worse than the low one; no if nobody knows what is better."""
    return metric is not None and SIGNS.get(metric.direction, 0) * (high - low) < 0


def thin_because(sides: Sequence[Run | Side], primary: str, metric: Metric | None) -> str:
    """Say why two anchors, runs or fixed values, lie too close together or the wrong way round;
    empty: they do not.

    Args:
        sides: the low and the high anchor.
        primary: the metric's name.
        metric: what the card says of it; None: no card does. An open end of its bounds counts as
            the anchor nearest to it, so that an error that has no largest value is held against
            what the worse anchor reaches.
    """
    low, high = (
        side.mean if isinstance(side, Run) else side.value
        for side in sides
        if isinstance(side, Run | Fixed)
    )
    spreads = [side.sd**2 for side in sides if isinstance(side, Run)]
    apart, deviation = abs(high - low), (sum(spreads) / len(spreads)) ** 0.5 if spreads else 0.0
    if is_reversed(low, high, metric):
        return REVERSED
    if metric is not None and metric.bounds is not None:
        least, most = (
            fallback if end is None else end
            for end, fallback in zip(metric.bounds, (min(low, high), max(low, high)), strict=True)
        )
        if apart < SHARE * (most - least):
            return (
                f"its anchors lie {apart:.3g} apart, less than {SHARE:.0%} of what {primary} "
                f"can span ({least:g} to {most:g})"
            ).replace("%", " %")
    if apart < DEVIATIONS * deviation:
        return (
            f"its anchors lie {apart:.3g} apart, less than {DEVIATIONS:g} deviations of one "
            f"run over seeds ({deviation:.2g})"
        )
    return ""


def _run(entrant: Entrant) -> Run | None:
    values = list(entrant.values.values())
    centre, spread = (
        (figure(mean(values)), figure(sample_sd(values))) if len(values) > 1 else (None, None)
    )
    if centre is None or spread is None:
        return None
    names = tuple(record.id for record in entrant.records if record.seed in entrant.values)
    return Run(name=entrant.first.method, mean=centre, sd=spread, n=len(values), records=names)


def write_anchors(path: Path, suite: Suite, tiers: dict[str, dict[str, Frozen]]) -> None:
    """Write the file of frozen anchors, sorted; of a suite with one tier in version 1, which says
    no tier.

    Raises:
        EnvironmentFault: it can't be written.
    """
    ordered = {tier: dict(sorted(tiers.get(tier, {}).items())) for tier in suite.tiers}
    several = len(ordered) > 1
    document = msgspec.to_builtins(
        _File(
            schema_version=2 if several else 1,
            suite=suite.name,
            cells=None if several else ordered["default"],
            tiers=ordered if several else None,
        )
    )
    try:
        path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise EnvironmentFault(
            f"the anchors can't be written to {str(path)!r} ({error.strerror})."
        ) from None
