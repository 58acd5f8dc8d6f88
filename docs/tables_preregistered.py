"""Claims that were written down before the runs, and what became of them, as parts of the docs."""

from __future__ import annotations

import functools
import importlib
import re
import sys
from types import ModuleType

from tables_cards import ROOT, registry

METHODS = ROOT / "tests" / "methods"


@functools.cache
def preregistered(track: str) -> str:
    """Return what the files tests/methods/**/test_*_claims.py claim of a track, as a Markdown
    table. Of files whose claims are one family, p is adjusted over all of them.
    """
    claims, modules = tested()
    family = importlib.import_module("test_claims_together")
    names = {file.rpartition("/")[2] for file in family.FILES}
    errors = {
        (row.card.name, metric.name)
        for row in registry().rows("task")
        if row.card.track == track
        for metric in row.card.metrics
        if metric.direction == "min"
    }
    found: list[str] = []
    for module in modules:
        mine = [claim for claim in module.CLAIMS if claim.track == track]
        records = claims.committed(module.COMMITTED) if mine else []
        if records:
            seeds = getattr(module, "SEEDS", claims.SEEDS)
            gained = claims.gains(module.CLAIMS, records, seeds)
            p_values = family.together()[0] if module.__name__ in names else None
            found += claims.lines(gained, errors, track, p_values)
    if not found:
        return "\nThe claims of this track have not been run yet.\n\n"
    head = [
        "| claim | task and variant | metric | difference or figure (95 % interval) | p | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    return "\n" + "\n".join([*head, *found]) + "\n\n"


@functools.cache
def effects(_: str) -> str:
    """Return which claims of the methods of tests/methods/test_claims_together.py hold over all of
    its files, and how many settings of a method were compared, as a Markdown table.
    """
    claims, _modules = tested()
    test = importlib.import_module("test_claims_together")
    p_values, waiting = test.together()
    void = claims.failed(p_values)
    errors = {
        (row.card.name, metric.name)
        for row in registry().rows("task")
        for metric in row.card.metrics
        if metric.direction == "min"
    }
    lines, held = [], 0
    for method in test.METHODS:
        mine = test.about(method, p_values)
        cells = [
            "; ".join(
                f"{claims.said(claim, (claim.task, claim.metric) in errors)} ({claim.task} "
                f"{claim.variant})"
                for claim in mine
                if (claim in void) is fails
            )
            for fails in (False, True)
        ]
        held += bool(cells[0])
        if test.about(method, waiting):
            cells[1] += "; " * bool(cells[1]) + "others have not been run yet"
        lines.append(
            f"| `{method}` | {cells[0] or '-'} | {cells[1] or '-'} | "
            f"{test.settings(method) or '-'} |"
        )
    head = [
        f"{held} of {len(lines)} methods have a claim that holds, for or against them.",
        "",
        "| method | claims that hold | claims that fail | settings compared and committed |",
        "| --- | --- | --- | --- |",
    ]
    return "\n" + "\n".join([*head, *lines]) + "\n\n"


@functools.cache
def tested() -> tuple[ModuleType, list[ModuleType]]:
    """Return tests/methods/claims.py, and the test modules whose claims have its form."""
    files = sorted(METHODS.rglob("test_*_claims.py"))
    files = [
        file for file in files if re.search(r"from claims import .*\bClaim\b", file.read_text())
    ]
    sys.path.extend(dict.fromkeys(str(folder) for folder in (METHODS, *(f.parent for f in files))))
    return importlib.import_module("claims"), [importlib.import_module(f.stem) for f in files]
