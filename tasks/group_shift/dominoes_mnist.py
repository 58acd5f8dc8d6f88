"""Two digits, one above the other: an easy one that goes with the label, and the label's own."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from bench import Preset, Setup, TaskCard

from ._blocks import BLOCK_METRICS, BlockTask
from ._metrics import SPURIOUS_REFERENCES
from ._spurious import drawn_attribute, flipped, split
from ._task import Parts, Rows

SIDE = 14
"""Pixels of a digit's side, every second of MNIST's."""


class DominoesMnist(BlockTask):
    """MNIST digits, 2-4 against 5-9, below a 0 or a 1 that goes with the label."""

    card: ClassVar = TaskCard(
        name="dominoes-mnist",
        title="MNIST (5,000 digits) below a 0 or a 1 that goes with the label",
        track="group-shift",
        datasets=("mnist5k",),
        metrics=BLOCK_METRICS,
        presets={
            "smoke": Preset(
                variants={"rho95": {"rho": 0.95}},
                params={"n_train": 300, "epochs": 3, "widths": [32]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"rho95": {"rho": 0.95}}, seeds=5, timeout=300),
            "extended": Preset(variants={"rho100": {"rho": 1.0}}, seeds=5, timeout=300),
        },
        budget="30 epochs of batch 128; what a method trains besides is its own cost",
        offers={"train-groups": {}, "val-groups": {}},
        tuning={"judged": "validation"},
        references=SPURIOUS_REFERENCES,
        paper="arXiv:2006.07710",
    )
    source: ClassVar = "mnist5k"

    def parts(self, run: Setup) -> Parts:
        """Split both kinds of digits, draw attributes, set digits on each other."""
        data = run.dataset(self.source)
        x, digit = data.x[:, :, ::2, ::2].float() / 255, data.y.cpu().numpy()
        lower, upper = np.flatnonzero(digit >= 2), np.flatnonzero(digit < 2)
        lowers = [lower[rows] for rows in split(len(lower), run.numpy_generator("split"))]
        uppers = [upper[rows] for rows in split(len(upper), run.numpy_generator("split", "top"))]
        lowers[0] = lowers[0][: self.n_train or None]
        noise = run.numpy_generator("corruption", "labels")
        labels = [self.label(digit[rows]) for rows in lowers]
        labels[0] = flipped(labels[0], 2, self.label_noise, noise)

        def part(name: str, place: int, rho: float) -> Rows:
            generator = run.numpy_generator("corruption", name)
            a = drawn_attribute(labels[place], 2, rho, generator)
            tops = [uppers[place][digit[uppers[place]] == value] for value in (0, 1)]
            drawn = np.stack([generator.choice(top, len(a)) for top in tops])
            above = np.where(a == 0, drawn[0], drawn[1])
            return Rows(
                x=torch.cat([x[above], x[lowers[place]]], 2),
                y=torch.from_numpy(labels[place]),
                attribute=torch.from_numpy(a),
            )

        train, val, test, balanced = (
            part("train", 0, self.rho),
            part("val", 1, 0.5),
            part("test", 2, 0.5),
            part("balanced", 0, 0.5),
        )
        return Parts(train=train, val=val, test=test, upper=balanced.x)

    def core(self, x: torch.Tensor) -> torch.Tensor:
        """Return the lower half."""
        return ~self.attribute(x)

    def attribute(self, x: torch.Tensor) -> torch.Tensor:
        """Return the upper half."""
        found = torch.zeros(x.shape[1:], dtype=torch.bool, device=x.device)
        found[:, :SIDE] = True
        return found
