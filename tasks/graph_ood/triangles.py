"""Count the triangles of a graph; judged on larger graphs than any in training."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from numpy.random import Generator

from bench import Meta, Preset, Reference, Run, Setup, TaskCard
from bench.tracks.graph_ood import Kind, Problem, Solution
from bench.training.graphs import Graphs

from ._motif_task import train_on
from ._scores import ACCURACIES
from ._task import GraphTask, Hidden, Split

CLASSES = 10
"""One triangle to ten."""
SMALL, MIDDLE, LARGE = (4, 25), (26, 50), (26, 100)
"""Fewest and most nodes in training and ID, in OOD validation, in the OOD test."""


class Triangles(GraphTask):
    """Random graphs of 4 to 25 nodes with one to ten triangles; OOD: 26 to 100 nodes."""

    card: ClassVar = TaskCard(
        name="triangles",
        title="Count triangles in larger graphs than any in training",
        track="graph-ood",
        libraries=("torch_geometric",),
        paper="arXiv:1905.02850",
        bibtex="""@inproceedings{knyazev2019attention,
  title = {Understanding Attention and Generalization in Graph Neural Networks},
  author = {Knyazev, Boris and Taylor, Graham W. and Amer, Mohamed R.},
  booktitle = {NeurIPS},
  year = {2019},
  eprint = {1905.02850},
  archivePrefix = {arXiv}
}""",
        metrics=ACCURACIES,
        presets={
            "smoke": Preset(
                variants={"size": {}}, params={"per_class": 9, "epochs": 8}, seeds=1, timeout=60
            ),
            "more": Preset(variants={"size": {}}, params={"epochs": 60}, seeds=3, timeout=600),
            "paper": Preset(
                variants={"size": {}},
                params={"per_class": 3000, "hidden": 64, "epochs": 100},
                seeds=10,
                timeout=36000,
            ),
        },
        budget="60 epochs of batch 128",
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
    per_class: Annotated[int, Meta(ge=3)] = 90
    """Training graphs of each class; ID and OOD validation get a third of
    them each, every test two thirds.
    """

    def outputs(self, train: Split) -> tuple[Kind, int]:
        """Ten classes."""
        return "classes", CLASSES

    def readout(self) -> Literal["mean", "add"]:
        """Sum: a mean can't count."""
        return "add"

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
        """Draw one split, each number of triangles as often as the others."""
        share = {"train": 3, "id_val": 1, "ood_val": 1}.get(name, 2)
        graphs, y = draw_triangles(
            self.per_class * share // 3, size, run.numpy_generator("split", stream or name)
        )
        return Split(graphs=graphs, y=y, group=y)

    def train_unbiased(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the null method on as many graphs of the sizes of the OOD test."""
        return train_on(
            self.draw(run, "train", LARGE, "unbiased"),
            self.draw(run, "id_val", LARGE, "unbiased-val"),
            problem,
            hidden,
            run,
        )


def draw_triangles(
    per_class: int, size: tuple[int, int], generator: Generator
) -> tuple[Graphs, torch.Tensor]:
    """Return graphs G(n, m), n even over ``size``, m = floor((1 + U[0, 1)) n), and their triangles
    less one, ``per_class`` of each.

    Whatever has no triangle, more than ten, or a number of which there are enough is drawn again.
    """
    wanted = np.full(CLASSES, per_class)
    graphs, labels = [], []
    while wanted.any():
        nodes = int(generator.integers(size[0], size[1] + 1))
        pairs = np.stack(np.triu_indices(nodes, 1))
        count = min(int((1 + generator.random()) * nodes), pairs.shape[1])
        edges = pairs[:, generator.choice(pairs.shape[1], count, replace=False)]
        adjacency = np.zeros((nodes, nodes))
        adjacency[edges[0], edges[1]] = adjacency[edges[1], edges[0]] = 1
        # trace of A^3, each triangle six times
        label = round(float(((adjacency @ adjacency) * adjacency).sum()) / 6) - 1
        if 0 <= label < CLASSES and wanted[label]:
            wanted[label] -= 1
            graphs.append((np.ones((nodes, 1)), edges))
            labels.append(label)
    order = generator.permutation(len(labels))
    return Graphs.pack(graphs[k] for k in order), torch.tensor(labels)[order]
