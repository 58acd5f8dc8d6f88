"""Three ways to grow a graph with as many edges, told apart in larger
graphs than any in training.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch
from numpy.random import Generator

from bench import Meta, Preset, Reference, Run, Setup, TaskCard
from bench.tracks.graph_ood import Kind, Problem, Solution
from bench.training.graphs import Graphs

from ._motif_task import train_on
from ._scores import ACCURACIES
from ._shapes import attached, balanced
from ._task import GraphTask, Hidden, Split

SMALL, MIDDLE, LARGE = (10, 30), (31, 59), (60, 120)
"""Fewest and most nodes in training and ID, in OOD validation, in the OOD test."""
LINKS = 2


class BaSize(GraphTask):
    """Preferential attachment, edges at random, or a ring with chords?

    All of one mean degree; OOD: 60 to 120 nodes instead of 10 to 30.
    """

    card: ClassVar = TaskCard(
        name="ba-size",
        title="Three kinds of random graph, larger than in training",
        track="graph-ood",
        libraries=("torch_geometric",),
        metrics=ACCURACIES,
        presets={
            "smoke": Preset(
                variants={"size": {}}, params={"per_class": 30, "epochs": 8}, seeds=1, timeout=60
            ),
            "more": Preset(variants={"size": {}}, seeds=3, timeout=300),
        },
        budget="40 epochs of batch 128",
        references=(
            Reference(name="erm", kind="low"),
            Reference(
                name="unbiased",
                kind="high",
                title="The null method trained on as many graphs of the test's sizes",
                solve="train_unbiased",
            ),
        ),
    )
    per_class: Annotated[int, Meta(ge=3)] = 300
    """Training graphs of each class; ID and OOD validation get a third of
    them each, every test two thirds.
    """

    def outputs(self, train: Split) -> tuple[Kind, int]:
        """Three kinds."""
        return "classes", 3

    def splits(self, run: Setup) -> dict[str, Split]:
        """Draw all five."""
        sizes = {
            "train": SMALL,
            "id_val": SMALL,
            "id_test": SMALL,
            "ood_val": MIDDLE,
            "ood_test": LARGE,
        }
        return {name: self.draw(run, name, size) for name, size in sizes.items()}

    def draw(self, run: Run, name: str, size: tuple[int, int], stream: str = "") -> Split:
        """Draw one split, each kind as often as the others."""
        generator = run.numpy_generator("split", stream or name)
        share = {"train": 3, "id_val": 1, "ood_val": 1}.get(name, 2)
        y = balanced(3 * (self.per_class * share // 3), 3, generator)
        graphs = Graphs.pack(
            grown(kind, int(generator.integers(size[0], size[1] + 1)), generator)
            for kind in y.tolist()
        )
        return Split(graphs=graphs, y=torch.from_numpy(y), group=torch.from_numpy(y))

    def train_unbiased(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the null method on as many graphs of the sizes of the OOD test."""
        return train_on(
            self.draw(run, "train", LARGE, "unbiased"),
            self.draw(run, "id_val", LARGE, "unbiased-val"),
            problem,
            hidden,
            run,
        )


def grown(kind: int, nodes: int, generator: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a graph of kind 0 (Barabasi-Albert), 1 (Erdos-Renyi) or 2 (a
    ring and chords) with 2 (``nodes`` - 2) different edges.
    """
    count = LINKS * (nodes - LINKS)
    if kind == 0:
        return np.ones((nodes, 1)), attached(nodes, LINKS, generator)
    pairs = np.stack(np.triu_indices(nodes, 1))
    ring = (pairs[1] - pairs[0] == 1) | (pairs[1] - pairs[0] == nodes - 1)
    fixed = pairs[:, ring] if kind == 2 else pairs[:, :0]
    free = pairs[:, ~ring] if kind == 2 else pairs
    drawn = free[:, generator.choice(free.shape[1], count - fixed.shape[1], replace=False)]
    return np.ones((nodes, 1)), np.concatenate([fixed, drawn], 1)
