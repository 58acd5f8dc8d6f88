"""Typical rows are those that nets learn with privacy (arXiv:1910.13427)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import torch
from torch.nn import functional as F

from bench import InvalidRun, Meta, MethodCard, Run
from bench.tracks.selection import Selectable, Selector, preferred, starts
from bench.training.convnet import Params, Perceptron
from bench.training.fitting import outputs, passes_of
from bench.training.rows import taken

from ._prototypes import BIBTEX, CLAIM, PAPER, TUNING


class Privacy(Selector):
    """Keep the rows that nets trained with clipped and noisy gradients get wrong at most levels of
    noise.
    """

    card: ClassVar = MethodCard(
        name="proto-priv",
        title="Prototypes by learning with privacy",
        track="selection",
        paper=PAPER,
        bibtex=BIBTEX,
        claim=CLAIM,
        deviates="Only the abstract was read: the score is the share of four levels of noise at "
        "which the final net is right, one net a level. Batches are cut from passes over the rows "
        "in place of Poisson samples, so that no budget of privacy is stated.",
        signal="labels",
        defaults_from="here",
        tuning=TUNING,
    )
    levels: tuple[float, ...] = (0.3, 1.0, 3.0, 10.0)
    """Standard deviations of the noise on a sum of gradients, in units of the clip."""
    clip: Annotated[float, Meta(gt=0)] = 1.0
    """Largest norm of a row's gradient."""
    order: Literal["hard", "easy", "moderate"] = "hard"
    """Keep the least typical rows, the most typical ones, or those between."""

    def scores(self, problem: Selectable, run: Run) -> torch.Tensor:
        """Return minus the share of levels at which a row is right, in the chosen order."""
        net = problem.net()
        if not isinstance(net, Perceptron):
            raise InvalidRun(
                "proto-priv clips gradients of perceptrons; take a task with such nets"
            )
        if not self.levels or min(self.levels) < 0:
            raise InvalidRun(f"levels is {self.levels}; give numbers from 0 on, at least one")
        params = private(problem, run, self.levels, self.clip)
        run.count(forward=len(self.levels) * len(problem.y))
        right = outputs(net, params, problem.x).argmax(-1) == problem.y
        return preferred(-right.float().mean(0), self.order, 0.0)


@torch.no_grad()
def private(problem: Selectable, run: Run, levels: Sequence[float], clip: float) -> Params:
    """Return the weights of one perceptron a level (tensors (levels, ...)), trained by DP-SGD
    (arXiv:1607.00133, alg. 1) without momentum, at the task's rate, which falls along a cosine.
    """
    nets, n = len(levels), len(problem.y)
    params = [tensor.clone() for tensor in starts(problem, run, "scores", nets)]
    batch = min(problem.batch_size, n)
    steps = max(1, round(problem.epochs * n / batch))
    orders = [run.torch_generator("order", "scores", k, device="cpu") for k in range(nets)]
    noises = [run.torch_generator("method", "noise", k, device="cpu") for k in range(nets)]
    lr, x = problem.recipe(steps).lr, problem.x.flatten(1)
    for step, rows in enumerate(passes_of([torch.arange(n)] * nets, batch, steps, orders)):
        rate = 0.5 * lr * (1 + math.cos(math.pi * step / steps)) / batch
        sums = clipped(params, taken(x, rows), problem.y[rows.to(x.device)], clip)
        for tensor, gradient in zip(params, sums, strict=True):
            for k, (level, noise) in enumerate(zip(levels, noises, strict=True)):
                drawn = torch.randn(gradient[k].shape, generator=noise).to(gradient.device)
                tensor[k] -= rate * (gradient[k] + level * clip * drawn)
    run.count(forward=nets * steps * batch, backward=nets * steps * batch)
    return params


@torch.no_grad()
def clipped(params: Params, x: torch.Tensor, y: torch.Tensor, clip: float) -> Params:
    """Return the sums over a batch of the rows' gradients, each cut to the norm ``clip``, of K
    perceptrons (tensors (K, ...)).

    No gradient of a row is made: its norm is sum_l |delta_l|^2 (|a_(l-1)|^2 + 1)
    (arXiv:1510.01799), and the sums are products of scaled errors and inputs.

    Args:
        params: weights (K, out, in) and biases (K, out) of the layers in turn.
        x: inputs (K, B, D).
        y: labels (K, B).
        clip: the norm.
    """
    weights, biases = params[::2], params[1::2]
    inputs = [x]
    for weight, bias in itertools.islice(zip(weights, biases, strict=True), len(weights) - 1):
        inputs.append(torch.baddbmm(bias[:, None], inputs[-1], weight.mT).relu())
    logits = torch.baddbmm(biases[-1][:, None], inputs[-1], weights[-1].mT)
    errors = [logits.softmax(-1) - F.one_hot(y, logits.shape[-1])]
    for above, weight in zip(inputs[:0:-1], weights[:0:-1], strict=True):
        errors.insert(0, torch.bmm(errors[0], weight) * (above > 0))
    squares = sum(
        error.square().sum(-1) * (below.square().sum(-1) + 1)
        for error, below in zip(errors, inputs, strict=True)
    )
    scale = (clip / torch.as_tensor(squares).sqrt().clamp_min(1e-12)).clamp_max(1.0)[..., None]
    found: Params = []
    for error, below in zip(errors, inputs, strict=True):
        found += [torch.bmm((scale * error).mT, below), (scale * error).sum(1)]
    return found
