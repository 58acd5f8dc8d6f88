"""Digits in a graph in which some nodes have copies with the same neighbours: a planted leak."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import InvalidRun, Meta, Preset, Setup, TaskCard
from bench.tracks.node_graphs import twins

from ._metrics import CLASSES, LOW, MAJORITY
from ._patterns import base_pairs
from ._task import NodeTask, Whole, drawn_parts, undirected


class Duplicates(NodeTask):
    """700 noisy digits, 30 % of them with six copies each, which share label and neighbours."""

    card: ClassVar = TaskCard(
        name="duplicates",
        title="Digits with copies that share their neighbours",
        track="node-graphs",
        datasets=("digits",),
        libraries=("sklearn", "scipy"),
        metrics=CLASSES,
        presets={
            "smoke": Preset(
                variants={"filtered": {"filtered": True}},
                params={"steps": 20, "hidden": 32, "base": 300},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"leaky": {"filtered": False}, "filtered": {"filtered": True}},
                seeds=5,
                timeout=300,
            ),
        },
        budget="100 steps of Adam, each of all nodes",
        references=(LOW, MAJORITY),
    )
    base: Annotated[int, Meta(ge=50, le=1797)] = 700
    """Digits, before any is copied."""
    copied: Annotated[float, Meta(ge=0, le=1)] = 0.3
    """Share of the digits that have copies."""
    copies: Annotated[int, Meta(ge=0, le=50)] = 6
    """Copies of each of these."""
    filtered: bool = False
    """Whether one node of each group of twins is kept."""
    noise: Annotated[float, Meta(ge=0)] = 1.5
    """Standard deviation of what is added to each pixel; copies have noise of their own."""
    steps: Annotated[int, Meta(ge=1)] = 100
    """Updates, each of all nodes."""

    def whole(self, run: Setup) -> Whole:
        """Draw digits, edges, copies and parts; filter if asked to."""
        data, generator = run.dataset("digits"), run.numpy_generator("corruption", "edges")
        # unsorted: in the dataset many digits follow the one before them
        chosen = generator.permutation(len(data.y))[: self.base]
        y = data.y.cpu().numpy()[chosen]
        if len(np.unique(y)) < 2:
            raise InvalidRun(f"the {self.base} digits drawn are of one class; draw more")
        edges = undirected(base_pairs(y, generator), self.base).numpy()
        origin = np.arange(self.base)
        again = generator.permutation(self.base)[: round(self.copied * self.base)]
        origin = np.concatenate([origin, np.repeat(again, self.copies)])
        edges = blown_up(edges, origin)
        x = data.x.flatten(1).float().cpu().numpy()[chosen][origin] / 16
        x = x + self.noise * generator.standard_normal(x.shape)
        if self.filtered:
            origin, edges, x = without_twins(origin, edges, y, x)
        return Whole(
            x=torch.from_numpy(x).float(),
            edges=torch.from_numpy(edges),
            y=torch.from_numpy(y[origin]),
            parts=drawn_parts(len(origin), (0.3, 0.2), run.numpy_generator("split", "parts")),
        )


def blown_up(edges: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Return the edges (2, E') between nodes of which two are joined where their originals are.

    So copies of a node have the same neighbours, whoever else is copied.

    Args:
        edges: between the originals (2, E), both directions.
        origin: the original of each node (n,).
    """
    n = int(origin.max()) + 1
    order, counts = np.argsort(origin, kind="stable"), np.bincount(origin, minlength=n)
    starts = counts.cumsum() - counts
    times = counts[edges[0]] * counts[edges[1]]
    which = np.repeat(np.arange(edges.shape[1]), times)
    place = np.arange(len(which)) - np.repeat(times.cumsum() - times, times)
    first, second = edges[0][which], edges[1][which]
    a, b = np.divmod(place, counts[second])
    return np.stack([order[starts[first] + a], order[starts[second] + b]])


def without_twins(
    origin: np.ndarray, edges: np.ndarray, y: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return origins, edges and features with the first node of each group of twins alone."""
    group = twins(torch.from_numpy(edges), torch.from_numpy(y[origin])).numpy()
    _, first = np.unique(group, return_index=True)
    kept = (group < 0) | np.isin(np.arange(len(group)), first)
    number = kept.cumsum() - 1
    inside = kept[edges[0]] & kept[edges[1]]
    return origin[kept], number[edges[:, inside]], x[kept]
