"""What the pictures are drawn with: text, colours, and a plot with axes.

Pillow alone, and no more than a millisecond or two a picture.
"""

from __future__ import annotations

import functools
import math
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Box = tuple[int, int, int, int]

PALETTE: tuple[Colour, ...] = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
    (90, 90, 90),
)
"""Okabe and Ito's colours, told apart by colour-blind readers too; without
their yellow, which is too light for a line.
"""

WHITE, INK, SOFT, GRID = (255, 255, 255), (40, 40, 40), (110, 110, 110), (228, 228, 228)
WIDTH, HEIGHT = 560, 340
SHARP = 2
"""Marks are drawn this many times larger and reduced, which smooths their edges."""

_SPELT = str.maketrans(
    {
        "→": ">",
        "←": "<",
        "–": "-",  # noqa: RUF001
        "—": "-",
        "−": "-",  # noqa: RUF001
        "×": "x",  # noqa: RUF001
        "≤": "<",
        "≥": ">",
        "µ": "u",
        "\n": " ",
        "\t": " ",
    }
)
_GLYPHS = set("".join(map(chr, range(32, 127))) + "©«°±´·»‘’“”…‹›⁄™")  # noqa: RUF001 - they are what the font has
"""What Pillow's own font holds."""


@functools.lru_cache(maxsize=8)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's own font, so that a picture is the same on every machine with this Pillow."""
    return ImageFont.load_default(size)


def plain(text: object) -> str:
    """Return the text in characters that the font holds: accents are
    dropped, the rest becomes ``?``.
    """
    spelt = unicodedata.normalize("NFKD", str(text)[:200].translate(_SPELT))
    return "".join(
        letter if letter in _GLYPHS else "?"
        for letter in spelt
        if not unicodedata.combining(letter)
    )


@functools.lru_cache(maxsize=512)
def text_width(text: str, size: int) -> int:
    """Return the width of a text in pixels."""
    return math.ceil(font(size).getlength(text))


def fit(text: object, width: float, size: int) -> str:
    """Return the text, cut with an ellipsis to ``width`` pixels."""
    whole = plain(text)
    if text_width(whole, size) <= width:
        return whole
    low, high = 0, len(whole)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (
            (middle, high)
            if text_width(whole[:middle].rstrip() + "…", size) <= width
            else (low, middle - 1)
        )
    return whole[:low].rstrip() + "…" if low else ""


@functools.lru_cache(maxsize=512)
def _lettering(text: str, size: int, anchor: str) -> tuple[Image.Image, int, int]:
    """Return a text as a mask, and where its corner lies from the anchor.

    Drawing it anew takes ten times as long as pasting it.
    """
    left, top, right, bottom = (round(side) for side in font(size).getbbox(text, anchor=anchor))
    mask = Image.new("L", (max(1, right - left + 1), max(1, bottom - top + 1)))
    ImageDraw.Draw(mask).text((-left, -top), text, fill=255, font=font(size), anchor=anchor)
    return mask, left, top


def write(
    image: Image.Image,
    at: tuple[float, float],
    text: str,
    size: int,
    colour: Colour = INK,
    anchor: str = "la",
) -> None:
    """Write a text that :func:`plain` or :func:`fit` made."""
    if text:
        mask, left, top = _lettering(text, size, anchor)
        image.paste(colour, (round(at[0]) + left, round(at[1]) + top), mask)


def write_upwards(
    image: Image.Image, left: int, middle: float, text: str, size: int, colour: Colour
) -> None:
    """Write a text from bottom to top, its centre at height ``middle``."""
    if text:
        turned = _lettering(text, size, "ls")[0].transpose(Image.Transpose.ROTATE_90)
        image.paste(colour, (left, round(middle - turned.height / 2)), turned)


def every(count: int) -> int:
    """Return the round number (1, 2 or 5 times a power of ten) that is at least ``count``."""
    power = int(10.0 ** (len(str(max(1, count))) - 1))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= count)


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers (1, 2 or 5 times a power of ten apart) between
    ``low`` and ``high``, at most ``most`` + 1 of them.
    """
    rough = (high - low) / max(1, most)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def labels(values: Sequence[float]) -> list[str]:
    """Write ticks with as many decimals as their step needs."""
    step = abs(values[1] - values[0]) if len(values) > 1 else abs(values[0]) if values else 1
    largest = max((abs(value) for value in values), default=0)
    if largest >= 1e6 or 0 < largest < 1e-3:
        return [f"{value:.3g}" if value else "0" for value in values]
    decimals = min(6, max(0, -math.floor(math.log10(step) + 1e-9))) if step > 0 else 0
    return [f"{value + 0.0:,.{decimals}f}" for value in values]


def extent(values: Iterable[np.ndarray], whole: bool = False) -> tuple[float, float]:
    """Return the lowest and the highest finite value, moved apart where they coincide; (0, 1) of
    nothing.

    Args:
        values: arrays of any size.
        whole: True: leave a little room on both sides.
    """
    arrays = [part[np.isfinite(part)].clip(-1e150, 1e150) for part in values]
    arrays = [part for part in arrays if part.size]
    if not arrays:
        return 0.0, 1.0
    low, high = float(min(part.min() for part in arrays)), float(max(part.max() for part in arrays))
    if high - low <= 1e-9 * max(abs(low), abs(high)) or high == low:
        room = abs(low) * 0.1 or 0.5
        return low - room, high + room
    room = 0.04 * (high - low) if whole else 0.0
    return low - room, high + room


def shade(values: np.ndarray) -> np.ndarray:
    """Return colours (..., 3) uint8 for values in [-1, 1]: vermilion below
    0, white at 0, blue above; NaN is grey.
    """
    share = np.clip(np.nan_to_num(np.abs(values)), 0, 1)[..., None] ** 0.8
    target = np.where(values[..., None] < 0, np.array(PALETTE[1]), np.array((0, 82, 140)))
    colours = 255 + share * (target - 255.0)
    return np.where(np.isnan(values)[..., None], 205, colours.round()).astype(np.uint8)


class Plot:
    """A frame with axes on white.

    Marks go on an enlarged canvas of the inside, which :meth:`finish` reduces and labels.

    Args:
        x: the lowest and highest value across.
        y: the lowest and highest value upwards.
        title: the line above.
        names: (horizontal, vertical) names of the axes.
        legend: a name a colour.
    """

    def __init__(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        title: str,
        names: tuple[str, str],
        legend: Sequence[str],
    ) -> None:
        self.x, self.y, self.title, self.names = x, y, title, names
        self.keys, lines = _arrange(legend)
        self.ticks_x, self.ticks_y = ticks(*x, most=9), ticks(*y, most=7)
        self.marks_x, self.marks_y = labels(self.ticks_x), labels(self.ticks_y)
        left = (
            14
            + max((text_width(mark, 11) for mark in self.marks_y), default=0)
            + (18 if names[1] else 0)
        )
        top = 12 + (22 if title else 0) + 17 * lines
        self.box: Box = (left, top, WIDTH - 16, HEIGHT - (44 if names[0] else 28))
        self.inside = Image.new(
            "RGB", ((self.box[2] - left) * SHARP, (self.box[3] - top) * SHARP), WHITE
        )
        self.draw = ImageDraw.Draw(self.inside, "RGBA")
        for value in self.ticks_y:
            height = self.place(np.array([x[0]]), np.array([value]))[0, 1]
            self.draw.line([(0, height), (self.inside.width, height)], fill=GRID, width=SHARP)

    def place(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return positions (n, 2) on the enlarged canvas."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0]) * (self.inside.width - SHARP)
        up = (y - self.y[0]) / (self.y[1] - self.y[0]) * (self.inside.height - SHARP)
        return np.stack([across, self.inside.height - SHARP - up], -1).clip(-1e4, 1e4)

    def finish(self) -> np.ndarray:
        """Return the picture, (height, width, 3) uint8."""
        image = Image.new("RGB", (WIDTH, HEIGHT), WHITE)
        draw = ImageDraw.Draw(image)
        left, top, right, bottom = self.box
        image.paste(self.inside.reduce(SHARP), (left, top))
        draw.line([(left, bottom), (right, bottom)], fill=SOFT)
        for value, mark in zip(self.ticks_x, self.marks_x, strict=True):
            across = left + (value - self.x[0]) / (self.x[1] - self.x[0]) * (right - left - 1)
            draw.line([(across, bottom), (across, bottom + 3)], fill=SOFT)
            write(image, (across, bottom + 6), mark, 11, SOFT, "ma")
        for value, mark in zip(self.ticks_y, self.marks_y, strict=True):
            up = bottom - 1 - (value - self.y[0]) / (self.y[1] - self.y[0]) * (bottom - top - 1)
            write(image, (left - 6, up), mark, 11, SOFT, "rm")
        write(image, (left, 8), fit(self.title, right - left, 14), 14)
        write(
            image,
            ((left + right) / 2, HEIGHT - 22),
            fit(self.names[0], right - left, 12),
            12,
            INK,
            "ma",
        )
        write_upwards(image, 4, (top + bottom) / 2, fit(self.names[1], bottom - top, 12), 12, INK)
        offset = 10 + (22 if self.title else 0)
        for name, colour, across, line in self.keys:
            height = offset + 17 * line
            draw.rounded_rectangle(
                [left + across, height + 4, left + across + 12, height + 8], 2, fill=colour
            )
            write(image, (left + across + 17, height), name, 12)
        return np.asarray(image)


def _arrange(
    names: Sequence[str], most: int = 14
) -> tuple[list[tuple[str, Colour, int, int]], int]:
    """Return (name, colour, offset, line) of every key of a legend, and the number of lines."""
    if not any(names):
        return [], 0
    shown = [
        (fit(name, 170, 12), PALETTE[position % len(PALETTE)])
        for position, name in enumerate(names[:most])
    ]
    if len(names) > most:
        shown.append((f"and {len(names) - most} more", WHITE))
    keys, across, line = [], 0, 0
    for name, colour in shown:
        width = 17 + text_width(name, 12) + 16
        if across and across + width > WIDTH - 90:
            across, line = 0, line + 1
        keys.append((name, colour, across, line))
        across += width
    return keys, line + 1
