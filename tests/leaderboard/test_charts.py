"""The names in the chart of score against cost cover neither each other nor a point."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

vl_convert = pytest.importorskip("vl_convert")
pytest.importorskip("altair")

from bench.builtin.leaderboard import _charts  # noqa: E402

PLACE = re.compile(
    r'<text [^>]*text-anchor="(\w+)" transform="translate\(([^,]+),([^)]+)\)"[^>]*>([^<]*)<'
)


def rows_of(seed, count):
    draw = np.random.default_rng(seed)
    rows = [
        {
            "method": f"method-{k:02d}" + "x" * int(draw.integers(0, 9)),
            "cost": {"flops": float(10 ** draw.normal(9, 0.4))},
            "score": float(draw.normal(0.5, 0.1)),
        }
        for k in range(count)
    ]
    for row in rows:
        cheaper = [other for other in rows if other["cost"]["flops"] < row["cost"]["flops"]]
        row["front"] = {"flops": all(other["score"] < row["score"] for other in cheaper)}
    return rows


def drawn(rows, width):
    """The names in the picture: text -> left, top, right, bottom, as the renderer places them."""
    spec = _charts.pareto(rows, "flops", "operations") | {"width": width, "autosize": "none"}
    svg = vl_convert.vegalite_to_svg(spec)
    names = {row["method"] for row in rows}
    found = {}
    for anchor, x, y, text in PLACE.findall(svg):
        if text in names:
            x, y, wide = float(x), float(y), 5.5 * len(text)  # the font of labels has 11 pixels
            left = x - wide if anchor == "end" else x
            found[text] = (left, y - 9, left + wide, y + 2)
    return found


@pytest.mark.parametrize("width", [270, 700])
@pytest.mark.parametrize("seed", range(4))
def test_no_name_covers_another_or_leaves_the_chart(width, seed):
    rows = rows_of(seed, 16)
    found = drawn(rows, width)
    assert found
    for one, other in itertools.combinations(found.values(), 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        assert apart, found
    assert all(box[0] >= 0 and box[2] <= width for box in found.values())


def test_a_point_alone_has_its_name():
    rows = rows_of(0, 1)
    assert list(drawn(rows, 270)) == [rows[0]["method"]]


def test_methods_without_a_cost_make_an_empty_chart():
    rows = rows_of(0, 2)
    for row in rows:
        row["cost"]["flops"] = None
    assert drawn(rows, 270) == {}
