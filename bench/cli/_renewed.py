"""What ``bench results renew`` says of a renewal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.runs.driver import Driver
    from bench.runs.proving import Judged
    from bench.runs.record_place import Place
    from bench.runs.renewal import Survey

_SHOWN = 20


def row(driver: Driver, judged: Judged, dry_run: bool, places: dict[str, Place]) -> dict[str, Any]:
    """Renew what was proved, and return what there is to say of a group."""
    from bench.runs.machine_classes import class_of, names_of
    from bench.runs.renewing import renew

    group, proof = judged.group, judged.proof
    good = proof is not None and not judged.reason
    renewed = 0
    if good and proof is not None and not dry_run:
        renewed = renew(driver, group, proof, places)
    sources = {class_of(record.provenance): record.provenance for record in group.records}
    return {
        "pair": group.label,
        "track": group.cell.spec.track,
        "task": group.cell.spec.task,
        "preset": group.cell.spec.preset,
        "method": group.cell.spec.method,
        "records": len(group.records),
        "classes": sorted(names_of(sources).values()),
        "proved": good,
        "renewed": renewed,
        "proof": proof.name if proof else None,
        "sample": proof.sample if proof else [],
        "differs": proof.differs if proof else {},
        "against": proof.against if proof else None,
        "old": proof.old if proof else {},
        "reason": judged.reason,
        "recorded_s": round(group.seconds, 2),
        "sample_s": round(proof.seconds, 2) if proof else 0.0,
    }


def said(row: dict[str, Any]) -> str:
    """Say in a line what came of a group."""
    count = f"{row['records']} record{'s' * (row['records'] != 1)}"
    if row["proved"]:
        done = f"renewed {count}" if row["renewed"] else f"would renew {count}, proved before"
        return f"{row['pair']}: {done}."
    return f"{row['pair']}: {count}: {row['reason']}."


def document(
    found: Survey, rows: Sequence[dict[str, Any]], dry_run: bool, wall: float, cpu: float
) -> dict[str, Any]:
    """Return all there is to say as one document."""
    import msgspec

    left = [msgspec.to_builtins(item) for item in found.left]
    refused = sum(row["records"] for row in rows if not row["proved"])
    return {
        "schema_version": 1,
        "dry_run": dry_run,
        "current": found.current,
        "stale": sum(row["records"] for row in rows) + sum(item["records"] for item in left),
        "renewed": sum(row["renewed"] for row in rows),
        "not_renewed": 0 if dry_run else refused + sum(item["records"] for item in left),
        "pairs": list(rows),
        "left": left,
        "cost": {
            "recorded_s": round(sum(row["recorded_s"] for row in rows), 1),
            "sample_s": round(sum(row["sample_s"] for row in rows), 1),
            "cpu_s": round(cpu, 1),
            "wall_s": round(wall, 1),
        },
    }


def in_words(document: dict[str, Any]) -> str:
    """Say what was renewed, at what cost, and what was not, grouped by its reason."""
    cost, lines = document["cost"], []
    if not document["stale"]:
        return f"nothing to renew: all {document['current']} runs are of today's code."
    if document["dry_run"]:
        proved = [row for row in document["pairs"] if not row["reason"].startswith("would run")]
        pairs = len(document["pairs"]) - len(proved)
        runs = f"samples of {pairs} pairs of method and task would run"
        lines.append(f"{document['stale']} records are stale; {runs}.")
    else:
        lines.append(
            f"renewed {document['renewed']} records of {document['stale']} that are stale; "
            f"{document['current']} runs are of today's code."
        )
    if cost["sample_s"] and not document["dry_run"]:
        share = 100 * cost["cpu_s"] / max(cost["recorded_s"], 1e-9)
        lines.append(
            f"the samples took {cost['cpu_s']:.0f} s of processor time, all versions and "
            f"commands together; the records took {cost['recorded_s']:.0f} s ({share:.0f} %)."
        )
    reasons: dict[str, list[tuple[str, int]]] = {}
    for row in document["pairs"]:
        if row["reason"]:
            reasons.setdefault(row["reason"], []).append((row["pair"], row["records"]))
    for item in document["left"]:
        reasons.setdefault(item["reason"], []).append((item["label"], item["records"]))
    for reason, some in list(reasons.items())[:_SHOWN]:
        count = sum(records for _, records in some)
        names = ", ".join(name for name, _ in some[:3])
        more = f" and {len(some) - 3} more" if len(some) > 3 else ""
        lines.append(f"{count} record{'s' * (count != 1)} of {names}{more}: {reason}.")
    if len(reasons) > _SHOWN:
        lines.append(f"and {len(reasons) - _SHOWN} more reasons; --json has all of them.")
    return "\n".join(lines)
