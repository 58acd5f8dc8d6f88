"""Rotation and consistency beside noisy labels, after RDCR (arXiv:1905.13305)."""

from __future__ import annotations

import copy
import math
from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import BenchError, Meta, MethodCard
from bench.tracks.noisy_labels import Batch, Model, NoisyLabelMethod, Seeds, cross_entropy
from bench.training.stack import StackedNet


class _State:
    """The averaged copy of the nets, and the quarter turns of the epoch at hand."""

    def __init__(self, seeds: Seeds) -> None:
        shape = seeds.problem.x.shape[1:]
        if len(shape) < 2 or shape[-1] != shape[-2]:
            raise BenchError(
                "rdcr turns its inputs by quarters and needs square images; those of this task "
                f"have the shape {tuple(shape)}."
            )
        self.seeds, self.step, self.total = seeds, 0, seeds.problem.epochs * seeds.steps
        self.teacher = copy.deepcopy(seeds.nets).requires_grad_(False)
        self.draws = [run.numpy_generator("method", "turns") for run in seeds.runs]
        self.draw()

    def draw(self) -> None:
        """Draw an epoch: how far each row is turned, in quarters."""
        turns = np.stack([generator.integers(0, 4, self.seeds.drawn) for generator in self.draws])
        self.turns = (
            torch.from_numpy(turns).to(self.seeds.device).split(self.seeds.problem.batch_size, 1)
        )


class RotationConsistency(NoisyLabelMethod):
    """Learn from noisy labels, and from two signals that are free of noise: how far a picture was
    turned, and what an averaged copy of the net says.
    """

    card: ClassVar = MethodCard(
        name="rdcr",
        title="Rotation and consistency beside noisy labels",
        track="noisy-labels",
        paper="arXiv:1905.13305",
        bibtex="""@article{tsai2019countering,
  title = {Countering Noisy Labels By Learning From Auxiliary Clean Labels},
  author = {Tsai, Tsung Wei and Li, Chongxuan and Zhu, Jun},
  year = {2019},
  eprint = {1905.13305},
  archivePrefix = {arXiv},
  journal = {arXiv preprint}
}""",
        claim="Clean targets made from the pictures themselves hold up where most labels are "
        "wrong, and cost nothing where few are.",
        official_code="none",
        deviates=(
            "Written from the abstract: the paper's weights and the way it decouples turned and "
            "upright pictures could not be read. Turning is a poor task for digits: a turned 6 is "
            "a 9, a turned 0 is a 0."
        ),
        stacked=True,
        inputs="pictures",
        defaults_from="here",
        trials=None,
        tuning={"rotation": (0.3, 1.0, 3.0), "consistency": (3.0, 10.0, 30.0)},
    )
    extra: ClassVar[int] = 4
    rotation: Annotated[float, Meta(ge=0)] = 1.0
    """Weight of the cross entropy of the quarter turn."""
    consistency: Annotated[float, Meta(ge=0)] = 10.0
    """Weight of the squared distance to the averaged copy's probabilities,
    once its ramp is over.
    """
    consistency_ramp: Annotated[float, Meta(ge=0, le=1)] = 0.2
    """Share of the steps over which that weight rises."""
    average: Annotated[float, Meta(ge=0, lt=1)] = 0.99
    """Memory of the averaged weights."""

    def start(self, seeds: Seeds) -> _State:
        """Copy the nets and draw the first turns."""
        return _State(seeds)

    def forward(self, state: _State, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return the outputs (2, K, B, C + 4) on the rows as they are and on the rows turned."""
        turned = _turned(batch.x, state.turns[batch.step])
        return torch.stack([nets(batch.x), nets(turned)])

    def loss(self, state: _State, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """CE(label) + rotation CE(turn) + ramp consistency |p - p of the averaged copy|^2."""
        for mine, theirs in zip(
            state.teacher.parameters(), state.seeds.nets.parameters(), strict=True
        ):
            mine.lerp_(theirs.detach(), 1 - min(self.average, 1 - 1 / (state.step + 1)))
        # in training mode: the copy averages weights alone and takes a batch's own statistics
        with torch.no_grad():
            target = state.teacher(batch.x)[..., : -self.extra].softmax(-1)
        length = self.consistency_ramp * state.total
        ramp = math.exp(-5 * (1 - min(1.0, state.step / length)) ** 2) if length else 1.0
        state.step += 1
        labels, turns = logits[0, ..., : -self.extra], logits[1, ..., -self.extra :]
        distance = ((labels.softmax(-1) - target) ** 2).sum(-1)
        return (
            cross_entropy(labels, batch.y)
            + self.rotation * cross_entropy(turns, state.turns[batch.step])
            + self.consistency * ramp * distance
        )

    def after_epoch(self, state: _State, epoch: int) -> None:
        """Count the turned rows and what the averaged copy saw; draw the next turns."""
        state.seeds.count(forward=2 * state.seeds.drawn, backward=state.seeds.drawn)
        state.draw()

    def readout(self, state: _State, nets: StackedNet, k: int) -> Model:
        """Return the net without the outputs for turns."""
        return _Labels(super().readout(state, nets, k), self.extra)


def _turned(x: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """Return pictures (K, B, ..., H, W), each turned by its number of quarters (K, B)."""
    upright, turns = x.flatten(0, 1), turns.flatten()
    turned = upright.clone()
    for quarters in (1, 2, 3):
        rows = (turns == quarters).nonzero()[:, 0]
        turned.index_copy_(0, rows, torch.rot90(upright.index_select(0, rows), quarters, (-2, -1)))
    return turned.view(x.shape)


class _Labels(torch.nn.Module):
    """A net's outputs but for the last few."""

    def __init__(self, net: Model, extra: int) -> None:
        super().__init__()
        self.net, self.extra = net, extra

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (n, ...) to logits (n, C)."""
        return self.net(x)[..., : -self.extra]
