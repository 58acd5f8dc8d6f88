"""Small interval plots: where marks lie, in percent of the width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ._text import number

Row = Mapping[str, Any]


class Scale(NamedTuple):
    """The scores at the left and the right edge of a plot."""

    low: float
    high: float

    def at(self, score: float) -> float:
        """Return the place of a score in percent, kept inside the plot."""
        share = (score - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 1)


class Marks(NamedTuple):
    """A row of a plot, in percent; an interval is its left end and its width, or None."""

    score: float
    thick: tuple[float, float] | None
    thin: tuple[float, float] | None
    said: str


class Plot(NamedTuple):
    """Plots of rows that share a scale."""

    zero: float
    one: float
    rows: dict[str, Marks]


def plot_of(rows: Sequence[Row]) -> Plot | None:
    """Return the plots of rows with a score; None where there are none."""
    placed = [row for row in rows if row["score"] is not None]
    if not placed:
        return None
    ends = [end for row in placed for end in _ends(row)]
    least, most = max(-1.0, min(0.0, *ends)), min(2.0, max(1.0, *ends))
    edge = 0.03 * (most - least)
    scale = Scale(least - edge, most + edge)
    return Plot(scale.at(0), scale.at(1), {row["method"]: _marks(row, scale) for row in placed})


def _ends(row: Row) -> list[float]:
    return [row["score"], *(end for end in (row["low"], row["high"]) if end is not None)]


def _marks(row: Row, scale: Scale) -> Marks:
    def ends(low: float | None, high: float | None) -> tuple[float, float] | None:
        if low is None or high is None:
            return None
        return scale.at(low), round(scale.at(high) - scale.at(low), 1)

    said = number(row["score"], 3)
    if row["low"] is not None:
        said += f", 95 % interval {number(row['low'], 3)} to {number(row['high'], 3)}"
    thin = ends(*row["wide"]) if row["wide"] else None
    return Marks(scale.at(row["score"]), ends(row["low"], row["high"]), thin, said)
