"""What the tasks made of bases and motifs share."""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np
import torch
from numpy.random import Generator

from bench import Meta, Preset, Run
from bench.tracks.graph_ood import GraphMethod, Kind, Problem, Solution

from ._shapes import MOTIF_NODES, Drawn
from ._task import GraphTask, Hidden, Split, moved

MOTIFS = 3

GOOD = """@inproceedings{gui2022good,
  title = {GOOD: A Graph Out-of-Distribution Benchmark},
  author = {Gui, Shurui and Li, Xiner and Wang, Limei and Ji, Shuiwang},
  booktitle = {NeurIPS Datasets and Benchmarks},
  year = {2022},
  eprint = {2206.08452},
  archivePrefix = {arXiv}
}"""
SMOKE = Preset(
    variants={"covariate": {}}, params={"per_class": 30, "epochs": 8}, seeds=1, timeout=60
)
QUICK = Preset(variants={"covariate": {}}, seeds=3, timeout=300)
PAPER = Preset(
    variants={"covariate": {}},
    params={
        "per_class": 6000,
        "hidden": 300,
        "dropout": 0.5,
        "lr": 0.001,
        "epochs": 200,
        "decay_at": 150,
        "batch_size": 32,
    },
    seeds=10,
    timeout=36000,
)
"""Presets of the tasks that follow GOOD-Motif."""


class MotifTask(GraphTask):
    """The label is the motif of a graph.

    Training and validation graphs are noisy, tests are clean.
    """

    per_class: Annotated[int, Meta(ge=1)] = 300
    """Training graphs of each class; ID and OOD validation get a third of
    them each, every test two thirds.
    """
    perturb: Annotated[float, Meta(ge=0, le=1)] = 0.05
    """Random edges added to training and validation graphs, as a share of their own."""
    label_noise: Annotated[float, Meta(ge=0, le=1)] = 0.1
    """Share of training and validation labels that are drawn anew from all classes."""

    def outputs(self, train: Split) -> tuple[Kind, int]:
        """Three classes."""
        return "classes", MOTIFS

    def count(self, name: str) -> int:
        """Return how many graphs a split has."""
        share = {"train": 3, "id_val": 1, "ood_val": 1}.get(name, 2)
        return MOTIFS * max(1, self.per_class * share // 3)

    def noise(self, name: str) -> dict[str, float]:
        """Return the noise of a split: none in tests."""
        return (
            {"perturb": self.perturb, "label_noise": self.label_noise}
            if "test" not in name and "large" not in name
            else {}
        )


def split_of(
    drawn: Drawn, bases: int, aligned: np.ndarray | None = None, env: np.ndarray | None = None
) -> Split:
    """Return a split whose groups are pairs of true label and base;
    ``aligned`` (G,) says which graphs follow the bias.
    """
    return Split(
        graphs=drawn.graphs,
        y=torch.from_numpy(drawn.given),
        env=None if env is None else torch.from_numpy(env),
        group=torch.from_numpy(drawn.motif * bases + drawn.base),
        conflict=None if aligned is None else torch.from_numpy(~aligned),
        marked=MOTIF_NODES,
    )


def environments(follows: np.ndarray, rate: float, generator: Generator) -> np.ndarray:
    """Return the environment, 0 to 2, of graphs that follow a bias or not (G,).

    Each of the three has its own share of graphs that follow: ``rate``, and two thirds of the
    lesser of ``rate`` and 1 - ``rate`` more and less. The environment of a graph is drawn given
    whether it follows, so the graphs are the same whether anybody asks for environments or not.

    Args:
        follows: whether a graph follows the bias (G,), bool.
        rate: share of graphs that do, over all environments.
        generator: draws the environments.
    """
    rates = rate + 2 / 3 * min(rate, 1 - rate) * np.array([1.0, 0.0, -1.0])
    odds = np.where(follows[:, None], rates, 1 - rates).cumsum(1)
    return (generator.random((len(follows), 1)) * odds[:, -1:] > odds[:, :-1]).sum(1)


def train_on(
    train: Split, validation: Split, problem: Problem, hidden: Hidden, run: Run
) -> Solution:
    """Train the null method on other graphs than the problem's.

    ID validation, which chooses its epoch as anyone's, is of their kind too.
    """
    hidden.watch("id_val", moved(validation, run.device))
    return GraphMethod().solve(
        msgspec.structs.replace(
            problem, graphs=train.graphs.to(run.device), y=train.y.to(run.device)
        ),
        run,
    )


__all__ = [
    "GOOD",
    "MOTIFS",
    "PAPER",
    "QUICK",
    "SMOKE",
    "Hidden",
    "MotifTask",
    "environments",
    "split_of",
    "train_on",
]
