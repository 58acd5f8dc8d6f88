"""Invariant risk minimisation (arXiv:1907.02893)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch.nn import functional as F

from bench import Meta, MethodCard
from bench.tracks.graph_ood import Batch, GraphMethod, Training, graph_losses, kind_of
from bench.training.gnn import GNN

from ._environments import environment_means


class InvariantRisk(GraphMethod):
    """Punish a head that could be scaled to suit one environment better than the others."""

    card: ClassVar = MethodCard(
        name="irm",
        title="Invariant risk minimisation (IRMv1)",
        track="graph-ood",
        paper="arXiv:1907.02893",
        bibtex="""@article{arjovsky2019irm,
  title = {Invariant Risk Minimization},
  author = {Arjovsky, Martin and Bottou, L{\\'e}on and Gulrajani, Ishaan and Lopez-Paz, David},
  journal = {arXiv:1907.02893},
  year = {2019}
}""",
        official_code="ok",
        deviates="""The derivative for the scale is written out, and holds for answers and numbers
too. Weight .1 from the first step, GOOD's for Motif, without the two phases that the authors and
DomainBed have (weight 1, then 100 and more from a certain step on, with a new optimiser). The slope
of an environment is squared, as by the authors and GOOD; DomainBed multiplies those of two halves
of its graphs, which is unbiased. Batches are drawn from all graphs, so environments differ in
number: the losses of all graphs are averaged, as GOOD does, not the means of environments, and one
that a batch has nothing of is left out of the penalty.""",
        needs=("env",),
        libraries=("torch_geometric",),
        defaults_from="here",
    )
    lam: Annotated[float, Meta(ge=0)] = 0.1
    """Weight of the penalty; 0 is empirical risk minimisation."""

    def start(self, training: Training) -> int:
        """Count the environments."""
        return training.environments

    def loss(self, state: int, batch: Batch, net: GNN) -> torch.Tensor:
        """Add the mean over environments of their squared slopes: how
        their mean loss changes as the logits grow, at scale 1.
        """
        assert batch.env is not None, "the card asks for environments"
        logits = net(batch.graphs).logits
        slopes, present = environment_means(scale_slopes(logits, batch.y), batch.env, state)
        return (
            graph_losses(logits, batch.y).mean() + self.lam * slopes.square().sum() / present.sum()
        )


def scale_slopes(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return d/ds loss(s logits) at s = 1 of each graph (B,): <gradient for the logits, logits>."""
    kind = kind_of(y)
    if kind == "classes":
        return ((logits.softmax(-1) - F.one_hot(y, logits.shape[-1])) * logits).sum(-1)
    if kind == "binary":
        known, each = y >= 0, (logits.sigmoid() - y) * logits
    else:
        known, each = ~y.isnan(), 2 * (logits - y.nan_to_num()) * logits
    return torch.where(known, each, 0.0).sum(-1) / known.sum(-1).clamp_min(1)
