"""What ``bench results doctor`` says of a folder of results."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bench.cli._board import stale_ids
from bench.cli._options import table

if TYPE_CHECKING:
    from bench.plugins.registry import Registry
    from bench.runs.results_doctor import Found
    from bench.runs.store import Store

_SHOWN = 3


def examined(
    store: Store, registry: Registry, data: bool, stale: bool, say: Callable[[str], None]
) -> dict[str, Any]:
    """Look through a folder and return what was found as plain data: for each rule its severity,
    what to do, and every record.

    Args:
        store: the folder.
        registry: the tasks that are here.
        data: whether to prepare tasks, to know the shares of their classes.
        stale: whether to hold keys against those of this machine.
        say: told what is being done.
    """
    from bench.runs.class_shares import Shares
    from bench.runs.results_doctor import RULES, Found, diagnose

    say("reading the index")
    records = store.briefs()
    old = set()
    if stale:
        say(f"holding the keys of {len(records):,} records against this machine")
        old = stale_ids(registry, records)
    say(f"looking at {len(records):,} records")
    shares = Shares(registry, say) if data else None
    found: dict[str, list[Found]] = {}
    for item in (
        *(
            Found(rule="damaged", record=damaged.path, said=damaged.reason)
            for damaged in store.damaged
        ),
        *diagnose(records, registry.cards(), old, shares),
    ):
        found.setdefault(item.rule, []).append(item)
    rows: list[dict[str, Any]] = []
    for name, rule in RULES.items():
        if items := found.get(name):
            listed = [
                {"record": item.record, "said": item.said}
                for item in sorted(items, key=lambda item: item.record)
            ]
            rows.append(
                {
                    "rule": name,
                    "severity": rule.severity,
                    "title": rule.title,
                    "do": rule.do,
                    "count": len(listed),
                    "records": listed,
                }
            )
    touched = {
        row["record"] for found in rows if found["rule"] != "damaged" for row in found["records"]
    }
    left_out = sorted(shares.left_out) if shares else []
    return {
        "schema_version": 1,
        "records": len(records),
        "touched": len(touched),
        "findings": rows,
        "not_prepared": left_out,
    }


def _unread(findings: list[dict[str, Any]]) -> str:
    count = sum(row["count"] for row in findings if row["rule"] == "damaged")
    return f", and {count} that can't be read" if count else ""


def in_words(document: dict[str, Any], folder: str) -> str:
    """Return what was found as text: a table of counts, then each rule
    with what to do and its first records.
    """
    findings = document["findings"]
    unseen = document["not_prepared"]
    last = (
        [
            (
                f"The shares of classes were not looked at for {', '.join(unseen)}: preparing "
                "takes long, or the data is not here."
            )
        ]
        if unseen
        else []
    )
    count = document["records"]
    held = f"{count} record{'s' * (count != 1)} in {folder!r}"
    if not findings:
        return "\n".join(
            [f"{held}: nothing is wrong with {'it' if count == 1 else 'them'}.", *last]
        )
    rows = [[row["severity"], row["rule"], row["count"], row["title"]] for row in findings]
    lines = [
        (f"{held}, {document['touched']} of them with something to look at{_unread(findings)}:"),
        "",
        table(rows, ["severity", "rule", "records", "what"]),
    ]
    for row in findings:
        lines += ["", f"{row['rule']}: {row['do']}."]
        lines += [
            f"  {item['record']}{': ' if item['said'] else ''}{item['said']}"
            for item in row["records"][:_SHOWN]
        ]
        if row["count"] > _SHOWN:
            lines.append(f"  and {row['count'] - _SHOWN} more; --json lists all.")
    return "\n".join([*lines, *(["", *last] if last else [])])
