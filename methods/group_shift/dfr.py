"""Deep feature reweighting (arXiv:2204.02937)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import nn

from bench import Meta, MethodCard
from bench.tracks.group_shift import GroupMethod, Problem, Seeds, Solution, train
from bench.training.state import evaluating

from .subg import equal_groups

STRENGTHS = (1.0, 0.7, 0.3, 0.1, 0.07, 0.03, 0.01)
"""Values of scikit-learn's C that are tried, the authors'."""


class DeepFeatureReweighting(GroupMethod):
    """Fit the last layer anew on equally many validation rows of each group."""

    card: ClassVar = MethodCard(
        name="dfr",
        title="Deep feature reweighting (validation groups)",
        track="group-shift",
        paper="arXiv:2204.02937",
        bibtex="""@inproceedings{kirichenko2023dfr,
  title = {Last Layer Re-Training is Sufficient for Robustness to Spurious Correlations},
  author = {Kirichenko, Polina and Izmailov, Pavel and Wilson, Andrew Gordon},
  booktitle = {ICLR},
  year = {2023},
  eprint = {2204.02937},
  archivePrefix = {arXiv}
}""",
        claim="A net trained as usual has learned the right features too; a new last layer on "
        "balanced rows matches methods that need groups in training.",
        official_code="ok",
        deviates="The features are those of the last epoch. Ten refits instead of twenty; one "
        "classifier a class where there are more than two.",
        needs=("val-groups",),
        signal="groups",
        libraries=("sklearn",),
        stacked=True,
        defaults_from="paper",
    )
    refits: Annotated[int, Meta(ge=1)] = 10
    """Last layers on other balanced rows, whose weights are averaged."""

    def solve_alike(self, problems: Sequence[Any], runs: Sequence[Any]) -> list[Any]:
        """Train as usual, unreported: what counts is the new last layer."""
        seeds: Any = self.gather(problems, runs)
        seeds.nets = seeds.build()
        train(self, seeds, None, report=False)
        return [self._refitted(seeds, k) for k in range(seeds.members)]

    def _refitted(self, seeds: Seeds, k: int) -> Solution:
        problem: Any = seeds.problems[k]
        net, val, run = seeds.nets.member(k), problem.val_groups, seeds.runs[k]
        run.count(forward=len(problem.x) + len(val.x))
        with evaluating(net):
            seen, held = net.features(problem.x), net.features(val.x)
        scale = seen.std(0, correction=0)
        scale[scale == 0] = 1.0
        features = ((held - seen.mean(0)) / scale).double().cpu().numpy()
        weight, bias = last_layer(
            features,
            val.y.cpu().numpy(),
            val.group.cpu().numpy(),
            problem,
            self.refits,
            run.numpy_generator("method"),
        )
        # the scale goes into the weights
        weight = torch.from_numpy(weight).to(scale) / scale
        bias = torch.from_numpy(bias).to(scale) - weight @ seen.mean(0)
        return Solution(model=Refitted(net, weight, bias))


def last_layer(
    features: np.ndarray,
    y: np.ndarray,
    group: np.ndarray,
    problem: Problem,
    refits: int,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (C, D) and biases (C,) of a last layer.

    The strength of its L1 penalty is the one with the best worst group on one half of the rows,
    fitted on balanced rows of the other half.

    Args:
        features: of the validation rows (n, D).
        y: their labels (n,).
        group: their groups (n,).
        problem: says how many classes there are.
        refits: how many fits on balanced rows are averaged.
        generator: draws halves and balanced rows.
    """
    order = generator.permutation(len(y))
    first, second = order[: len(y) // 2], order[len(y) // 2 :]
    rows = first[equal_groups(group[first], generator)]
    best, strength = -1.0, STRENGTHS[0]
    for tried in STRENGTHS:
        weight, bias = _fit(features[rows], y[rows], problem.n_classes, tried)
        right = (features[second] @ weight.T + bias).argmax(1) == y[second]
        worst = min(right[group[second] == g].mean() for g in np.unique(group[second]))
        if worst > best:
            best, strength = worst, tried
    fitted = []
    for _ in range(refits):
        rows = equal_groups(group, generator)
        fitted.append(_fit(features[rows], y[rows], problem.n_classes, strength))
    return (
        np.mean([weight for weight, _ in fitted], axis=0),
        np.mean([bias for _, bias in fitted], axis=0),
    )


def _fit(
    x: np.ndarray, y: np.ndarray, classes: int, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (C, D) and biases (C,) of logistic regression with an L1 penalty."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    weight, bias = np.zeros((classes, x.shape[1])), np.zeros(classes)
    # of two classes the second one's logit says all
    for label in [1] if classes == 2 else range(classes):
        positive = y == label
        if positive.all() or not positive.any():
            bias[label] = 10.0 if positive.any() else -10.0
            continue
        model = LogisticRegression(l1_ratio=1, C=strength, solver="liblinear", random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(x, positive)
        weight[label], bias[label] = model.coef_[0], model.intercept_[0]
    return weight, bias


class Refitted(nn.Module):
    """A net with another last layer: weights (C, D), biases (C,)."""

    def __init__(self, net: Any, weight: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (n, ...) to what the last layer reads, (n, D)."""
        found: torch.Tensor = self.net.features(x)
        return found

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (n, ...) to logits (n, C)."""
        return nn.functional.linear(self.features(x), self.weight, self.bias)
