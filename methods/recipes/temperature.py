"""Temperature scaling (arXiv:1706.04599)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard, Run
from bench.training.calibration import fit_temperature
from bench.training.recipe import Model, Problem, Recipe, Seeds, Solution, train
from bench.training.stack import StackedNet

from ._held_out import split
from ._readouts import Changed


class _State:
    """What is trained on, the rows held out (K, h), and each member's temperature (K,)."""

    def __init__(self, seeds: Seeds, held: torch.Tensor) -> None:
        self.seeds, self.held, self.scale = seeds, held, [1.0] * seeds.members


class Temperature(Recipe):
    """Train on most rows; divide the logits by the temperature that makes the labels of the others
    most likely.
    """

    card: ClassVar = MethodCard(
        name="temperature",
        title="Temperature scaling",
        track="recipes",
        paper="arXiv:1706.04599",
        bibtex="""@inproceedings{guo2017calibration,
  title = {On Calibration of Modern Neural Networks},
  author = {Guo, Chuan and Pleiss, Geoff and Sun, Yu and Weinberger, Kilian Q.},
  booktitle = {ICML},
  year = {2017},
  eprint = {1706.04599},
  archivePrefix = {arXiv}
}""",
        claim="One number repairs the confidence of a net, and leaves its classes alone.",
        official_code="ok",
        deviates="The validation rows are taken from the training rows, so that the net has fewer.",
        signal="held-out",
        stacked=True,
        defaults_from="here",
        trials=3,
        tuning={"share": (0.1, 0.2, 0.3)},
    )
    share: Annotated[float, Meta(gt=0, le=0.5)] = 0.2
    """Share of the rows that the temperature is fitted on."""

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Any]:
        """Hold rows out, train on the others, fit the temperature."""
        seeds = self.gather(problems, runs)
        seeds.nets = seeds.build()
        kept, held = split(seeds, self.share)
        part = seeds.part(kept)
        state = _State(part, held)
        train(self, part, state)
        logits, y = part.logits(part.nets, held), part.y.gather(1, held)
        state.scale = [fit_temperature(*own) for own in zip(logits, y, strict=True)]
        return [Solution(model=self.readout(state, part.nets, k)) for k in range(part.members)]

    def readout(self, state: _State, nets: StackedNet, k: int) -> Model:
        """Return net ``k`` with its temperature."""
        scale = state.scale[k]
        return Changed(nets.member(k), lambda logits: logits / scale)
