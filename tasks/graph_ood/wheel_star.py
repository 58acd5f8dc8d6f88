"""A wheel tells the label, and in training a star nearly does."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch
from numpy.random import Generator

from bench import Meta, Preset, Reference, Run, Setup, TaskCard
from bench.tracks.graph_ood import Kind, Problem, Solution
from bench.training.graphs import Graphs

from ._motif_task import environments, train_on
from ._scores import ACCURACIES
from ._shapes import attached, balanced, star, wheel
from ._task import GraphTask, Hidden, Split

ADDED = 6
"""Nodes of a wheel, of a decoy and of a star."""
DECOY = wheel(ADDED)[:, [0, 2, *range(ADDED - 1, 2 * ADDED - 2)]]
"""A wheel with two of its spokes, in graphs without a wheel: the same
size, and hard to tell apart.
"""


class WheelStar(GraphTask):
    """Is there a wheel, or a wheel without most of its spokes?

    In training a star stands in most graphs with one and in few without; OOD: in half of both.
    """

    card: ClassVar = TaskCard(
        name="wheel-star",
        title="A wheel for the label, a star beside it in training",
        track="graph-ood",
        libraries=("torch_geometric",),
        paper="arXiv:2111.10657",
        metrics=ACCURACIES,
        presets={
            "smoke": Preset(
                variants={"mu90": {"rate": 0.9}},
                params={"per_class": 45, "epochs": 8},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"mu90": {"rate": 0.9}},
                params={"backbone": "gcn", "virtual_node": True, "decay_at": 30},
                seeds=3,
                timeout=300,
            ),
            "more": Preset(
                variants={
                    "mu90": {"rate": 0.9},
                    "mu80": {"rate": 0.8},
                    "mu70": {"rate": 0.7},
                    "mu60": {"rate": 0.6},
                },
                seeds=3,
                timeout=300,
            ),
        },
        budget="40 epochs of batch 128",
        offers={"env": {}},
        references=(
            Reference(name="erm", kind="low"),
            Reference(
                name="unbiased",
                kind="high",
                title="The null method trained on as many graphs without the bias",
                solve="train_unbiased",
            ),
            Reference(
                name="group-oracle",
                kind="control",
                title="The null method with known groups weighed alike",
                solve="train_with_group_weights",
            ),
        ),
    )
    rate: Annotated[float, Meta(ge=0, le=1)] = 0.9
    """Share of graphs with a wheel that have a star too in training; of those without, the rest. In
    the three environments that methods may ask for it is ``rate``, and two thirds of the lesser of
    ``rate`` and 1 - ``rate`` more and less.
    """
    label_noise: Annotated[float, Meta(ge=0, le=1)] = 0.1
    """Share of training and validation labels that are drawn anew."""
    per_class: Annotated[int, Meta(ge=3)] = 450
    """Training graphs of each class; ID and OOD validation get a third of
    them each, every test two thirds.
    """

    def outputs(self, train: Split) -> tuple[Kind, int]:
        """Two classes."""
        return "classes", 2

    def splits(self, run: Setup) -> dict[str, Split]:
        """Draw all five."""
        return {
            name: self.draw(run, name, name in ("train", "id_val", "id_test"))
            for name in ("train", "id_val", "id_test", "ood_val", "ood_test")
        }

    def draw(self, run: Run, name: str, inside: bool, stream: str = "") -> Split:
        """Draw one split, with the bias or without."""
        generator = run.numpy_generator("split", stream or name)
        share = {"train": 3, "id_val": 1, "ood_val": 1}.get(name, 2)
        label = balanced(2 * (self.per_class * share // 3), 2, generator)
        follows = generator.random(len(label)) < (self.rate if inside else 0.5)
        starred = np.where(follows, label, 1 - label)
        graphs = Graphs.pack(
            _graph(bool(a), bool(b), generator) for a, b in zip(label, starred, strict=True)
        )
        redrawn = generator.random(len(label)) < (0.0 if "test" in name else self.label_noise)
        given = np.where(redrawn, generator.integers(0, 2, len(label)), label)
        draws = run.numpy_generator("split", name, "environments")
        env = environments(follows, self.rate, draws) if inside else None
        return Split(
            graphs=graphs,
            y=torch.from_numpy(given),
            env=None if env is None else torch.from_numpy(env),
            group=torch.from_numpy(2 * label + starred),
            conflict=torch.from_numpy(starred != label),
        )

    def train_unbiased(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the null method on as many graphs, as
        noisy, in which the star says nothing.
        """
        train, validation = (
            self.draw(run, name, inside=False, stream=stream)
            for name, stream in (("train", "unbiased"), ("id_val", "unbiased-val"))
        )
        return train_on(train, validation, problem, hidden, run)


def _graph(wheeled: bool, starred: bool, generator: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a Barabasi-Albert graph of 15 to 25 nodes with a wheel or a
    decoy, and perhaps a star, each held by one edge.
    """
    nodes = int(generator.integers(15, 26))
    parts = [attached(nodes, 2, generator)]
    for shape in [wheel(ADDED) if wheeled else DECOY, *[star(ADDED)] * starred]:
        joint = np.array(
            [[nodes + int(generator.integers(ADDED))], [generator.integers(parts[0].max() + 1)]]
        )
        parts += [shape + nodes, joint]
        nodes += ADDED
    return np.ones((nodes, 1)), np.concatenate(parts, 1)
