"""Snorkel's label model: accuracies from how sources agree (arXiv:1810.02840)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import InvalidRun, Meta, MethodCard
from bench.tracks.weak_supervision import Panel, WeakSupervisionMethod


class LabelModel(WeakSupervisionMethod):
    """Find how likely each source votes what under each class from second moments of the votes
    alone: those of two sources that are independent given the class are mu P mu'.
    """

    card: ClassVar = MethodCard(
        name="label-model",
        title="Label model of Snorkel",
        track="weak-supervision",
        paper="arXiv:1810.02840",
        bibtex="""@inproceedings{ratner2019training,
  title = {Training Complex Models with Multi-Task Weak Supervision},
  author = {Ratner, Alexander and Hancock, Braden and Dunnmon, Jared and Sala, Frederic and
    Pandey, Shreyash and R{\\'e}, Christopher},
  booktitle = {AAAI},
  year = {2019},
  eprint = {1810.02840},
  archivePrefix = {arXiv}
}""",
        claim="Sources weighed by how they agree give better labels than their majority.",
        official_code="ok",
        deviates="The loss of the authors' package for sources without dependencies, which matches "
        "the moments themselves; the paper matches their inverse.",
        stacked=True,
        defaults_from="paper",
    )
    steps: Annotated[int, Meta(ge=1)] = 100
    """Steps of gradient descent."""
    lr: Annotated[float, Meta(gt=0)] = 0.01
    """Size of a step."""
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    """Share of the step before that is added."""
    precision: Annotated[float, Meta(gt=0, le=1)] = 0.7
    """How likely a vote is right at the start."""

    def labels(self, panel: Panel) -> torch.Tensor:
        """Fit the tables, and apply Bayes' rule to the votes that are cast (K, N, C)."""
        sources = panel.casts.shape[2]
        if sources < 3:
            raise InvalidRun(
                f"label-model tells sources apart by how they agree with two others, and there are "
                f"{sources}; give at least 3 sources"
            )
        drawn = [run.numpy_generator("method").random() for run in panel.runs]
        scale = torch.tensor(drawn, dtype=panel.casts.dtype, device=panel.casts.device)
        mu, z = self.fitted(panel, scale), panel.marks.flatten(2)
        prior = panel.prior.clamp_min(1e-12)
        return (z @ mu.log() + prior.log()[:, None]).softmax(-1)

    def fitted(self, panel: Panel, scale: torch.Tensor) -> torch.Tensor:
        """Return the probability of each vote under each class (K, mC, C): minimise
        |O - mu P mu'|^2 off the blocks of a source with itself, plus |mu P 1 - diag O|^2.

        Args:
            panel: the votes.
            scale: of the tables at the start (K,), from 0 to 1.
        """
        rows, sources = panel.casts.shape[1:]
        classes, marks = panel.classes, panel.marks.flatten(2)
        moments, prior = marks.mT @ marks / rows, panel.prior.clamp_min(1e-12)
        block = torch.ones(classes, classes, dtype=moments.dtype, device=moments.device)
        off = 1 - torch.block_diag(*[block] * sources)
        shares = moments.diagonal(dim1=1, dim2=2)
        same = torch.eye(classes, dtype=moments.dtype, device=moments.device).repeat(sources, 1)
        mu = same * (shares[..., None] * self.precision / prior[:, None]).clamp(0, 1)
        mu = mu * scale[:, None, None]
        speed = torch.zeros_like(mu)
        for _ in range(self.steps):
            weighed = mu * prior[:, None]
            apart = off * (moments - weighed @ mu.mT)
            total = weighed.sum(-1) - shares
            gradient = -4 * apart @ weighed + 2 * total[..., None] * prior[:, None]
            speed = self.momentum * speed + gradient
            mu = mu - self.lr * speed
        least = min(0.01, 10.0 ** -int(np.ceil(np.log10(rows))))
        panel.count(1)
        if not bool(mu.isfinite().all()):
            raise InvalidRun(
                f"the tables are not finite after {self.steps} steps at lr={self.lr:g}; take a "
                "smaller lr"
            )
        return ordered(mu.clamp(least, 1 - least), prior)


def ordered(mu: torch.Tensor, prior: torch.Tensor) -> torch.Tensor:
    """Return the columns of tables (K, mC, C) in the order in which sources are most often right,
    of all orders that swap classes with the same share only; the loss can't tell these apart.
    """
    from scipy.optimize import linear_sum_assignment

    classes, found = mu.shape[-1], mu.clone()
    right = mu.unflatten(1, (-1, classes)).sum(1) * prior[:, None]
    for k, shares in enumerate(prior.cpu().numpy().round(3)):
        for share in np.unique(shares):
            group = np.flatnonzero(shares == share)
            place = right[k].cpu().numpy()[np.ix_(group, group)]
            _, taken = linear_sum_assignment(-place)
            found[k][:, group] = mu[k][:, group[taken]]
    return found
