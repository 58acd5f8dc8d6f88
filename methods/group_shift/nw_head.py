"""A Nadaraya-Watson head (arXiv:2309.13377)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from torch import nn

from bench import InvalidRun, Meta, MethodCard
from bench.tracks.group_shift import Batch, GroupMethod, Model, Seeds
from bench.training.stack import MemberNet, StackedNet

_LEAST = 1e-12
"""What is added to a probability before its logarithm is taken."""


def log_shares(
    query: torch.Tensor, support: torch.Tensor, classes: int, same: torch.Tensor | None = None
) -> torch.Tensor:
    """Return log p of the classes (..., B, C): p_c is the share of class c in the softmax over
    minus the distances to the support (equations 1 and 2 of the paper).

    Args:
        query: features (..., B, D).
        support: features (..., C n, D), n of each class, class by class.
        classes: C.
        same: support rows that are the query's own row (..., B, C n), bool, which do not count.
    """
    squared = (
        query.square().sum(-1, keepdim=True)
        + support.square().sum(-1)[..., None, :]
        - 2 * query @ support.mT
    )
    near = -(squared.clamp_min(0) + _LEAST).sqrt()
    if same is not None:
        near = near.masked_fill(same, -torch.inf)
    return (near.softmax(-1).unflatten(-1, (classes, -1)).sum(-1) + _LEAST).log()


class _Supports:
    """Draws support rows of every member: of each class as many, of one environment."""

    def __init__(self, seeds: Seeds, single: bool, shots: int) -> None:
        self.seeds, self.shots, self.classes = seeds, shots, seeds.problem.n_classes
        env = seeds.env if single else torch.zeros_like(seeds.env)
        self.envs = int(env.max()) + 1
        cells = (env * self.classes + seeds.y).cpu().numpy()
        self._generators = [run.numpy_generator("method", "support") for run in seeds.runs]
        shuffled = [
            generator.permutation(seeds.n_rows) for generator in self._generators
        ]  # so that the first rows of a cell are any of it
        self._rows = np.stack(
            [
                row[np.argsort(cell[row], kind="stable")]
                for row, cell in zip(shuffled, cells, strict=True)
            ]
        )
        self._count = np.stack(
            [np.bincount(cell, minlength=self.envs * self.classes) for cell in cells]
        ).reshape(seeds.members, self.envs, self.classes)
        if (self._count == 0).any():
            raise InvalidRun(
                "an environment has no row of some class, and the head wants rows of every class "
                "of each; use support='random', or environments with all classes"
            )
        starts = self._count.reshape(seeds.members, -1).cumsum(1).reshape(self._count.shape)
        self._start = starts - self._count

    def draw(self, steps: int) -> torch.Tensor:
        """Return the support of so many steps (K, steps, C n), each of an environment drawn for the
        step.
        """
        chosen, drawn = [], []
        for generator in self._generators:
            chosen.append(generator.integers(0, self.envs, steps))
            drawn.append(generator.random((steps, self.classes, self.shots)))
        env, place = np.stack(chosen), np.stack(drawn)
        member = np.arange(len(env))[:, None]
        count, start = self._count[member, env], self._start[member, env]
        rows = start[..., None] + (place * count[..., None]).astype(np.int64)
        found = np.take_along_axis(self._rows, rows.reshape(len(env), -1), 1)
        return torch.from_numpy(found.reshape(len(env), steps, -1)).to(self.seeds.device)

    def full(self, shots: int) -> torch.Tensor:
        """Return the support of each environment (K, E, C n): the same rows of a class again where
        it has fewer.
        """
        rows = self._start[..., None] + np.arange(shots) % self._count[..., None]
        found = np.take_along_axis(self._rows, rows.reshape(len(rows), -1), 1)
        shape = (len(rows), self.envs, self.classes * shots)
        return torch.from_numpy(found.reshape(shape)).to(self.seeds.device)


class _State:
    """Supports of the epoch at hand (K, steps, C n) and of the test (K, E, C n)."""

    def __init__(self, seeds: Seeds, single: bool, shots: int, full: int, together: bool) -> None:
        self.seeds, self.supports = seeds, _Supports(seeds, single, shots)
        self.full = self.supports.full(full)
        if together:
            # one support of all environments
            self.full = self.full.unflatten(2, (seeds.problem.n_classes, full))
            self.full = self.full.transpose(1, 2).flatten(1)[:, None]
        self.draw()

    def draw(self) -> None:
        """Draw the supports of an epoch."""
        self.epoch = self.supports.draw(self.seeds.steps)


class _Nearest(nn.Module):
    """A net and features of its support, an environment each (E, C n, D): the mean over the
    environments of what they say.
    """

    def __init__(self, net: MemberNet, support: torch.Tensor, classes: int) -> None:
        super().__init__()
        self.net, self.classes = net, classes
        with torch.no_grad():
            self._support = torch.stack([net.features(rows) for rows in support])
        self.eval()

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return what distances are taken of (n, D)."""
        return self.net.features(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (n, ...) to logits (n, C)."""
        said = log_shares(self.net.features(x), self._support, self.classes)
        return said.logsumexp(0).log_softmax(-1)


class NearestSupport(GroupMethod):
    """Predict the classes of near rows; while the net is trained all of these come from one
    environment.
    """

    card: ClassVar = MethodCard(
        name="nw-head",
        title="Nadaraya-Watson head",
        track="group-shift",
        paper="arXiv:2309.13377",
        bibtex="""@inproceedings{wang2023learning,
  title = {Learning Invariant Representations with a Nonparametric Nadaraya-Watson Head},
  author = {Wang, Alan Q. and Nguyen, Minh and Sabuncu, Mert R.},
  booktitle = {NeurIPS},
  year = {2023},
  eprint = {2309.13377},
  archivePrefix = {arXiv}
}""",
        claim="Supports of a single environment make the net learn features that do not depend "
        "on the environment.",
        official_code="ok",
        deviates="Every class is in each support, drawn with replacement, and a row is never in "
        "the support of itself. AdamW, net and batch of the task; 32 rows a class instead of 1.",
        needs=("env",),
        signal="env",
        stacked=True,
        defaults_from="here",
        tuning={"shots": (1, 8, 32)},
    )
    support: Literal["single", "random"] = "single"
    """Rows of one environment, drawn for each step, or of all."""
    shots: Annotated[int, Meta(ge=1)] = 32
    """Support rows of a class while the net is trained."""
    full_shots: Annotated[int, Meta(ge=1)] = 100
    """Support rows of a class and environment in the test."""
    predict: Literal["ensemble", "full"] = "ensemble"
    """The mean of what each environment's support says, or one support of all."""

    def start(self, seeds: Any) -> _State:
        """Draw the supports of the test, and of the first epoch."""
        single, together = self.support == "single", self.predict == "full"
        return _State(seeds, single, self.shots, self.full_shots, together)

    def forward(self, state: Any, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return log p (K, B, C)."""
        rows = state.epoch[:, batch.step]
        both = torch.cat([batch.x, state.seeds.inputs(rows)], 1)
        state.seeds.count(forward=rows.shape[1], backward=rows.shape[1])
        query, support = nets.features(both).split([batch.x.shape[1], rows.shape[1]], 1)
        same = batch.rows[..., None] == rows[:, None]
        return log_shares(query, support, state.seeds.problem.n_classes, same)

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Return -log p of the label."""
        return -logits.gather(-1, batch.y[..., None])[..., 0]

    def after_epoch(self, state: Any, epoch: int) -> None:
        """Draw the supports of the next epoch."""
        state.draw()

    def readout(self, state: Any, nets: StackedNet, k: int) -> Model:
        """Return the net with the full supports as they are now."""
        support = state.seeds.problems[k].x.to(state.seeds.device)[state.full[k]]
        return _Nearest(nets.member(k), support, state.seeds.problem.n_classes)
