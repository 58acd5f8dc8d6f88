"""Domain-adaptive adversarial perturbation without source rows (arXiv:2307.10062)."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import torch
from torch.nn import functional as F

from bench import Meta, Method, MethodCard, Run
from bench.tracks.accuracy_estimation import Problem, Solution, agreement
from bench.tracks.accuracy_estimation_adapted import adapted, entropy
from bench.training.stack import StackedNet


class AdversarialAgreement(Method):
    """Adapt a copy of the net to each set, push the rows against it, and take its answers for
    labels: what it is not sure of counts as wrong.
    """

    card: ClassVar = MethodCard(
        name="sf-dap",
        title="Agreement with an adapted copy on perturbed rows",
        track="accuracy-estimation",
        paper="arXiv:2307.10062",
        bibtex="""@inproceedings{lee2023unsupervised,
  title = {Unsupervised Accuracy Estimation of Deep Visual Models using Domain-Adaptive Adversarial
    Perturbation without Source Samples},
  author = {Lee, JoonHo and Woo, Jae Oh and Moon, Hankyu and Lee, Kwonho},
  booktitle = {International Conference on Computer Vision},
  year = {2023},
  eprint = {2307.10062},
  archivePrefix = {arXiv}
}""",
        claim="Adaptive adversarial perturbations on the adapted net's input make estimates better "
        "than those of methods that need source rows.",
        deviates="written from the abstract: the adaptation, the perturbation and its length are "
        "ours, and the formula was not checked against a second implementation",
        signal="features",
        defaults_from="here",
        trials=3,
    )
    settings: ClassVar = {"adaptive": {"adaptive": True, "eps": 1.0}}
    epochs: Annotated[int, Meta(ge=0)] = 3
    """Passes over the rows of a set."""
    lr: Annotated[float, Meta(gt=0)] = 3e-4
    """Learning rate of Adam."""
    batch_size: Annotated[int, Meta(ge=2)] = 128
    """Rows of a step."""
    eps: Annotated[float, Meta(ge=0)] = 0.25
    """L2 length of the perturbation, pixels in [0, 1]."""
    adaptive: bool = False
    """Lengths are ``eps`` times the net's entropy over log C."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Return how often the net at x and the copy at x + r agree; validation rows are not
        read.
        """
        copies = adapted(problem, run, self.epochs, self.lr, self.batch_size)
        x, logits = torch.stack(list(problem.targets)), torch.stack(list(problem.logits))
        length = torch.full(x.shape[:2], self.eps).to(x)
        if self.adaptive:
            length = length * entropy(logits.softmax(-1)) / math.log(problem.n_classes)
        moved = x + length.view(*x.shape[:2], *[1] * (x.dim() - 2)) * uphill(copies, x)
        with torch.no_grad():
            said = copies(moved).argmax(-1)
        run.count(forward=2 * said.numel(), backward=said.numel())
        found = [agreement(own.argmax(1), labels) for own, labels in zip(logits, said, strict=True)]
        return Solution(accuracy=torch.tensor(found, dtype=torch.float64))


def uphill(copies: StackedNet, x: torch.Tensor) -> torch.Tensor:
    """Return the direction of length 1, of the shape of ``x`` (S, n, ...), in which the cross
    entropy of each copy at its own answer grows fastest.
    """
    with torch.enable_grad():
        at = x.clone().requires_grad_()
        logits = copies(at)
        labels = logits.detach().argmax(-1)
        loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
        (gradient,) = torch.autograd.grad(loss, at)
    size = gradient.flatten(2).norm(dim=2).clamp_min(1e-12)
    return gradient / size.view(*x.shape[:2], *[1] * (x.dim() - 2))
