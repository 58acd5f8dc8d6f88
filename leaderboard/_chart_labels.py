"""Where the names beside the points of a chart stand, so that none covers another or a point.

A chart is as wide as its page. Names are placed for the narrowest: in a wider one points only move
apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

NARROW = 270
"""Pixels between the axes of a chart on a page of 390 pixels."""
LETTER, LINE = 6.2, 12
"""Pixels of a letter and of a line at the size of labels."""
POINT = 5
"""Pixels around the middle of a point that no name covers."""
SIDES = {
    "above left": ("right", -5, -13),
    "above right": ("left", 5, -13),
    "below right": ("left", 5, 13),
    "below left": ("right", -5, 13),
}
"""Where a name may stand -> its alignment, and pixels from the point to the name's near end and
middle. Above and left of a point on a front of score against cost there is no point.
"""

Box = tuple[float, float, float, float]


def sides(
    points: Sequence[tuple[float, float]], names: Sequence[str], height: float, edge: float
) -> list[str | None]:
    """Return on which side of its point each name stands; None where there is no room.

    Args:
        points: (x, y) in shares of the chart from 0 to 1, y upwards; those of ``names`` come first.
        names: of the first points.
        height: of the chart in pixels.
        edge: pixels between the outermost points and the edges of the chart.
    """
    places = [
        (edge + x * (NARROW - 2 * edge), edge + (1 - y) * (height - 2 * edge)) for x, y in points
    ]
    taken = [(x - POINT, y - POINT, x + POINT, y + POINT) for x, y in places]
    found: list[str | None] = []
    for name, place in zip(names, places[: len(names)], strict=True):
        boxes = {side: _box(name, place, side) for side in SIDES}
        side = next(
            (side for side, box in boxes.items() if _inside(box, height) and _free(box, taken)),
            None,
        )
        found.append(side)
        if side is not None:
            taken.append(boxes[side])
    return found


def shares(values: Sequence[float], log: bool = False) -> list[float]:
    """Return where values lie between the least and the greatest, from 0 to 1."""
    found = [math.log(value) for value in values] if log else list(values)
    low, high = min(found), max(found)
    return [(value - low) / (high - low) if high > low else 0.5 for value in found]


def _box(name: str, place: tuple[float, float], side: str) -> Box:
    align, dx, dy = SIDES[side]
    near, middle, width = place[0] + dx, place[1] + dy, LETTER * len(name)
    left = near if align == "left" else near - width
    return left, middle - LINE / 2, left + width, middle + LINE / 2


def _inside(box: Box, height: float) -> bool:
    return box[0] >= 0 and box[1] >= 0 and box[2] <= NARROW and box[3] <= height


def _free(box: Box, taken: Sequence[Box]) -> bool:
    return all(
        box[2] <= other[0] or other[2] <= box[0] or box[3] <= other[1] or other[3] <= box[1]
        for other in taken
    )
