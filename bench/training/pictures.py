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

__all__ = ["curves", "grid", "heat_map", "histograms", "scatter"]

_MOST_TILES = 400
_MOST_MARKS = 2000
_MOST_CELLS = 400


def grid(
    images: Any,
    captions: Sequence[object] | None = None,
    columns: int | None = None,
    scale: int | None = None,
    title: str = "",
) -> np.ndarray:
    """Lay small images out in rows.

    Args:
        images: (n, h, w), (n, 1, h, w), (n, 3, h, w), (n, h, w, 1) or (n, h, w, 3); uint8, or
            numbers that are stretched from their lowest to their highest value, of all images
            together. At most 400 are shown, and of larger ones every second, third ... pixel.
        captions: a text below each image, cut to its width.
        columns: images a row; None: what makes a picture about as wide as a page.
        scale: pixels of the picture for one of an image; None: what makes them about 64 high.
        title: the line above.

    Returns:
        The picture (height, width, 3), uint8.

    Raises:
        ValueError: ``images`` has another shape.
    """
    tiles = _tiles(np.asarray(images)[:_MOST_TILES])
    count = len(tiles)
    step = max(1, math.ceil(max(tiles.shape[1:3]) / 256))
    tiles = tiles[:, ::step, ::step]
    scale = max(
        1,
        min(scale or round(64 / max(1, *tiles.shape[1:3])), 512 // max(1, *tiles.shape[1:3]) or 1),
    )
    tiles = tiles.repeat(scale, 1).repeat(scale, 2)
    wide, high, gap, foot = tiles.shape[2], tiles.shape[1], 6, 15 if captions is not None else 0
    columns = max(1, min(columns or max(1, 620 // (wide + gap)), count or 1))
    rows, top = math.ceil(count / columns), 34 if title else 8
    page = np.full(
        (top + rows * (high + foot + gap) + 4, max(60, columns * (wide + gap) + 10), 3),
        255,
        dtype=np.uint8,
    )
    corners = [
        (top + k // columns * (high + foot + gap), 8 + k % columns * (wide + gap))
        for k in range(count)
    ]
    for tile, (up, left) in zip(tiles, corners, strict=True):
        page[up : up + high, left : left + wide] = tile
    if captions is None and not title:
        return page
    image = Image.fromarray(page)
    write(image, (8, 8), fit(title, page.shape[1] - 16, 14), 14)
    for caption, (up, left) in zip(captions or (), corners, strict=False):
        write(
            image, (left + wide / 2, up + high + 2), fit(caption, wide + gap - 2, 11), 11, INK, "ma"
        )
    return np.asarray(image)


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


def _tiles(images: np.ndarray) -> np.ndarray:
    """Return images as (n, h, w, 3) uint8."""
    if images.size == 0:
        return np.zeros((0, 1, 1, 3), dtype=np.uint8)
    if images.ndim == 4 and images.shape[1] in (1, 3):
        images = images.transpose(0, 2, 3, 1)
    elif images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        raise ValueError(
            "a grid shows images (n, h, w), (n, 1 or 3, h, w) or (n, h, w, 1 or 3), not an array "
            f"of shape {images.shape}."
        )
    if images.dtype != np.uint8:
        images = images.astype(np.float64)
        low, high = extent([images])
        images = (
            (255 * (np.nan_to_num(images, nan=low, posinf=high, neginf=low) - low) / (high - low))
            .round()
            .astype(np.uint8)
        )
    return np.broadcast_to(images, (*images.shape[:3], 3))


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
