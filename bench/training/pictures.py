"""Small pictures for a record: uint8 arrays that :attr:`bench.Score.images` takes.

They are drawn inside every run, so Pillow draws them (no plotting library is imported), in a few
milliseconds. Whatever is empty, constant or not finite makes a picture too, which shows that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from bench.training.canvas import (
    GRID,
    INK,
    PALETTE,
    SHARP,
    SOFT,
    WHITE,
    Plot,
    every,
    extent,
    fit,
    plain,
    shade,
    text_width,
    write,
    write_upwards,
)

__all__ = ["curves", "heat_map", "histograms", "scatter"]

_MOST_MARKS = 2000
_MOST_CELLS = 400


def heat_map(
    matrix: Any,
    rows: Sequence[object],
    columns: Sequence[object],
    title: str = "",
    x: str = "",
    y: str = "",
) -> np.ndarray:
    """Show a matrix by colour: white at 0, blue above, vermilion below, grey where there is no
    number.

    Small ones have numbers in their cells.

    Args:
        matrix: (r, c), any numbers; of more than 400 rows or columns some are left out, evenly.
        rows: a name a row.
        columns: a name a column.
        title: the line above.
        x: what the columns are.
        y: what the rows are.

    Returns:
        The picture (height, width, 3), uint8.
    """
    values = np.atleast_2d(np.asarray(matrix, dtype=np.float64))
    rows, columns = list(rows)[: values.shape[0]], list(columns)[: values.shape[1]]
    thin = [max(1, math.ceil(size / _MOST_CELLS)) for size in values.shape]
    values, rows, columns = values[:: thin[0], :: thin[1]], rows[:: thin[0]], columns[:: thin[1]]
    values = np.where(np.isfinite(values), values, np.nan)
    high, wide = values.shape
    cell = max(1, min(38, 420 // max(1, high, wide)))
    bound = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
    names = [fit(name, 90, 11) for name in rows]
    left = 12 + max((text_width(name, 11) for name in names), default=0) + (18 if y else 0)
    top = 12 + (24 if title else 0) + 16 + (18 if x else 0)
    numbered = cell >= 26
    right = left + wide * cell + (12 if numbered else 70)
    image = Image.new(
        "RGB",
        (
            max(right, left + 150, text_width(plain(title), 14) % 480 + left),
            top + max(high * cell, 20) + 12,
        ),
        WHITE,
    )
    draw = ImageDraw.Draw(image)
    if values.size:
        image.paste(
            Image.fromarray(shade(values / bound)).resize(
                (wide * cell, high * cell), Image.Resampling.NEAREST
            ),
            (left, top),
        )
        draw.rectangle([left - 1, top - 1, left + wide * cell, top + high * cell], outline=GRID)
    if numbered:
        for (i, j), value in np.ndenumerate(values):
            pale = np.isnan(value) or abs(value) < 0.55 * bound
            write(
                image,
                (left + (j + 0.5) * cell, top + (i + 0.5) * cell),
                _number(value, cell),
                11,
                INK if pale else WHITE,
                "mm",
            )
    elif values.size:
        _scale_bar(
            image,
            left + wide * cell + 14,
            top,
            min(high * cell, 120),
            bound,
            bool(np.nanmin(values, initial=0.0) < 0),
        )
    for i, name in list(enumerate(names))[:: every(math.ceil(13 / cell))]:
        write(image, (left - 6, top + (i + 0.5) * cell), name, 11, SOFT, "rm")
    step = every(math.ceil(26 / cell))
    for j, label in list(enumerate(columns))[::step]:
        write(
            image,
            (left + (j + 0.5) * cell, top - 5),
            fit(label, max(cell * step - 2, 12), 11),
            11,
            SOFT,
            "mb",
        )
    write(image, (left, 8), fit(title, image.width - left - 4, 14), 14)
    write(image, (left + wide * cell / 2, top - 22), fit(x, image.width - left, 12), 12, INK, "mb")
    write_upwards(image, 2, top + high * cell / 2, fit(y, max(high * cell, 20), 12), 12, INK)
    return np.asarray(image)


def curves(
    series: Mapping[str, Sequence[tuple[float, float | None]]],
    title: str = "",
    x: str = "",
    y: str = "",
) -> np.ndarray:
    """Draw lines through points, in the order given; a point without a finite value breaks its
    line.

    Args:
        series: name -> points (x, y).
        title: the line above.
        x: name of the horizontal axis.
        y: name of the vertical axis.

    Returns:
        The picture (340, 560, 3), uint8.
    """
    points = {name: _pairs(line) for name, line in series.items()}
    plot = Plot(
        extent(line[:, 0] for line in points.values()),
        extent((line[:, 1] for line in points.values()), True),
        title,
        (x, y),
        list(points),
    )
    for position, line in enumerate(points.values()):
        colour = PALETTE[position % len(PALETTE)]
        whole = np.isfinite(line).all(1)
        for start, end in _runs(whole):
            placed = plot.place(*line[start:end].T)
            if len(placed) > 1:
                plot.draw.line(
                    [(across, down) for across, down in placed],
                    fill=colour,
                    width=2 * SHARP,
                    joint="curve",
                )
            if len(placed) <= 12:
                _dots(plot, placed, colour, 2.5)
    return plot.finish()


def histograms(
    groups: Mapping[str, Any], title: str = "", x: str = "", bins: int = 30
) -> np.ndarray:
    """Draw a histogram of each group over the same bins, each as shares of its own group, so that
    sizes do not matter.

    Args:
        groups: name -> values (n,); what is not finite is left out.
        title: the line above.
        x: name of the horizontal axis.
        bins: number of bins.

    Returns:
        The picture (340, 560, 3), uint8.
    """
    arrays = {name: np.asarray(values, dtype=np.float64).ravel() for name, values in groups.items()}
    low, high = extent(arrays.values())
    edges = np.linspace(low, high, bins + 1)
    shares = []
    for values in arrays.values():
        counts = np.histogram(values[np.isfinite(values)], edges)[0]
        shares.append(100 * counts / max(1, counts.sum()))
    top = max((float(share.max()) for share in shares), default=0.0)
    plot = Plot((low, high), (0.0, 1.08 * top or 1.0), title, (x, "% of the group"), list(arrays))
    for position, share in enumerate(shares):
        colour = PALETTE[position % len(PALETTE)]
        outline = plot.place(
            np.concatenate([[low], edges.repeat(2)[1:-1], [high]]),
            np.concatenate([[0], share.repeat(2), [0]]),
        )
        corners = [(across, down) for across, down in outline]
        plot.draw.polygon(corners, fill=(*colour, 60))
        plot.draw.line(corners, fill=colour, width=SHARP + 1)
    return plot.finish()


def scatter(
    groups: Mapping[str, tuple[Any, Any]], title: str = "", x: str = "", y: str = ""
) -> np.ndarray:
    """Draw points, a colour a group; of more than 2,000 in a group an even part.

    Args:
        groups: name -> (values across (n,), values upwards (n,)).
        title: the line above.
        x: name of the horizontal axis.
        y: name of the vertical axis.

    Returns:
        The picture (340, 560, 3), uint8.
    """
    points = {}
    for name, (across, up) in groups.items():
        both = np.stack(
            [
                np.asarray(across, dtype=np.float64).ravel(),
                np.asarray(up, dtype=np.float64).ravel(),
            ],
            -1,
        )
        both = both[np.isfinite(both).all(1)]
        points[name] = both[:: max(1, math.ceil(len(both) / _MOST_MARKS))]
    plot = Plot(
        extent((part[:, 0] for part in points.values()), True),
        extent((part[:, 1] for part in points.values()), True),
        title,
        (x, y),
        list(points),
    )
    for position, part in enumerate(points.values()):
        _dots(
            plot,
            plot.place(*part.T),
            (*PALETTE[position % len(PALETTE)], 170),
            2.5 if len(part) < 500 else 1.5,
        )
    return plot.finish()


def _pairs(line: Sequence[tuple[float, float | None]]) -> np.ndarray:
    points = [
        (math.nan if across is None else float(across), math.nan if up is None else float(up))
        for across, up in line
    ]
    return np.array(
        points[:: max(1, math.ceil(len(points) / _MOST_MARKS))], dtype=np.float64
    ).reshape(-1, 2)


def _runs(whole: np.ndarray) -> list[tuple[int, int]]:
    """Return (start, end) of every unbroken run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], whole, [False]]).astype(int)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _dots(plot: Plot, placed: np.ndarray, colour: tuple[int, ...], radius: float) -> None:
    size = radius * SHARP
    for across, down in placed:
        plot.draw.ellipse([across - size, down - size, across + size, down + size], fill=colour)


def _number(value: float, cell: int) -> str:
    """Write a number so that it fits a cell of a heat map."""
    if np.isnan(value):
        return "-"
    for text in (
        f"{value:.0f}" if value == round(value) else f"{value:.2f}",
        f"{value:.1f}",
        f"{value:.0f}",
        f"{value:.0e}",
    ):
        if text_width(text, 11) <= cell - 3:
            return text
    return ""


def _scale_bar(
    image: Image.Image, left: int, top: int, height: int, bound: float, below: bool
) -> None:
    shares = np.linspace(1, -1 if below else 0, max(2, height))[:, None].repeat(10, 1)
    image.paste(Image.fromarray(shade(shares)), (left, top))
    write(image, (left + 14, top), f"{bound:.3g}", 11, SOFT)
    write(
        image, (left + 14, top + max(2, height)), f"{-bound:.3g}" if below else "0", 11, SOFT, "ls"
    )
