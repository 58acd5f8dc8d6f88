"""What a record must be, whoever wrote it: a damaged one is refused where it is read, so that no
board meets it.
"""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec

from bench.cards_parts import check_figure_name
from bench.runs.record_versions import RecordError
from bench.runs.renewal_note import contradiction

_DIGEST = re.compile(r"[0-9a-f]{32}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TIME = re.compile(
    r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?"
    r"(Z|[+-][0-2][0-9]:[0-5][0-9])"
)
_SPOKEN = ("track", "method", "task", "preset", "variant", "device", "dtype", "form")
_MOST_COST, _MOST_COUNT = 1e12, 10**24
"""Above what any run can take: seconds or MiB, and passes or operations."""


class _Provenance(msgspec.Struct, frozen=True):
    """What boards, keys and renewals read of a record's provenance; more may be in it."""

    versions: dict[str, str] = {}
    threads: int | None = None
    cpu_class: str | None = None
    cpu: str | None = None
    kernels: dict[str, str] | None = None
    gpu: dict[str, str | list[int] | None] | None = None
    files: dict[str, str] | None = None
    bench: str | None = None
    bench_git: dict[str, str | bool] | None = None
    choices: dict[str, str] | None = None


def check_record(record: Any) -> None:
    """Refuse a record (:class:`bench.runs.record.Record`) that is not consistent: with figures that
    are not finite, costs that can't be, or texts that could be a harmful file name or break a line.

    Raises:
        RecordError: it is so; the text says what is wrong.
    """
    _check_figures(record)
    if not (_DIGEST.fullmatch(record.cell) and _DIGEST.fullmatch(record.key)):
        raise RecordError("its cell or key is no digest")
    if not (1 <= record.attempt < 10**6 and 0 <= record.seed < 2**63):
        raise RecordError("its attempt or seed is out of range")
    for name in _SPOKEN:
        text = getattr(record, name)
        if not text.isprintable() or not 0 < len(text) <= 1000:
            raise RecordError(f"its {name} is empty, longer than 1,000 characters or not printable")
    for name in ("started", "ended"):
        if not _TIME.fullmatch(getattr(record, name)):
            raise RecordError(
                f"its {name} is {getattr(record, name)[:80]!r}, which is no time like "
                "'2026-01-31T12:00:00+00:00'"
            )
    for file in (*filter(None, [record.arrays]), *record.images.values()):
        if not _FILE.fullmatch(file):
            raise RecordError(f"it names the file {file[:100]!r}, which is no plain file name")
    if record.status != "ok" and record.error is None:
        raise RecordError(f"it has status {record.status} and says no reason")
    try:
        msgspec.convert(record.provenance, _Provenance)
    except msgspec.ValidationError as error:
        said = str(error).replace("`$.", "`provenance.").replace("`$", "`provenance")
        raise RecordError(f"its provenance is damaged: {said}") from None
    if record.renewed is not None and (why := contradiction(record, record.renewed)):
        raise RecordError(why)


def _check_figures(record: Any) -> None:
    for name in record.metrics:
        try:
            check_figure_name(name)
        except ValueError as error:
            raise RecordError(f"it has a metric whose {error}") from None
    for name, value in (*record.metrics.items(), *record.cost.items()):
        if value is not None and not math.isfinite(value):
            raise RecordError(f"{name[:80]} is {value}; a figure that has no value must be null")
    for name, value in record.cost.items():
        if value is not None and not 0 <= value <= _MOST_COST:
            raise RecordError(f"its cost {name[:80]!r} is {value:g}, which no run can take")
    counts = dict(record.counters)
    if record.flops is not None:
        counts |= {"flops.total": record.flops.total, "flops.artifacts": record.flops.artifacts}
    for name, count in counts.items():
        if not 0 <= count <= _MOST_COUNT:
            raise RecordError(f"its {name[:80]!r} is {count:g}, which no run can count")
    if record.flops is not None and record.flops.artifacts > record.flops.total:
        raise RecordError(
            f"its artifacts took {record.flops.artifacts} operations of {record.flops.total} in all"
        )
