"""What a track's board says of pairs of methods, and how far its first places can be relied on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._aggregate import Array
from ._family import WORDS, Family
from ._power import MOST, seeds_needed
from ._statistics import ALPHA

TEST = "paired t over seeds, on these tasks only"
LEANS = {1: "+", -1: "-", 0: ""}
OVER = f"over {MOST}"


def columns(found: Family, names: Sequence[str]) -> dict[str, Any]:
    """Return every pair of a family as plain data: columns of one entry a pair, the first method
    with each after it, then the second, and so on.
    """
    needed = seeds_needed(found)
    figures = {name: np.round(getattr(found, name), 6).tolist() for name in ("mean", "low", "high")}
    return {
        "methods": list(names),
        **figures,
        "p": _small(found.p),
        "p_holm": _small(found.p_holm),
        "verdict": [WORDS[state] for state in found.state.tolist()],
        "leans": [LEANS[sign] for sign in found.leans.tolist()],
        "seeds_needed": [OVER if seeds > MOST else seeds or None for seeds in needed.tolist()],
    }


def against(found: Family, pairs: dict[str, Any], row: int) -> list[dict[str, Any] | None]:
    """Return the verdict of every row against the one at ``row``, positive where the row is better,
    from the columns of :func:`columns`.
    """
    verdicts: list[dict[str, Any] | None] = []
    turned = {"better": "worse", "worse": "better", "+": "-", "-": "+"}
    for other, place in enumerate(found.against(row).tolist()):
        if place < 0:
            verdicts.append(None)
            continue
        one = {
            name: pairs[name][place]
            for name in ("mean", "low", "high", "p", "p_holm", "verdict", "leans", "seeds_needed")
        }
        if other > row:  # the pair is the other way round
            one |= {"mean": 0.0 - one["mean"], "low": 0.0 - one["high"], "high": 0.0 - one["low"]}
            one |= {name: turned.get(one[name], one[name]) for name in ("verdict", "leans")}
        verdicts.append(one)
    return verdicts


def _small(p_values: Array) -> list[float]:
    """Return p values in three digits; below ALPHA stays below it."""
    return [float(f"{p:.3g}") if p >= ALPHA or p < 0.9 * ALPHA else p for p in p_values.tolist()]


def agreement(names: Sequence[str], mean: Array, iqm: Array, mean_rank: Array) -> dict[str, Any]:
    """Say whether mean, interquartile mean and mean rank agree on the first three."""

    def first(figures: Array) -> list[str]:
        return [
            names[place]
            for place in sorted(
                range(len(names)), key=lambda place: (figures[place], names[place])
            )[:3]
        ]

    tops = {"mean": first(-mean), "iqm": first(-iqm), "mean_rank": first(mean_rank)}
    return {**tops, "agree": tops["mean"] == tops["iqm"] == tops["mean_rank"]}


def leave_one_out(
    names: Sequence[str], tasks: Sequence[str], scores: Array
) -> dict[str, Any] | None:
    """Say how often the first stays first when one task is left out; None
    with fewer than two tasks.
    """
    if len(tasks) < 2 or not len(names):
        return None
    means = np.sort(scores, -1).mean(-1)

    def leader(kept: Array) -> str:
        return names[min(range(len(names)), key=lambda row: (-kept[row].mean(), names[row]))]

    whole = leader(means)
    drops = {task: leader(np.delete(means, place, 1)) for place, task in enumerate(tasks)}
    return {
        "leader": whole,
        "holds": sum(name == whole for name in drops.values()),
        "of": len(tasks),
        "without": drops,
    }
