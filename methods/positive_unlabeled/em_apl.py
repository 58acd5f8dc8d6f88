"""Entropy of unknown labels, and pseudo-labels for the least likely (arXiv:2203.16219)."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import torch
from torch.nn import functional as F

from bench import Meta, MethodCard
from bench.tracks.positive_unlabeled import Batch, Members, PositiveUnlabeledMethod, log_loss
from bench.training.rows import beside
from bench.training.state import evaluating

BIBTEX = """@inproceedings{zhou2022acknowledging,
  title = {Acknowledging the Unknown for Multi-label Learning with Single Positive Labels},
  author = {Zhou, Donghao and Chen, Pengfei and Wang, Qiong and Chen, Guangyong and Heng,
    Pheng-Ann},
  booktitle = {ECCV},
  year = {2022},
  eprint = {2203.16219},
  archivePrefix = {arXiv}
}"""


class _State:
    """The pseudo-labels so far: which labels have one, and what it is (K, N, L)."""

    def __init__(self, members: Members, warm_up: float) -> None:
        problem = members.problem
        self.members = members
        self.marked = torch.zeros_like(members.s)
        self.soft = torch.zeros_like(members.s)
        self.every = math.ceil(members.n_rows / problem.batch_size)
        epochs = problem.steps // self.every
        self.first = min(round(warm_up * epochs), epochs)
        self.left = max(1, epochs - self.first)
        self.unknown = (1 - members.s).sum(1)


class AsymmetricPseudoLabels(PositiveUnlabeledMethod):
    """Raise the entropy of unknown labels, and after each epoch keep the lowest probabilities of a
    column as soft targets.
    """

    card: ClassVar = MethodCard(
        name="em-apl",
        title="Entropy maximisation with asymmetric pseudo-labels",
        track="positive-unlabeled",
        paper="arXiv:2203.16219",
        bibtex=BIBTEX,
        claim="Negative pseudo-labels from the net itself, and no positive ones, add to entropy "
        "maximisation.",
        official_code="ok",
        deviates="The nets and steps are the task's: an epoch is so many steps as batches hold all "
        "rows once. Losses are computed from logits, without the authors' constant inside the "
        "logarithm. The share of epochs before the first pseudo-labels is one for all tasks.",
        stacked=True,
        defaults_from="paper",
    )
    reads_known: ClassVar = False
    alpha: Annotated[float, Meta(ge=0)] = 0.1
    """Weight of the entropy."""
    beta: Annotated[float, Meta(ge=0)] = 0.2
    """Weight of pseudo-labels."""
    share: Annotated[float, Meta(ge=0, le=1)] = 0.9
    """Share of the unknown labels of a column that has a pseudo-label in the end."""
    warm_up: Annotated[float, Meta(ge=0, le=1)] = 0.3
    """Share of the epochs before the first ones; 1: none at all, which is em-spml."""

    def start(self, members: Members) -> _State:
        """Begin without pseudo-labels."""
        return _State(members, self.warm_up)

    def risk(
        self, state: _State, batch: Batch, z: torch.Tensor, known: torch.Tensor
    ) -> torch.Tensor:
        """Mean of -s log p - alpha H(p), or beta times the log loss of the pseudo-label."""
        marked, soft = beside(state.marked, batch.rows), beside(state.soft, batch.rows)
        entropy = F.softplus(z) - z * z.sigmoid()
        unknown = marked * self.beta * log_loss(z, soft) - (1 - marked) * self.alpha * entropy
        return (batch.s * F.softplus(-z) + (1 - batch.s) * unknown).mean(1)

    def after_step(self, state: _State, members: Members, step: int) -> None:
        """After an epoch, mark the least likely of the labels that are still unknown."""
        epoch, rest = divmod(step, state.every)
        if rest or epoch <= state.first:
            return
        with evaluating(members.nets):
            p = torch.cat([members.nets(part) for part in members.x.split(4096, 1)], 1).sigmoid()
        members.count(forward=members.n_rows)
        taken = (members.s + state.marked) > 0
        place = p.masked_fill(taken, math.inf).argsort(dim=1, stable=True).argsort(dim=1)
        count = (self.share * state.unknown / state.left).int()
        new = (place < count[:, None]) & ~taken
        state.marked = torch.where(new, 1.0, state.marked)
        state.soft = torch.where(new, p, state.soft)
