"""What the tasks made of bases and motifs share."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import Meta, Run
from bench.tracks.graph_ood import GraphMethod, Problem, Solution

from ._shapes import MOTIF_NODES, Drawn
from ._task import GraphTask, Hidden, Split

MOTIFS = 3


class MotifTask(GraphTask):
    """The label is the motif of a graph. Training and validation graphs are noisy, tests are clean."""

    per_class: Annotated[int, Meta(ge=1)] = 300
    """Training graphs of each class; ID and OOD validation get a third of them each, every test two thirds."""
    perturb: Annotated[float, Meta(ge=0, le=1)] = 0.05
    """Random edges added to training and validation graphs, as a share of their own."""
    label_noise: Annotated[float, Meta(ge=0, le=1)] = 0.1
    """Share of training and validation labels that are drawn anew from all classes."""

    def outputs(self, train: Split) -> tuple[Literal["classes", "numbers"], int]:
        """Three classes."""
        return "classes", MOTIFS

    def count(self, name: str) -> int:
        """Return how many graphs a split has."""
        share = {"train": 3, "id_val": 1, "ood_val": 1}.get(name, 2)
        return MOTIFS * max(1, self.per_class * share // 3)

    def noise(self, name: str) -> dict[str, float]:
        """Return the noise of a split: none in tests."""
        return {"perturb": self.perturb, "label_noise": self.label_noise} if "test" not in name and "large" not in name else {}


def split_of(drawn: Drawn, bases: int, aligned: np.ndarray | None = None, env: np.ndarray | None = None) -> Split:
    """Return a split whose groups are pairs of true label and base; ``aligned`` (G,) says which graphs follow the bias."""
    return Split(
        graphs=drawn.graphs,
        y=torch.from_numpy(drawn.given),
        env=None if env is None else torch.from_numpy(env),
        group=torch.from_numpy(drawn.motif * bases + drawn.base),
        conflict=None if aligned is None else torch.from_numpy(~aligned),
        marked=MOTIF_NODES,
    )


class _ToTheEnd(GraphMethod, frozen=True, kw_only=True):
    every_epoch: ClassVar = False


def train_on(split: Split, problem: Problem, run: Run) -> Solution:
    """Train the null method on other graphs than the problem's, to the last epoch: its validation graphs are not like these."""
    replaced = msgspec.structs.replace(problem, graphs=split.graphs.to(run.device), y=split.y.to(run.device))
    return _ToTheEnd().solve(replaced, run)


__all__ = ["MOTIFS", "Hidden", "MotifTask", "split_of", "train_on"]
