"""Values by a net that learns to choose rows (arXiv:1909.11671)."""

from __future__ import annotations

import itertools
import math
from typing import Annotated, ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from bench import InvalidRun, Meta, Method, MethodCard, Run
from bench.tracks.data_valuation import FITS, Problem, Reported, Solution
from bench.tracks.data_valuation_games import game_of
from bench.tracks.data_valuation_linear import design, fitted, outputs_of

WINDOW = 20
"""Steps over which the mean value is what a set is compared with."""
LEAST = 0.1
"""Least distance of the mean probability from 0 and 1, and the weight of coming nearer."""
PULL = 1000.0


class Reinforced(Method):
    """A net gives every row a probability to be chosen, and is rewarded by the value of the chosen
    rows; the probability is the row's value.
    """

    card: ClassVar = MethodCard(
        name="dvrl",
        title="Data valuation by reinforcement learning",
        track="data-valuation",
        paper="arXiv:1909.11671",
        bibtex="""@inproceedings{yoon2020data,
  title = {Data Valuation using Reinforcement Learning},
  author = {Yoon, Jinsung and Arik, Sercan O. and Pfister, Tomas},
  booktitle = {ICML},
  year = {2020},
  eprint = {1909.11671},
  archivePrefix = {arXiv}
}""",
        claim="A net that learns to choose rows by the reward of a predictor finds wrong labels "
        "better than leave-one-out and Shapley values do.",
        deviates="The predictor is the utility's learner, fitted to its minimum on each chosen "
        "set of all rows; the paper takes some steps of a net on a batch. A step of the chooser "
        "has eight sets. Reward is the utility. The chooser has two hidden layers, and sees the "
        "distance of the label from the validation model's answer beside the inputs, where public "
        "code has five layers and joins that distance after them. The validation model is a "
        "logistic regression (least squares for numbers).",
        signal="utility",
        needs=("utility",),
        defaults_from="here",
    )
    steps: Annotated[int, Meta(ge=1)] = 250
    """Steps of the chooser."""
    sets: Annotated[int, Meta(ge=2)] = 8
    """Sets of each step, one fit each."""
    hidden: Annotated[int, Meta(ge=1)] = 100
    """Width of its two hidden layers."""
    rate: Annotated[float, Meta(gt=0, le=1)] = 0.01
    """Learning rate."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Choose, fit, reward; report the probabilities at fixed numbers of fits."""
        game = game_of(problem)
        steps = self.steps
        if problem.max_fits is not None:
            steps = min(steps, (problem.max_fits - 1) // self.sets)
            if steps < 1:
                raise InvalidRun(
                    f"max_fits is {problem.max_fits}, fewer than the {self.sets + 1} that one step "
                    f"of {self.sets} sets and the validation model take; allow more fits or use "
                    "fewer sets"
                )
        generator = run.numpy_generator("method")
        seen = _seen(problem)
        net = _net(seen.shape[1], self.hidden, int(generator.integers(2**31))).to(seen)
        optimiser = torch.optim.Adam(net.parameters(), self.rate)
        expected = 0.0
        for step in range(1, steps + 1):
            logits = net(seen)[:, 0]
            drawn = torch.from_numpy(generator.random((self.sets, game.n))).to(seen)
            masks = drawn < logits.detach().sigmoid()
            values = game.values(masks)
            mean = float(values.mean())
            expected = mean if step == 1 else expected + (mean - expected) / WINDOW
            loss = -((values - expected).to(seen) * _likelihood(logits, masks)).mean()
            optimiser.zero_grad()
            (loss + PULL * _crowding(logits.sigmoid().mean())).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if step * self.sets in FITS:
                run.report(step * self.sets, Reported(value=_value(net, seen)))
        run.count(forward=game.visits + 1)
        return Solution(value=_value(net, seen), n_fits=game.fits + 1)


def _seen(problem: Problem) -> torch.Tensor:
    """Return what the net sees of each row (n, k), float32: inputs, label, and how far the label is
    from what a model of the validation rows says.
    """
    y = outputs_of(problem.y, problem.n_classes)
    model = fitted(problem.x_val, problem.y_val, problem.n_classes, problem.penalty)
    said = design(problem.x) @ model.weights
    said = said.softmax(-1) if problem.n_classes else said
    return torch.cat([problem.x.flatten(1).double(), y, (y - said).abs()], 1).float()


def _net(inputs: int, hidden: int, seed: int) -> nn.Sequential:
    sizes = (inputs, hidden, hidden, 1)
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for width, height in itertools.pairwise(sizes):
        layer = nn.utils.skip_init(nn.Linear, width, height)
        for parameter in layer.parameters():  # as torch draws them, from a stream of its own
            with torch.no_grad():
                parameter.uniform_(-1 / math.sqrt(width), 1 / math.sqrt(width), generator=generator)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _likelihood(logits: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Return the log likelihood of sets (M,) where rows are chosen with the sigmoids (n,)."""
    return -F.binary_cross_entropy_with_logits(
        logits.expand_as(masks), masks.to(logits), reduction="none"
    ).sum(1)


def _crowding(mean: torch.Tensor) -> torch.Tensor:
    """Return how much nearer than allowed the mean probability is to 0 or 1."""
    return (LEAST - mean).clamp_min(0) + (mean - (1 - LEAST)).clamp_min(0)


def _value(net: nn.Module, seen: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = net(seen)[:, 0].sigmoid().double()
    return found
