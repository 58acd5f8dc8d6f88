"""High salaries of NBA players, whose country is the second label; from local files."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Meta, Preset, Setup, TaskCard

from ._fair import FAIR, REFERENCES, FairTask
from ._task import Whole, undirected


class NbaPlayers(FairTask):
    """403 players; half of those with a known salary are trained on, a quarter validates."""

    card: ClassVar = TaskCard(
        name="nba",
        title="NBA players: salary and country",
        track="node-graphs",
        datasets=("nba",),
        libraries=("sklearn", "scipy"),
        metrics=FAIR,
        presets={
            "smoke": Preset(variants={"known50": {}}, params={"steps": 20}, seeds=1, timeout=600),
            "paper": Preset(
                variants={"known50": {}},
                params={
                    "steps": 2000,
                    "hidden": 128,
                    "lr": 1e-3,
                    "weight_decay": 1e-5,
                    "dropout": 0.5,
                },
                seeds=5,
                timeout=3600,
            ),
        },
        budget="150 steps of Adam, each of all nodes",
        offers={"sensitive": {}},
        references=REFERENCES,
        paper="arXiv:2009.01454",
    )
    known: Annotated[int, Meta(ge=2)] = 50
    """Nodes outside validation and test whose second label is told, at most."""
    labels: Annotated[int, Meta(ge=2)] = 100
    """Training nodes with a class, at most."""
    steps: Annotated[int, Meta(ge=1)] = 150
    """Updates, each of all nodes."""

    def whole(self, run: Setup) -> Whole:
        """Read the graph; draw parts among the nodes with a class."""
        data, n = run.dataset("nba"), len(run.dataset("nba")["y"])
        y, s = data["y"].cpu().numpy(), data["s"].cpu().numpy()
        generator = run.numpy_generator("split", "parts")
        order = generator.permutation(np.flatnonzero(y >= 0))
        half, rest = len(order) // 2, 3 * len(order) // 4
        parts = np.full(n, -1, dtype=np.int64)
        parts[order[: min(half, self.labels)]] = 0
        parts[order[half:rest]], parts[order[rest:]] = 1, 2
        free = generator.permutation(np.flatnonzero((s >= 0) & (parts < 1)))
        told = np.zeros(n, dtype=bool)
        told[free[: self.known]] = True
        x = data["x"].cpu()
        spread = x.std(0).clamp_min(1e-6)
        return Whole(
            x=(x - x.mean(0)) / spread,
            edges=undirected(data["pairs"].cpu().numpy(), n),
            y=torch.from_numpy(y),
            parts=torch.from_numpy(parts),
            sensitive=torch.from_numpy(s),
            told=torch.from_numpy(told),
        )
