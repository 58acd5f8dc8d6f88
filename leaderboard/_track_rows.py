"""The rows of a track's board before they are compared, their order, and why one has no place."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from bench.cards import MethodCard

from ._cells import SuiteCell
from ._class_notes import other_class_texts
from ._classes import Classes
from ._costs import cost_of
from ._metric_columns import suspected
from ._ranks import EQUAL
from ._scores import MethodScores
from ._text import counted, one_line
from ._tuning_budget import parameters_from


def row_of(
    one: MethodScores,
    cells: Sequence[SuiteCell],
    track: str,
    methods: Mapping[str, MethodCard],
    stale: Collection[str],
    classes: Classes,
    timed: str,
) -> dict[str, Any]:
    """Return a row before it is compared with others."""
    card, first = methods.get(f"{track}/{one.method}"), next(iter((*one.records, *one.aside)), None)
    low = any(cell.sides[0] == one.method for cell in cells)
    high = any(cell.sides[1] == one.method for cell in cells)
    known = one.scores[~np.isnan(one.scores).any(1)] if one.scores.size else one.scores
    return {
        "place": None,
        "place_unaided": None,
        "range": None,
        "leading": False,
        "method": one.method,
        "title": one_line(card.title) if card else "",
        "defaults": parameters_from(
            card, next((record for record in (*one.records, *one.aside) if record.tuning), None)
        ),
        "reference": "low" if low else "high" if high else first.reference if first else "",
        "plain": bool(card and card.plain),
        "peeks": any(record.peeks for record in one.records),
        "needs": sorted(card.needs)
        if card
        else sorted({need for record in one.records for need in record.needs}),
        "stale": any(record.id in stale for record in one.records),
        "score": round(float(np.sort(known, -1).mean()), 6) if known.size else None,
        "low": None,
        "high": None,
        "wide": None,
        "iqm": None,
        "p_better": None,
        "mean_rank": None,
        "vs_null": None,
        "vs_first": None,
        "vs_plain": None,
        "provisional": bool(one.missing),
        "imputed": one.imputed,
        "ok": sum(cell["ok"] for cell in one.cells.values()),
        "of": sum(cell["of"] for cell in one.cells.values()),
        "cells": one.cells,
        "cost": cost_of(one, cells, classes, timed),
        "class": classes.named(record for record in one.records if record.status == "ok"),
        "front": {"flops": False, "visits": False, "seconds": False},
        "warnings": [
            f"{said} of {cell.task.task} {cell.variant}"
            for cell in cells
            if cell.card and (entrant := cell.runs.get(one.method))
            for said in suspected(cell.card.metrics, entrant.ok)
        ],
        "why": _why(one, high),
    }


def without_duplicates(found: Sequence[MethodScores], rows: Sequence[dict[str, Any]]) -> list[int]:
    """Return the rows that may have a place, without those that equal
    another in every run: those get their reason.
    """
    held: dict[tuple[float, ...], int] = {}
    free = [place for place, row in enumerate(rows) if not row["why"]]
    for place in sorted(free, key=lambda place: (rows[place]["reference"] != "low", place)):
        figures = tuple(found[place].figures)
        twin = held.setdefault(figures, place) if not any(map(math.isnan, figures)) else place
        if twin != place:
            rows[place]["why"] = f"{EQUAL} {rows[twin]['method']} in every run"
    return [place for place in free if not rows[place]["why"]]


def _why(one: MethodScores, high: bool) -> str:
    """Say what keeps a method from a place; empty: nothing."""
    if any(record.peeks for record in one.records):
        return "it sees the hidden part"
    if high:
        return "it is the upper anchor"
    if one.skipped:
        return f"it does not apply to every task: {one.skipped}"
    if one.obstacle:
        return one.obstacle
    if one.missing:
        missing = (
            f"{counted(one.missing, 'run')} missing" if one.records or one.aside else "not run yet"
        )
        return "; ".join([missing, *other_class_texts(one.aside)])
    return ""


def in_order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Placed rows by score, then those that miss runs, then references, then what never ran."""
    standing = (
        0
        if row["place"]
        else 3
        if not row["ok"] and not row["imputed"]
        else 2
        if row["peeks"] or row["reference"] == "high"
        else 1
    )
    return (standing, -(row["score"] if row["score"] is not None else -1e9), row["method"])
