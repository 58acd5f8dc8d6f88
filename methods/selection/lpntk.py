"""Rows that differ in what a step on them does to others (lpNTK, arXiv:2401.08808)."""

from __future__ import annotations

import itertools
from typing import Annotated, ClassVar

import torch
from torch.nn import functional as F

from bench import InvalidRun, Meta, MethodCard, Run
from bench.tracks.selection import Selectable, Selector, spread, trained
from bench.training.convnet import Params, Perceptron


class LabelledKernel(Selector):
    """Keep rows that are far from each other in the kernel of gradients that know the labels; those
    that are unlike their own label come last.
    """

    card: ClassVar = MethodCard(
        name="lpntk",
        title="lpNTK: labelled kernel of gradients, farthest first",
        track="selection",
        paper="arXiv:2401.08808",
        bibtex="""@inproceedings{guo2024lpntk,
  title = {Sample Relationship from Learning Dynamics Matters for Generalisation},
  author = {Guo, Shangmin and Ren, Yi and Albrecht, Stefano V. and Smith, Kenny},
  booktitle = {ICLR},
  year = {2024},
  eprint = {2401.08808},
  archivePrefix = {arXiv}
}""",
        claim="Rows that are interchangeable in the kernel, or poison it, can be left out of "
        "training.",
        deviates="The kernel is the one of the formula below; the authors' public code has the "
        "kernel without labels. Rows are taken farthest first, where the paper clusters them. The "
        "kernel is computed in factors, without gradients of rows, on one net of the task.",
        signal="labels",
        defaults_from="here",
        tuning={"poison": (0.0, 0.1, 0.2)},
    )
    poison: Annotated[float, Meta(ge=0, lt=1)] = 0.1
    """Share of the rows, those least like their own label, that comes last."""

    def scores(self, problem: Selectable, run: Run) -> torch.Tensor:
        """Return minus the place of each row (N,), minus infinity where it is never reached."""
        net, params = trained(problem, run, "scores", nets=1, epochs=problem.epochs)
        if not isinstance(net, Perceptron):
            raise InvalidRun("lpntk is for perceptrons; take a task with such nets")
        run.count(forward=len(problem.y), backward=len(problem.y))
        likeness = normalised(kernel(params, problem.x, problem.y))
        last = strangers(likeness, problem.y, self.poison)
        generator = run.torch_generator("method", "first", device="cpu")
        scores = torch.full((len(last),), -torch.inf, device=problem.x.device)
        for part, count in spread(problem, max(problem.budgets)):
            taken = torch.cat(
                [
                    own[farthest(likeness[own][:, own], len(own), generator)]
                    for own in (part[~last[part]], part[last[part]])
                    if len(own)
                ]
            )[:count]
            scores[taken] = -torch.arange(count, device=scores.device, dtype=scores.dtype)
        return scores


@torch.no_grad()
def kernel(params: Params, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return kappa(x, x') = (1/C) sum_l (delta_l . delta'_l)(a_(l-1) . a'_(l-1) + 1), (N, N): the
    product of the gradients of s . z / sqrt C, s = 2 onehot(y) - 1, of one perceptron.

    A row's gradient of a layer is the outer product of its error and its inputs, so that their
    product is one of two products.

    Args:
        params: weights (1, out, in) and biases (1, out) of the layers in turn.
        x: inputs (N, ...).
        y: labels (N,).
    """
    weights, biases = [part[0] for part in params[::2]], [part[0] for part in params[1::2]]
    inputs = [x.flatten(1)]
    for weight, bias in itertools.islice(zip(weights, biases, strict=True), len(weights) - 1):
        inputs.append(torch.addmm(bias, inputs[-1], weight.T).relu())
    classes = len(biases[-1])
    error = 2 * F.one_hot(y, classes).to(x.dtype) - 1
    found = (error @ error.T) * (inputs[-1] @ inputs[-1].T + 1)
    for place in range(len(weights) - 1, 0, -1):
        error = (error @ weights[place]) * (inputs[place] > 0)
        found += (error @ error.T) * (inputs[place - 1] @ inputs[place - 1].T + 1)
    return found / classes


def normalised(kappa: torch.Tensor) -> torch.Tensor:
    """Return kappa / sqrt(kappa_ii kappa_jj) of a kernel (N, N)."""
    scale = kappa.diagonal().clamp_min(1e-20).rsqrt()
    return kappa * scale[:, None] * scale


def strangers(likeness: torch.Tensor, y: torch.Tensor, share: float) -> torch.Tensor:
    """Return which rows are among the share with the least mean likeness to rows of their own
    label (N,), bool.

    Args:
        likeness: normalised kernel (N, N).
        y: labels (N,).
        share: of all rows.
    """
    same = (y[:, None] == y).to(likeness.dtype)
    mean = (likeness * same).sum(1) / same.sum(1)
    found = torch.zeros(len(y), dtype=torch.bool, device=y.device)
    found[mean.argsort(stable=True)[: round(share * len(y))]] = True
    return found


def farthest(likeness: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    """Return ``count`` positions (count,), the first at random, then each the farthest from those
    before, by the squared distance 2 - 2 likeness (n, n).
    """
    at = int(torch.randint(len(likeness), (1,), generator=generator))
    nearest = 2 - 2 * likeness[at]
    picked = [torch.tensor(at, device=likeness.device)]
    nearest[at] = -torch.inf
    for _ in range(count - 1):
        best = nearest.argmax()
        picked.append(best)
        nearest = torch.minimum(nearest, 2 - 2 * likeness[best])
        nearest[best] = -torch.inf
    return torch.stack(picked)
