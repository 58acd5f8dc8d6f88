"""Which recorded numbers are wrong, or can't be trusted: rules that look at records, with what to
do about each.

The rules name kinds of faults that earlier versions recorded as ``ok``; CHANGELOG.md lists the
faults.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Literal, NamedTuple

import msgspec

from bench.cards import Metric, TaskCard
from bench.runs.figures import disagreements, ends
from bench.runs.record import Brief

Severity = Literal["wrong", "suspect", "unknown", "stale"]


class Rule(NamedTuple):
    """A kind of fault."""

    severity: Severity
    """``wrong``: the figure can't be; ``suspect``: it may be right; ``unknown``: it can't be said;
    ``stale``: other code or machines make it now.
    """
    title: str
    do: str


_AGAIN = "run the same command again with --only stale, or 'bench reproduce ID' for one"
RULES = {
    "damaged": Rule(
        "wrong",
        "can't be read",
        "look at the file; restore it from a copy, or move it away and run the cell again",
    ),
    "edited": Rule(
        "wrong",
        "fields were changed by hand, so that the cell is no longer their digest",
        "don't use it; restore it from a copy, or move it away and run the cell again",
    ),
    "outside": Rule(
        "wrong",
        "a figure outside the bounds of its metric",
        "don't use it; fix the task or its card, then run the cell again",
    ),
    "two-numbers": Rule(
        "wrong",
        "one key, two numbers: same key should be same number",
        "'bench reproduce ID' tells which one holds; look for another kernel, a shared file, or a "
        "changed data file",
    ),
    "gaps": Rule(
        "wrong",
        "a figure of the curve or log that is not finite",
        "the run diverged: run the cell again, which records it as invalid",
    ),
    "class-share": Rule(
        "suspect",
        "accuracy is exactly what one class for every row gives",
        "most likely not-a-number outputs counted as class 0: run the cell again, which records "
        "that as invalid",
    ),
    "chance": Rule(
        "suspect",
        "a figure is exactly what the card calls chance",
        "look whether the net diverged or returned labels in place of scores; run the cell again",
    ),
    "worst": Rule(
        "suspect",
        "the primary figure is the worst there is",
        "look whether the output was not finite; run the cell again, which records that as invalid",
    ),
    "equal-seeds": Rule(
        "suspect",
        "all seeds give the same figure, to the bit",
        "look for a file that the runs shared, or a fixed seed in the method; run again with "
        "--jobs 1 and compare",
    ),
    "earlier": Rule(
        "stale",
        "made by an earlier version, which kept neither its data nor its kernels",
        f"compare it with records of its own time alone: {_AGAIN}",
    ),
    "data-unknown": Rule(
        "unknown",
        "it is not known which data it was made of",
        f"old figures may be of other data than the files hold now: {_AGAIN}",
    ),
    "kernels-unknown": Rule(
        "unknown",
        "it is not known which BLAS kernels computed it",
        f"it may differ on another machine in the last digits: {_AGAIN}",
    ),
    "stale": Rule(
        "stale",
        "made by other code, libraries or data than are here",
        f"{_AGAIN}; 'bench why' says what changed",
    ),
}
_TOLERANCE = 1e-9
_NEAR = 0.2
"""How far from chance, as a share of it, a class's share may lie: tasks
are prepared only for figures that lie so near.
"""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule says of a record."""

    rule: str
    record: str
    said: str


def diagnose(
    records: Sequence[Brief],
    cards: Mapping[str, TaskCard],
    stale: Set[str],
    shares: Callable[[Brief], Mapping[float, str]] | None = None,
) -> Iterator[Found]:
    """Yield what is wrong or doubtful with each record.

    Args:
        records: all of a folder. Of one cell and key's several attempts, each is looked at.
        cards: ``track/name`` -> card of the tasks that are installed; records of others have no
            bounds, chance or direction.
        stale: ids of records whose key is no longer the live one.
        shares: returns for a record, where its data is here, the accuracies in percent that one
            class for every row gives, each with its words.
    """
    good = [record for record in records if record.status == "ok"]
    for record in records:
        if record.edited:
            yield Found(rule="edited", record=record.id, said="")
    for record in good:
        yield from _of_record(record, cards.get(record.identity), shares)
        if record.id in stale and not record.edited and not _earlier(record):
            yield Found(rule="stale", record=record.id, said="")
    for known, record, name in disagreements(good, cards):
        yield Found(
            rule="two-numbers",
            record=record.id,
            said=f"{name} = {record.metrics.get(name)}, and {known.metrics.get(name)} in "
            f"{known.id}",
        )
    yield from _equal_seeds(good, cards)


def _of_record(
    record: Brief, card: TaskCard | None, shares: Callable[[Brief], Mapping[float, str]] | None
) -> Iterator[Found]:
    if record.gap:
        yield Found(rule="gaps", record=record.id, said=record.gap)
    if _earlier(record):
        yield Found(rule="earlier", record=record.id, said="")
    elif record.data is None:
        yield Found(rule="data-unknown", record=record.id, said="")
    elif not record.provenance.get("kernels"):
        yield Found(rule="kernels-unknown", record=record.id, said="")
    constant = False
    for metric in card.metrics if card else ():
        value = record.metrics.get(metric.name)
        if value is None:
            continue
        low, high = ends(metric)
        if not low <= value <= high:
            yield Found(rule="outside", record=record.id, said=f"{metric.name} = {value:g}")
        elif (
            not constant
            and not record.peeks
            and (found := _constant(record, metric, value, shares))
        ):
            constant = True  # the others of the same outputs say the same
            yield found


def _earlier(record: Brief) -> bool:
    """Say whether a version made a record that kept neither data nor
    kernels: it is stale as well.
    """
    return record.data is None and not record.provenance.get("kernels")


def _constant(
    record: Brief,
    metric: Metric,
    value: float,
    shares: Callable[[Brief], Mapping[float, str]] | None,
) -> Found | None:
    """Say whether a figure is what outputs that tell rows apart by nothing would give."""
    worst = {"max": 0, "min": 1}.get(metric.direction)
    if (
        metric.primary
        and not record.reference
        and worst is not None
        and metric.bounds
        and value == metric.bounds[worst]
    ):
        return Found(rule="worst", record=record.id, said=f"{metric.name} = {value:g}")
    accuracy = (
        metric.unit == "%"
        and metric.direction == "max"
        and ("acc" in metric.name or "accuracy" in metric.title)
    )
    if (
        shares
        and accuracy
        and metric.chance is not None
        and abs(value - metric.chance) <= _NEAR * abs(metric.chance)
    ):
        for share, words in shares(record).items():
            if abs(value - share) <= 1e-5:
                return Found(
                    rule="class-share", record=record.id, said=f"{metric.name} = {value:g}, {words}"
                )
    if (
        metric.chance is not None
        and metric.primary
        and not record.reference
        and abs(value - metric.chance) <= _TOLERANCE
    ):
        return Found(rule="chance", record=record.id, said=f"{metric.name} = {value:g}")
    return None


def _equal_seeds(good: Iterable[Brief], cards: Mapping[str, TaskCard]) -> Iterator[Found]:
    """Yield every record of a row whose seeds all agree: in the primary
    figure for three seeds and more, in every figure for two.
    """
    rows: dict[tuple[str, str], dict[int, Brief]] = defaultdict(dict)
    for record in good:
        if not record.reference:  # a control that treats all rows alike gives one figure rightly
            rows[record.row, str(record.provenance.get("files"))][record.seed] = record
    for members in rows.values():
        records = list(members.values())
        card = cards.get(records[0].identity)
        if len(records) < 2 or not card:
            continue
        names = (
            [card.primary.name]
            if len(records) > 2
            else [name for name in records[0].metrics if name not in card.clocks]
        )
        seen = {tuple(record.metrics.get(name) for name in names) for record in records}
        value = records[0].metrics.get(card.primary.name)
        if (
            len(seen) > 1
            or value is None
            or card.primary.clock
            or value in (card.primary.bounds or ())
        ):
            continue
        for record in records:
            yield Found(
                rule="equal-seeds",
                record=record.id,
                said=f"{card.primary.name} = {value:g} for all of {len(records)} seeds",
            )
