"""Cross entropy with averaged weights (an exponential form of arXiv:1803.05407)."""

from __future__ import annotations

import copy
from typing import Annotated, ClassVar

from bench import Meta, MethodCard
from bench.tracks.noisy_labels import Batch, Model, NoisyLabelMethod, Seeds
from bench.training.stack import StackedNet


class _State:
    """The averaged copy of the nets, and how many steps it has seen."""

    def __init__(self, seeds: Seeds) -> None:
        self.seeds, self.nets, self.step = seeds, copy.deepcopy(seeds.nets).requires_grad_(False), 0


class WeightAverage(NoisyLabelMethod):
    """Train with cross entropy; predict with a moving average of the weights."""

    card: ClassVar = MethodCard(
        name="ce-average",
        title="Cross entropy with a moving average of the weights",
        track="noisy-labels",
        paper="arXiv:1803.05407",
        bibtex="""@inproceedings{izmailov2018averaging,
  title = {Averaging Weights Leads to Wider Optima and Better Generalization},
  author = {Izmailov, Pavel and Podoprikhin, Dmitrii and Garipov, Timur and Vetrov, Dmitry and
    Wilson, Andrew Gordon},
  booktitle = {UAI},
  year = {2018},
  eprint = {1803.05407},
  archivePrefix = {arXiv}
}""",
        claim="Averaged weights generalise better than those of the last step, at no cost; no "
        "claim about wrong labels.",
        deviates="An exponential average of every step, with the task's falling rate, instead of a "
        "mean of epochs at a constant or cyclic one.",
        stacked=True,
        plain=True,
        defaults_from="here",
        trials=2,
    )
    memory: Annotated[float, Meta(ge=0, lt=1)] = 0.997
    """What the average keeps of itself in a step; the true mean of all steps until that reaches it.

    0: the last weights.
    """

    def start(self, seeds: Seeds) -> _State:
        """Copy the nets."""
        return _State(seeds)

    def before_step(self, state: _State, nets: StackedNet, batch: Batch) -> None:
        """Follow the step before, within an epoch."""
        if batch.step:
            self._follow(state, nets)

    def after_epoch(self, state: _State, epoch: int) -> None:
        """Follow the last step of the epoch."""
        self._follow(state, state.seeds.nets)

    def _follow(self, state: _State, nets: StackedNet) -> None:
        """Move the averaged weights, and the statistics of a BatchNorm
        with them, towards those that the last step made.
        """
        memory = min(1 - 1 / (state.step + 1), self.memory)
        theirs = (*nets.parameters(), *nets.buffers())
        for mine, other in zip(
            (*state.nets.parameters(), *state.nets.buffers()), theirs, strict=True
        ):
            if mine.is_floating_point():
                mine.lerp_(other.detach(), 1 - memory)
            else:
                mine.copy_(other)
        state.step += 1

    def readout(self, state: _State, nets: StackedNet, k: int) -> Model:
        """Return the average."""
        found: Model = state.nets.member(k)
        return found
