"""Which renewed records are what their runs recorded, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from bench.errors import BenchError
from bench.runs.renewal_note import Renewed, carried

if TYPE_CHECKING:
    from bench.runs.record import Brief, Record


class Claim(NamedTuple):
    """What of a record tells whether renewed ones are what their runs recorded."""

    name: str
    carried: Callable[[], str]
    """Returns the digest of what a renewal carries over; few claims are ever asked."""
    renewed: Renewed | None


def claim_of(record: Record) -> Claim:
    """Return the claim of a whole record, which the claim does not keep."""
    digest = carried(record)
    return Claim(record.id, lambda: digest, record.renewed)


def claim_of_brief(brief: Brief, load: Callable[[], Record]) -> Claim:
    """Return the claim of a brief, whose whole record is loaded where a renewed one names it."""
    return Claim(brief.id, lambda: carried(load()), brief.renewed)


def named(briefs: Iterable[Brief]) -> list[Brief]:
    """Return the records of runs that renewed records among them name."""
    briefs = list(briefs)
    names = {_beginning(brief.renewed.run) for brief in briefs if brief.renewed is not None}
    return [brief for brief in briefs if brief.renewed is None and _beginning(brief.id) in names]


def refused(claims: Iterable[Claim]) -> Iterator[Claim]:
    """Yield the claims of renewed records whose run is among the claims and says something else.

    A merge may have given the run's record another attempt, so the attempt does not count.
    """
    claims = list(claims)
    named = {_beginning(claim.renewed.run) for claim in claims if claim.renewed is not None}
    runs: dict[str, set[str]] = {}
    for claim in claims:
        if claim.renewed is None and (beginning := _beginning(claim.name)) in named:
            with suppress(BenchError):  # gone or damaged meanwhile, so it contradicts nobody
                runs.setdefault(beginning, set()).add(claim.carried())
    for claim in claims:
        if claim.renewed is not None:
            known = runs.get(_beginning(claim.renewed.run))
            if known is not None and claim.renewed.digest not in known:
                yield claim


def _beginning(name: str) -> str:
    return name.rpartition("-")[0]


def in_words(brief: Brief | Record) -> str:
    """Say what a record was renewed from, by what, and where that was proved; empty: it was not."""
    renewed = brief.renewed
    if renewed is None:
        return ""
    by = str(renewed.by.get("commit") or "")[:12] or f"bench {renewed.by.get('bench')}"
    sample = renewed.proved_on.get("sample") or []
    shown = "; ".join(map(str, sample[:3])) + (
        f"; and {len(sample) - 3} more" if len(sample) > 3 else ""
    )
    held = " against its records" if renewed.proved_on.get("against") == "records" else ""
    steps = f", in {len(renewed.proofs)} steps" if len(renewed.proofs) > 1 else ""
    return (
        f"renewed from {renewed.run} by {by}{steps}; proved on "
        f"{renewed.proved_on.get('cpu_class')} by {shown}{held}"
    )
