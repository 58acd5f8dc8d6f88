"""Digits as graphs of superpixels, whose intensities are noisy out of distribution."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
import numpy as np
import torch

from bench import Meta, Preset, Reference, Run, Setup, TaskCard
from bench.tracks.graph_ood import Kind, Problem, Solution
from bench.training.graphs import Graphs

from ._motif_task import train_on
from ._scores import ACCURACIES
from ._task import GraphTask, Hidden, Split

SHARES = {"train": 0.5, "id_val": 0.1, "id_test": 0.15, "ood_val": 0.1, "ood_test": 0.15}


class Digits75sp(GraphTask):
    """Which digit is it?

    OOD: noise on the intensity of each superpixel, with a standard deviation of .4 in [0, 1].
    """

    card: ClassVar = TaskCard(
        name="digits75sp",
        title="Digits as superpixel graphs, noisy out of distribution",
        track="graph-ood",
        datasets=("digits75sp",),
        libraries=("torch_geometric",),
        paper="arXiv:1905.02850",
        metrics=ACCURACIES,
        presets={
            "smoke": Preset(
                variants={"noise40": {"noise": 0.4}},
                params={"hidden": 16, "epochs": 4},
                seeds=1,
                timeout=300,
            ),
            "more": Preset(
                variants={"noise40": {"noise": 0.4}},
                params={"hidden": 64, "epochs": 60},
                seeds=3,
                timeout=600,
            ),
        },
        budget="60 epochs of batch 128",
        references=(
            Reference(name="erm", kind="low"),
            Reference(
                name="unbiased",
                kind="high",
                title="The null method trained on the same graphs with the test's noise",
                solve="train_unbiased",
            ),
        ),
    )
    noise: Annotated[float, Meta(ge=0)] = 0.4
    """Standard deviation of what is added to intensities out of distribution."""

    def outputs(self, train: Split) -> tuple[Kind, int]:
        """Ten digits."""
        return "classes", 10

    def splits(self, run: Setup) -> dict[str, Split]:
        """Cut the digits into five; add noise to two."""
        data = run.dataset("digits75sp")
        order = run.numpy_generator("split").permutation(len(data.y))
        ends = np.round(np.cumsum([0.0, *SHARES.values()]) * len(order)).astype(int)
        found = {}
        for name, start, end in zip(SHARES, ends[:-1], ends[1:], strict=True):
            rows = torch.from_numpy(np.sort(order[start:end])).to(data.y.device)
            plain = Split(graphs=data.graphs.take(rows), y=data.y[rows], group=data.y[rows])
            found[name] = self.noisy(plain, run, name) if name.startswith("ood") else plain
        return found

    def noisy(self, split: Split, run: Run, stream: str) -> Split:
        """Return a split with noise on its intensities."""
        drawn = (
            run.numpy_generator("corruption", stream).standard_normal(len(split.graphs.x))
            * self.noise
        )
        x = split.graphs.x.clone()
        x[:, 0] += torch.from_numpy(drawn).to(x)
        return msgspec.structs.replace(
            split, graphs=Graphs(x, split.graphs.edges, split.graphs.nodes, split.graphs.degrees)
        )

    def train_unbiased(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the null method on the training graphs with
        the noise of the OOD test.
        """
        train, validation = (
            self.noisy(hidden.splits[name], run, f"{name}-unbiased") for name in ("train", "id_val")
        )
        return train_on(train, validation, problem, hidden, run)
