"""Capital letters drawn with the font that Pillow ships."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from bench import Dataset, DatasetCard, Run, Setup
from bench.training.data import Examples

LETTERS = "ABCEFGHJKLMNPRTUWXY"
"""Of A to Y those that look like no digit."""
_SIDE = 28
_COUNT = 2000


class Glyphs(Dataset):
    """2,000 letters of 28x28 pixels, in several sizes, thin and thick, shifted and turned: pictures
    that are close to digits and are none.
    """

    card: ClassVar = DatasetCard(
        name="glyphs",
        title="Capital letters of a font",
        licence="CC0",
        source="drawn with Pillow and the font it ships, Aileron by Sora Sagano, whose name table "
        "says that no rights are reserved",
        size="2,000 pictures of 28x28 pixels, 19 letters",
        had="generated",
        libraries=("PIL",),
    )

    def load(self, run: Setup) -> Examples:
        """Return x uint8 (2000, 1, 28, 28), and as y int64 (2000,) the place of the letter."""
        tensors, _ = run.cached({"dataset": "glyphs"}, _drawn)
        return Examples(tensors["x"], tensors["y"], len(LETTERS))


def _drawn(run: Run) -> dict[str, torch.Tensor]:
    from PIL import Image, ImageDraw, ImageFont

    generator = run.numpy_generator("split")
    fonts = {size: ImageFont.load_default(size) for size in range(16, 25)}
    letters = generator.permutation(np.arange(_COUNT) % len(LETTERS))
    sizes = generator.integers(16, 25, _COUNT).tolist()
    strokes = generator.integers(0, 2, _COUNT).tolist()
    shifts = generator.integers(-2, 3, (_COUNT, 2)).tolist()
    angles = generator.uniform(-15, 15, _COUNT).tolist()
    found = np.zeros((_COUNT, 1, _SIDE, _SIDE), np.uint8)
    for place, letter in enumerate(letters.tolist()):
        picture = Image.new("L", (_SIDE, _SIDE))
        right, down = shifts[place]
        ImageDraw.Draw(picture).text(
            (_SIDE / 2 + right, _SIDE / 2 + down),
            LETTERS[letter],
            fill=255,
            font=fonts[sizes[place]],
            anchor="mm",
            stroke_width=strokes[place],
        )
        found[place, 0] = np.asarray(picture.rotate(angles[place], Image.Resampling.BILINEAR))
    return {"x": torch.from_numpy(found), "y": torch.from_numpy(letters)}
