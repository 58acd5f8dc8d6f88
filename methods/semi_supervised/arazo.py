"""Soft pseudo-labels, mixed and regularised (arXiv:1908.02983)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch.nn import functional as F

from bench import Meta, MethodCard
from bench.tracks.semi_supervised import Batch, Members, SemiSupervisedMethod, soft_cross_entropy

from ._mixing import Mixing, mixed


class _State:
    """The soft labels of the pool (K, n_u, C), from the last visit of a row, and the mixtures."""

    def __init__(self, members: Members) -> None:
        classes = members.problem.n_classes
        self.soft = torch.zeros(*members.pool.shape, classes).to(members.x)
        self.seen = torch.zeros(members.pool.shape, dtype=torch.bool, device=members.device)
        self.mixing = Mixing(members)


class ConfirmationBias(SemiSupervisedMethod):
    """Train on the net's own earlier outputs as soft labels, mixed so that it does not confirm
    itself.
    """

    card: ClassVar = MethodCard(
        name="arazo",
        title="Soft pseudo-labels against confirmation bias",
        track="semi-supervised",
        paper="arXiv:1908.02983",
        bibtex="""@inproceedings{arazo2020pseudo,
  title = {Pseudo-Labeling and Confirmation Bias in Deep Semi-Supervised Learning},
  author = {Arazo, Eric and Ortego, Diego and Albert, Paul and O'Connor, Noel E. and McGuinness,
    Kevin},
  booktitle = {IJCNN},
  year = {2020},
  eprint = {1908.02983},
  archivePrefix = {arXiv}
}""",
        claim="Plain pseudo-labels work once mixtures and enough labelled rows a batch hold their "
        "confirmation bias down.",
        official_code="ok",
        deviates="Views, net and steps are the task's. A row's soft label is replaced as soon as "
        "it is visited; the authors replace all after an epoch. No average of weights at the end, "
        "no dropout.",
        stacked=True,
        defaults_from="paper",
    )
    balance: Annotated[float, Meta(ge=0)] = 0.8
    """Weight of the distance of the mean output from the uniform one."""
    entropy: Annotated[float, Meta(ge=0)] = 0.4
    """Weight of the mean entropy of outputs."""
    alpha: Annotated[float, Meta(gt=0)] = 1.0
    """Both parameters of the Beta distribution of a mixture's weight."""
    warm_up: Annotated[float, Meta(ge=0, le=1)] = 10 / 410
    """Share of the steps on labelled rows alone; 1: all of them."""

    def start(self, members: Members) -> _State:
        """Begin without soft labels; at its first visit a row takes the output of that visit."""
        return _State(members)

    def loss(self, state: _State, members: Members, batch: Batch) -> torch.Tensor:
        """L H(q_a) + (1 - l) H(q_b) + .8 R_A + .4 R_H on mixtures of labelled and pool rows."""
        if batch.done < self.warm_up:
            return super().loss(state, members, batch)
        problem = members.problem
        pool = torch.arange(len(batch.rows), device=members.device)[:, None], batch.rows
        with torch.no_grad():
            now = members.nets(batch.u).softmax(-1)
        q = torch.where(state.seen[pool][..., None], state.soft[pool], now)
        state.soft[pool], state.seen[pool] = now, True
        x = torch.cat([members.weak(batch.x, "labelled"), members.weak(batch.u, "pool")], 1)
        target = torch.cat([F.one_hot(batch.y, problem.n_classes).to(q.dtype), q], 1)
        share, partner = state.mixing.draw(self.alpha, x.shape[1], larger=False)
        logits = members.nets(mixed(x, share, partner))
        members.count(forward=x.shape[1] + batch.u.shape[1], backward=x.shape[1])
        members.note(batch, torch.ones_like(batch.rows))
        found = soft_cross_entropy(logits, mixed(target, share, partner)).mean(1)
        p, log_p = logits.softmax(-1), logits.log_softmax(-1)
        even = -p.mean(1).clamp_min(1e-12).log().mean(-1)
        open_ = -(p * log_p).sum(-1).mean(1)
        return found + self.balance * even + self.entropy * open_
