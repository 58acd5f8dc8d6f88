"""TrivialAugment (arXiv:2103.10158)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Meta, MethodCard
from bench.training.recipe import Batch, Recipe, Seeds, streams
from bench.training.resample import affine_maps, resample

from ._pictures import black, checked

OPERATIONS = ("identity", "rotate", "shear", "zoom", "right", "down", "contrast")


class _State:
    """Each member's generator, and operation and strength of every row for the epoch at hand."""

    def __init__(self, seeds: Seeds) -> None:
        self.seeds, self.draws, self.black = seeds, streams(seeds.runs, "pictures"), black(seeds)


class TrivialAugment(Recipe):
    """Change every picture by one operation, drawn uniformly, with a strength drawn uniformly."""

    card: ClassVar = MethodCard(
        name="trivial-augment",
        title="TrivialAugment",
        track="recipes",
        paper="arXiv:2103.10158",
        bibtex="""@inproceedings{muller2021trivialaugment,
  title = {TrivialAugment: Tuning-Free Yet State-of-the-Art Data Augmentation},
  author = {Muller, Samuel G. and Hutter, Frank},
  booktitle = {ICCV},
  year = {2021},
  eprint = {2103.10158},
  archivePrefix = {arXiv}
}""",
        claim="One operation a picture at random strength is as good as searched policies.",
        official_code="ok",
        deviates="Operations for grey pictures alone: identity, rotation, shear, zoom, two shifts "
        "and contrast, all with continuous strengths that are chosen here; no mirror images, since "
        "digits have a direction.",
        signal="none; the corruptions rotate, shift and contrast are like it",
        inputs="pictures",
        stacked=True,
        defaults_from="here",
        trials=3,
        tuning={"strength": (0.5, 1.0, 1.5)},
    )
    strength: Annotated[float, Meta(ge=0, le=1.5)] = 1.0
    """Factor of all strengths: at 1 turns of up to .5 rad, shears of .5, zooms of a quarter, shifts
    of .15 sides, contrasts from .5 to 1.5.
    """

    def start(self, seeds: Seeds) -> _State:
        """Set up the private streams."""
        checked(self, seeds)
        return _State(seeds)

    def draw(self, state: _State, epoch: int) -> None:
        """Draw operation and strength, in [-strength, strength], of every row (K, N)."""
        n, device = state.seeds.n_rows, state.seeds.device
        kinds = np.stack([draw.integers(0, len(OPERATIONS), n) for draw in state.draws])
        sizes = np.stack([draw.uniform(-1, 1, n) for draw in state.draws])
        state.kind = torch.from_numpy(kinds).to(device)
        state.size = torch.from_numpy(sizes).float().to(device) * self.strength

    def inputs(self, state: _State, batch: Batch) -> torch.Tensor:
        """Return changed pictures (K, B, channels, H, W)."""
        kind = state.kind.gather(1, batch.rows).flatten()
        size = state.size.gather(1, batch.rows).flatten()

        def of(name: str, most: float) -> torch.Tensor:
            return torch.where(kind == OPERATIONS.index(name), most * size, 0.0)

        maps = affine_maps(
            of("rotate", 0.5),
            of("shear", 0.5),
            of("zoom", 0.25),
            of("right", 0.15),
            of("down", 0.15),
            like=size,
        )
        fill = state.black.expand(-1, batch.x.shape[1], 1, 1, 1).flatten(0, 1)
        pictures = batch.x.flatten(0, 1)
        moved = torch.where(
            (kind == 0)[:, None, None, None], pictures, resample(pictures, maps, fill)
        )
        # standardised pictures have their mean grey at 0
        return (moved * (1 + of("contrast", 0.5))[:, None, None, None]).view_as(batch.x)
