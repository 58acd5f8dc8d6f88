"""Representer points of a sparse model (arXiv:2305.20002)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar

import torch

from bench import InvalidRun, Meta, Method, MethodCard, Run
from bench.tracks.data_valuation import Problem, Solution
from bench.tracks.data_valuation_linear import design, outputs_of

STEPS, TOLERANCE = 50_000, 1e-9
BIBTEX = """@inproceedings{tsai2023representer,
  title = {Representer Point Selection for Explaining Regularized High-dimensional Models},
  author = {Tsai, Che-Ping and Zhang, Jiong and Yu, Hsiang-Fu and Chien, Eli and Hsieh, Cho-Jui
    and Ravikumar, Pradeep},
  booktitle = {ICML},
  year = {2023},
  eprint = {2305.20002},
  archivePrefix = {arXiv}
}"""


class SparseRepresenters(Method):
    """Writes the logit of a query's label as a sum over rows, by a model with few weights."""

    card: ClassVar = MethodCard(
        name="hd-rps-l1",
        title="High-dimensional representers, L1",
        track="data-valuation",
        paper="arXiv:2305.20002",
        bibtex=BIBTEX,
        claim="The answer of a model with a sparse penalty is a sum of contributions of its "
        "training rows.",
        deviates="Derived from the condition of a minimum, not from the paper's code. One "
        "multinomial model, where the paper has two classes. What the task judges by are fits of a "
        "model with an L2 penalty.",
        signal="gradients",
        needs=("queries",),
        defaults_from="here",
    )
    lam: Annotated[float, Meta(gt=0)] = 0.003
    """Weight of the sum of the sizes of the weights beside the mean loss."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Fit the sparse model, and weigh products of inputs over its weights."""
        queries = problem.queries
        assert queries is not None, "the card asks for queries"
        x, y = design(problem.x), outputs_of(problem.y, problem.n_classes)
        weights = proximal_fit(x, y, self.lam, shrunk)
        run.count(forward=len(y), backward=len(y))
        alpha = (y - (x @ weights).softmax(-1)) / (self.lam * len(x))
        kept = weights.abs()[:, queries.y].T * design(queries.x)
        return Solution(attribution=alpha[:, queries.y] * (x @ kept.T), n_fits=1)


def shrunk(weights: torch.Tensor, by: float) -> torch.Tensor:
    """Return numbers (d, C) that are nearer to 0 by a number, none beyond it."""
    return weights.sign() * (weights.abs() - by).clamp_min(0)


def proximal_fit(
    x: torch.Tensor,
    y: torch.Tensor,
    lam: float,
    shrink: Callable[[torch.Tensor, float], torch.Tensor],
) -> torch.Tensor:
    """Return the weights (d, C) of least mean cross entropy plus lam times a norm, by accelerated
    proximal steps that start anew where they turn back (arXiv:1204.3982).

    Args:
        x: rows (n, d).
        y: one-hot labels (n, C).
        lam: weight of the norm.
        shrink: its proximal map, from weights (d, C) and a number to weights (d, C).

    Raises:
        InvalidRun: the steps stay longer than the tolerance.
    """
    rate = 2 * len(x) / float(torch.linalg.eigvalsh(x.T @ x)[-1])
    weights = torch.zeros(x.shape[1], y.shape[1], dtype=x.dtype, device=x.device)
    ahead, momentum = weights, 1.0
    for _ in range(STEPS):
        gradient = x.T @ ((x @ ahead).softmax(-1) - y) / len(x)
        new = shrink(ahead - rate * gradient, rate * lam)
        if float((new - ahead).abs().max()) <= TOLERANCE * rate:
            return new
        if float(((ahead - new) * (new - weights)).sum()) > 0:
            momentum = 1.0
        after = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = new + (momentum - 1) / after * (new - weights)
        weights, momentum = new, after
    raise InvalidRun(
        f"the model was not fitted in {STEPS} steps: the last one is "
        f"{float((new - ahead).abs().max()):.1e} long; raise lam"
    )
