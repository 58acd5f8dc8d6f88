"""MNIST digits of 14x14 pixels, few of them labelled, also with a pool of another kind."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
import torch

from bench import InvalidRun, Meta, Preset, Setup, TaskCard
from bench.training.data import stratified_split

from ._metrics import PICTURES, REFERENCES
from ._task import Parts, SemiTask, examples


class SemiMnist(SemiTask):
    """4,000 MNIST digits of half the side, 4 of each class labelled; 1,000 to judge by."""

    card: ClassVar = TaskCard(
        name="semi-mnist",
        title="MNIST (14x14), few labelled, with strangers or digits of another source in the pool",
        track="semi-supervised",
        datasets=("mnist5k", "digits"),
        metrics=PICTURES,
        presets={
            "smoke": Preset(
                variants={"mismatch60": {"pool": "mismatch", "labels": 10}},
                params={"steps": 40, "pool_rows": 300},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "lab4": {"labels": 4, "steps": 1000},
                    "mismatch60": {"pool": "mismatch", "labels": 10, "steps": 400},
                    "other-source": {"pool": "other-source", "labels": 4, "steps": 400},
                },
                seeds=5,
                timeout=300,
            ),
        },
        budget="1,000 or 400 steps of 32 labelled rows and 96 of the pool; each view costs its own "
        "passes",
        offers={"class-prior": {}},
        references=REFERENCES,
    )
    pool: Literal["own", "mismatch", "other-source"] = "own"
    """``own``: all rows without labels; ``mismatch``: the task is classes 0 to 5, and a share
    ``strangers`` of the pool is of classes 6 to 9; ``other-source``: the 8x8 digits, made larger.
    """
    strangers: Annotated[float, Meta(ge=0, lt=1)] = 0.6
    """Share of the pool that is of no class of the task, where ``pool`` is mismatch."""
    pool_rows: Annotated[int, Meta(ge=10)] = 1200
    """Rows of the pool, where ``pool`` is mismatch."""

    def parts(self, run: Setup) -> tuple[Parts, int]:
        """Return the rows, and what the pool is of."""
        x, y = examples(run.dataset("mnist5k"), 14, 255)
        train, test = (
            torch.from_numpy(part)
            for part in stratified_split(
                y.cpu().numpy(), 1000, run.numpy_generator("split", "test")
            )
        )
        own = {"x": x[train], "y": y[train], "x_test": x[test], "y_test": y[test]}
        if self.pool == "own":
            return Parts(**own), 10
        if self.pool == "other-source":
            other, labels = examples(run.dataset("digits"), 14, 16)
            return Parts(**own, pool=other, y_pool=labels), 10
        return self._mismatched(own, run.numpy_generator("split", "pool")), 6

    def _mismatched(self, own: dict[str, torch.Tensor], generator: np.random.Generator) -> Parts:
        """Return rows of the classes 0 to 5, and a pool of which most are of others."""
        y, test = own["y"], own["y_test"] < 6
        order = torch.from_numpy(generator.permutation(len(y)))
        known, strange = order[y[order] < 6], order[y[order] >= 6]
        foreign = round(self.strangers * self.pool_rows)
        kept = self.pool_rows - foreign
        if foreign > len(strange) or kept > len(known) // 2:
            raise InvalidRun(
                f"pool_rows is {self.pool_rows}, of which {foreign} are strangers, and there are "
                f"{len(strange)} strangers and {len(known) // 2} others; ask for fewer"
            )
        rows = torch.cat([known[-kept:] if kept else known[:0], strange[:foreign]])
        rows = rows[torch.from_numpy(generator.permutation(len(rows)))]
        rest = known[: len(known) - kept]
        return Parts(
            x=own["x"][rest],
            y=y[rest],
            pool=own["x"][rows],
            y_pool=torch.where(y[rows] < 6, y[rows], -1),
            x_test=own["x_test"][test],
            y_test=own["y_test"][test],
        )
