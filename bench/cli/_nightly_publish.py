"""Publishing a night: its document, its alarms and the site."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bench.cli._board import make_board, publish, stale_ids
from bench.cli._options import (
    echo,
    emit_json,
    warn,
)
from bench.cli._session import Session
from bench.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.plugins.registry import Registry
    from bench.runs.nightly import Alarm, Night
    from bench.runs.plan import Plan
    from bench.runs.record import Record
    from bench.runs.store import Store


def publish_night(
    session: Session, plan: Plan, night: date, tier: str, out: Path, page: bool, as_json: bool
) -> int:
    """Write the night, its alarms and the site."""
    from bench.cli._nightly_summary import summary
    from bench.files import put
    from bench.runs.nightly import Night, alarms, rows_of
    from bench.runs.nightly_classes import status_by_class
    from bench.runs.nightly_files import read_nights, read_parts, write_night
    from bench.runs.nightly_merge import complete, from_tonight

    registry, store = session.registry, session.store
    driver = session.driver_of(store)
    found = status_by_class(driver, plan, look=False, here=False)
    done, failed, missing = found.done, found.failed, found.left - len(found.failed)
    parts = read_parts(store.root, night.isoformat(), tier)
    tonight = Night(
        night=night.isoformat(),
        tier=tier,
        planned=len(plan.cells),
        recorded=len(done),
        rows=rows_of([*done, *failed], registry.cards()),
        # a year of nights is read for the alarms
        parts=[msgspec.structs.replace(part, keys=[]) for part in parts],
    )
    write_night(store.root, tonight)
    board, said = _site(registry, store, [*done, *failed], tonight, out, page)
    # of a board without a suite two standard errors alone decide
    delta = (board.get("suite") or {}).get("delta", 0.0)
    raised = alarms(read_nights(store.root, tier, night.isoformat()), delta)
    fresh = from_tonight(
        done, parts, complete(store.root, night.isoformat(), tier), night.isoformat()
    )
    text = summary(tonight, fresh, raised, failed, missing, plan.not_run, found.by_class())
    try:
        put(out / "summary.md", text.encode())
    except OSError as error:
        raise EnvironmentFault(
            f"{out / 'summary.md'} can't be written ({error.strerror}); name another folder with "
            "--out."
        ) from None
    red = [alarm.label for alarm in raised if alarm.reference] + [
        f"{record.identity} {record.variant} {record.method}"
        for record in failed
        if record.reference
    ]
    if as_json:
        emit_json(
            {
                **_document(tonight, raised, failed, missing, sorted(set(red))),
                "from_tonight": fresh,
                "classes": found.by_class(),
            }
        )
    else:
        echo(text)
        for line in said:
            warn(line)
    return 1 if red else 0


def _site(
    registry: Registry, store: Store, records: Sequence[Record], night: Night, out: Path, page: bool
) -> tuple[dict[str, Any], list[str]]:
    """Make the board of the night's tier, write its files, and return it
    with what there is to say.
    """
    from bench.runs.nightly import TIERS

    scored = TIERS[night.tier].preset == "default"  # smoke is of a preset that no suite scores
    options: dict[str, Any] = {
        "stale": stale_ids(registry, records),
        **({"tier": night.tier} if scored else {}),
    }
    board = store.ask(
        lambda index: make_board(registry, records, {**options, "memo": index.memo}), refresh=False
    )
    if not board.get("tables"):
        out.mkdir(parents=True, exist_ok=True)
        return board, ["no record yet: the site is a summary alone."]
    said = publish(
        registry,
        board,
        records,
        store,
        out,
        {
            "page": page,
            "history": store.root / "nights" / "history.parquet",
            "night": night.night,
            **options,
        },
    )
    return board, said


def _document(
    night: Night,
    raised: Sequence[Alarm],
    failed: Sequence[Record],
    missing: int,
    red: Sequence[str],
) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "night": night.night,
        "tier": night.tier,
        "planned": night.planned,
        "recorded": night.recorded,
        "failed": len(failed),
        "not_run_yet": missing,
        "checked": len(night.checks),
        "nondeterministic": [
            msgspec.to_builtins(check) for check in night.checks if not check.same
        ],
        "alarms": [msgspec.to_builtins(alarm) for alarm in raised],
        "red": list(red),
    }
