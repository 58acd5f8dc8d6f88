"""A generated graph whose edges and features follow a second label more than the class."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import InvalidRun, Meta, Preset, Setup, TaskCard

from ._fair import FAIR, REFERENCES, FairTask
from ._task import Whole, drawn_parts, undirected

FEATURES, OF_CLASS, OF_SECOND = 16, slice(0, 4), slice(4, 8)


class FairBlocks(FairTask):
    """1,200 nodes, 30 % of them with a class; the second label of 100 is known."""

    card: ClassVar = TaskCard(
        name="fair-blocks",
        title="Classes that correlate with a sensitive label",
        track="node-graphs",
        libraries=("sklearn", "scipy"),
        metrics=FAIR,
        presets={
            "smoke": Preset(
                variants={"known100": {}},
                params={"nodes": 400, "steps": 20, "hidden": 32},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"known100": {"known": 100}, "known-all": {"known": 1200}},
                seeds=5,
                timeout=300,
            ),
        },
        budget="150 steps of Adam, each of all nodes",
        offers={"sensitive": {}},
        references=REFERENCES,
    )
    nodes: Annotated[int, Meta(ge=100, le=100_000)] = 1200
    """Nodes."""
    pairs: Annotated[int, Meta(ge=1, le=1000)] = 12
    """Pairs of nodes drawn for each node, most of which are no edges in the end."""
    known: Annotated[int, Meta(ge=2)] = 100
    """Nodes whose second label is told, training nodes first."""
    steps: Annotated[int, Meta(ge=1)] = 150
    """Updates, each of all nodes."""

    def whole(self, run: Setup) -> Whole:
        """Draw labels, features, edges and parts."""
        if self.known > self.nodes:
            raise InvalidRun(
                f"known is {self.known}, and there are {self.nodes} nodes; tell no more than these"
            )
        n, generator = self.nodes, run.numpy_generator("corruption", "blocks")
        s = (generator.random(n) < 0.5).astype(np.int64)
        y = (generator.random(n) < np.where(s == 1, 0.65, 0.35)).astype(np.int64)
        x = generator.standard_normal((n, FEATURES))
        x[:, OF_CLASS] += 0.45 * (2 * y - 1)[:, None]
        x[:, OF_SECOND] += 0.5 * (2 * s - 1)[:, None]
        first, second = generator.integers(n, size=(2, self.pairs * n))
        chance = np.where(s[first] == s[second], 0.45, 0.09)
        chance = chance * np.where(y[first] == y[second], 1.2, 0.8)
        kept = generator.random(len(first)) < chance
        parts = drawn_parts(n, (0.3, 0.2), run.numpy_generator("split", "parts"))
        told = torch.zeros(n, dtype=torch.bool)
        told[parts.argsort(stable=True)[: self.known]] = True
        return Whole(
            x=torch.from_numpy(x).float(),
            edges=undirected(np.stack([first, second])[:, kept], n),
            y=torch.from_numpy(y),
            parts=parts,
            sensitive=torch.from_numpy(s),
            told=told,
        )
