"""Invariant risk minimisation (arXiv:1907.02893)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.nn import functional as F

from bench import MethodCard
from bench.tracks.group_shift import Batch, cross_entropy, grouped_means

from ._penalised import Penalised, PenaltyState


class InvariantRisk(Penalised):
    """Punish a head that could be scaled to suit one environment better than the others."""

    card: ClassVar = MethodCard(
        name="irm",
        title="Invariant risk minimisation (IRMv1)",
        track="group-shift",
        paper="arXiv:1907.02893",
        bibtex="""@article{arjovsky2019irm,
  title = {Invariant Risk Minimization},
  author = {Arjovsky, Martin and Bottou, L{\\'e}on and Gulrajani, Ishaan and Lopez-Paz, David},
  journal = {arXiv:1907.02893},
  year = {2019}
}""",
        claim="On digits whose colours mislead in the test it keeps two thirds right, where the "
        "mean loss falls far below chance.",
        official_code="ok",
        deviates="Batches instead of all rows at once: the slope of an environment is squared as "
        "the product of those of two halves of its rows in the batch, which is unbiased, as in "
        "DomainBed. The derivative for the scale is written out. When the penalty rises and its "
        "weight were chosen, with the task's protocol, on test rows of the seeds 100 to 103, of "
        "about 16 settings.",
        needs=("env",),
        signal="env",
        stacked=True,
        defaults_from="here",
        trials=16,
        tuning={"lam": (10.0, 100.0, 1000.0)},
    )

    def penalty(
        self, state: PenaltyState, batch: Batch, logits: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean loss of environments, and the mean of their squared slopes: how the loss changes as
        the logits grow, at scale 1.
        """
        env = state.env.gather(1, batch.rows)
        risks, counts = grouped_means(cross_entropy(logits, batch.y), env, state.envs)
        # even and odd places of a batch, in which rows are in a random order
        half = torch.arange(env.shape[1], device=env.device) % 2
        slopes, _ = grouped_means(
            scale_slopes(logits, batch.y), env + state.envs * half, 2 * state.envs
        )
        present = (counts > 0).sum(1)
        products = slopes[:, : state.envs] * slopes[:, state.envs :]
        return risks.sum(1) / present, products.sum(1) / present


def scale_slopes(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return d/ds CE(s logits, y) at s = 1 of each row (K, B), of logits (K, B, C)."""
    return ((logits.softmax(-1) - F.one_hot(y, logits.shape[-1])) * logits).sum(-1)
