"""SAL: separate unlabelled rows by their gradients, and learn from those set apart
(arXiv:2402.03502).

Shapes: N training rows, W unlabelled rows, n rows, C classes, D features.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch.nn import functional as F

from bench import Meta, Method, MethodCard, Run
from bench.tracks.ood_detection import Problem, Solution, told_apart
from bench.training.fixed_net import Recipe, outputs


class SeparateAndLearn(Method):
    """Flag unlabelled rows whose gradients point away from those of their class, and train the net
    to tell training rows from them.
    """

    card: ClassVar = MethodCard(
        name="sal",
        title="Separate and learn (SAL)",
        track="ood-detection",
        paper="arXiv:2402.03502",
        bibtex="""@inproceedings{du2024unlabeled,
  title = {How Does Unlabeled Data Provably Help Out-of-Distribution Detection?},
  author = {Du, Xuefeng and Fang, Zhen and Diakonikolas, Ilias and Li, Yixuan},
  booktitle = {ICLR},
  year = {2024},
  eprint = {2402.03502},
  archivePrefix = {arXiv}
}""",
        claim="Unlabelled rows of which some are out of the distribution help to detect such rows.",
        official_code="flawed",
        deviates="Of several directions the mean of absolute projections counts; the authors' code "
        "takes the mean first, where terms of either sign cancel. Gradients are those of the last "
        "layer's row of the class, in closed form. AdamW for 5 epochs takes the place of SGD for "
        "100.",
        signal="gradients",
        needs=("wild",),
        defaults_from="here",
    )
    directions: Annotated[int, Meta(ge=1)] = 1
    """Singular vectors of each class."""
    kept: Annotated[float, Meta(gt=0, lt=1)] = 0.95
    """Share of the training rows that would not be flagged."""
    weight: Annotated[float, Meta(ge=0)] = 10.0
    """Of the loss that tells rows apart."""
    epochs: Annotated[int, Meta(ge=1)] = 5
    """Passes over the training rows."""
    lr: Annotated[float, Meta(gt=0)] = 1e-3
    """Of AdamW at the start."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Set rows apart (section 3.1 of the paper), and learn from them (section 3.2)."""
        assert problem.wild is not None, "the card needs wild"
        net = problem.model
        h, h_wild = problem.trained_features(run), outputs(net.features, problem.wild)
        run.count(forward=len(problem.wild))
        logits = net.head(h_wild)
        said = logits.argmax(1)
        own = last_gradients(net.head(h), h, problem.y)
        means = class_means(own, problem.y, problem.n_classes)
        suspicion = projections(last_gradients(logits, h_wild, said), said, means, self.directions)
        usual = projections(own, problem.y, means, self.directions)
        flagged = suspicion > usual.double().quantile(self.kept)
        recipe = Recipe(epochs=self.epochs, lr=self.lr)
        found = told_apart(problem, problem.wild[flagged], self.weight, recipe, run)
        return Solution(
            score=found.score, model=found.model, flagged=flagged, suspicion=suspicion.float()
        )


def last_gradients(logits: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    """Return the gradient of each row's cross entropy at class c by the last layer's weights of
    that class (n, D): (p_c - 1) h.

    Args:
        logits: (n, C).
        h: features (n, D).
        c: classes (n,).
    """
    p = logits.softmax(1).gather(1, c[:, None])
    return (p - 1) * h


def class_means(g: torch.Tensor, c: torch.Tensor, n_classes: int) -> torch.Tensor:
    """Return the mean of the gradients (n, D) in each class (C, D), 0 where there are none."""
    member = F.one_hot(c, n_classes).to(g)
    return member.T @ g / member.sum(0).clamp_min(1)[:, None]


def projections(
    g: torch.Tensor, c: torch.Tensor, means: torch.Tensor, directions: int
) -> torch.Tensor:
    """Return for each row the mean of |(g - m_c) . v| over the first right singular vectors v of
    the centred gradients of its class (n,).

    Args:
        g: gradients (n, D).
        c: classes (n,).
        means: of the training rows' gradients (C, D).
        directions: how many singular vectors.

    Source: arXiv:2402.03502, equations 4 and 5.
    """
    centred = (g - means[c]).double()
    member = F.one_hot(c, len(means)).double()
    # the right singular vectors of a class are the eigenvectors of its scatter; all classes at once
    scatter = torch.einsum("nc,nd,ne->cde", member, centred, centred)
    _, vectors = torch.linalg.eigh(scatter)
    found = torch.einsum("nd,cdk->nck", centred, vectors[:, :, -directions:]).abs().mean(2)
    return found.gather(1, c[:, None])[:, 0]
