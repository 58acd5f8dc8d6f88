"""A coordinate that is linear in the label, which misleads, and one that takes slabs to read."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Meta, Preset, Setup, TaskCard

from ._blocks import BLOCK_METRICS, BlockTask
from ._metrics import SPURIOUS_REFERENCES
from ._spurious import drawn_attribute, flipped
from ._task import Parts, Rows

WIDTH, MARGIN = 10.0, 1.0
"""Coordinates lie in [-WIDTH, WIDTH]; the linear one leaves out [-MARGIN, MARGIN]."""
FREE = 0.1
"""Share of a slab's width that is left empty at each of its ends."""


class LinSlab(BlockTask):
    """Coordinate 0 shows the attribute by its sign, coordinate 1 the label by slabs of alternating
    classes, the others nothing.
    """

    card: ClassVar = TaskCard(
        name="linslab",
        title="Points with a linear coordinate that misleads and slabs that do not",
        track="group-shift",
        metrics=BLOCK_METRICS,
        presets={
            "smoke": Preset(
                variants={"slab5": {"slabs": 5}},
                params={"n_train": 300, "epochs": 3, "widths": [32]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"slab5": {"slabs": 5}}, seeds=5, timeout=300),
            "extended": Preset(variants={"slab7": {"slabs": 7}}, seeds=5, timeout=300),
        },
        budget="30 epochs of batch 128; what a method trains besides is its own cost",
        offers={"train-groups": {}, "val-groups": {}},
        inputs="table",
        tuning={"judged": "validation"},
        references=SPURIOUS_REFERENCES,
        paper="arXiv:2006.07710",
    )
    source: ClassVar = ""
    slabs: Annotated[int, Meta(ge=2)] = 5
    """Slabs of the label's coordinate."""
    dimensions: Annotated[int, Meta(ge=2)] = 10
    """Coordinates."""
    n_train: Annotated[int, Meta(ge=2)] = 4000
    """Training rows."""

    def parts(self, run: Setup) -> Parts:
        """Draw the points."""

        def part(name: str, rows: int, rho: float, noise: float = 0.0) -> Rows:
            points = run.numpy_generator("split", name)
            y = points.integers(0, 2, rows)
            x = points.uniform(0, WIDTH, (rows, self.dimensions))
            x[:, 1] = self._slab(y, points)
            given = flipped(y, 2, noise, run.numpy_generator("corruption", name, "labels"))
            drawn = run.numpy_generator("corruption", name)
            a = drawn_attribute(given, 2, rho, drawn)
            x[:, 0] = (2 * a - 1) * (MARGIN + (WIDTH - MARGIN) * drawn.random(rows))
            return Rows(
                x=torch.from_numpy(x).float(),
                y=torch.from_numpy(given),
                attribute=torch.from_numpy(a),
            )

        train = part("train", self.n_train, self.rho, self.label_noise)
        free = run.numpy_generator("corruption", "balanced")
        upper = train.x.clone()
        upper[:, 0] *= torch.from_numpy(1.0 - 2.0 * free.integers(0, 2, len(upper))).float()
        return Parts(
            train=train, val=part("val", 1000, 0.5), test=part("test", 2000, 0.5), upper=upper
        )

    def _slab(self, y: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Return a coordinate in a slab of each label (n,): every other slab is of class 1."""
        counts = np.where(y == 1, self.slabs // 2, self.slabs - self.slabs // 2)
        which = 2 * np.floor(generator.random(len(y)) * counts) + y
        size = 2 * WIDTH / self.slabs
        within = FREE + (1 - 2 * FREE) * generator.random(len(y))
        found: np.ndarray = -WIDTH + size * (which + within)
        return found

    def core(self, x: torch.Tensor) -> torch.Tensor:
        """Return coordinate 1."""
        return torch.arange(x.shape[1], device=x.device) == 1

    def attribute(self, x: torch.Tensor) -> torch.Tensor:
        """Return coordinate 0."""
        return torch.arange(x.shape[1], device=x.device) == 0
