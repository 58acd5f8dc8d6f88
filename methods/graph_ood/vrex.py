"""Risk extrapolation (arXiv:2003.00688)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.graph_ood import Batch, GraphMethod, Training, graph_losses
from bench.training.gnn import GNN

from ._environments import environment_means


class RiskExtrapolation(GraphMethod):
    """Punish the variance of the mean losses of the environments."""

    card: ClassVar = MethodCard(
        name="vrex",
        title="Risk extrapolation (V-REx)",
        track="graph-ood",
        paper="arXiv:2003.00688",
        bibtex="""@inproceedings{krueger2021vrex,
  title = {Out-of-Distribution Generalization via Risk Extrapolation (REx)},
  author = {Krueger, David and Caballero, Ethan and Jacobsen, Joern-Henrik and Zhang, Amy and Binas,
    Jonathan and Zhang, Dinghuai and Le Priol, Remi and Courville, Aaron},
  booktitle = {ICML},
  year = {2021},
  eprint = {2003.00688},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates="""Weight 10, DomainBed's, from the first step; DomainBed has weight 1 for its
first 500 steps and a new optimiser then, and GOOD has 1000 for Motif. The variance is the unbiased
one, as in GOOD; DomainBed divides by the number of environments, so that with three its penalty is
two thirds of ours. Batches are drawn from all graphs: the losses of all graphs are averaged, as
GOOD does, not the means of environments, and the variance is that of the environments that a batch
holds, 0 where it holds one.""",
        needs=("env",),
        libraries=("torch_geometric",),
        defaults_from="here",
    )
    lam: Annotated[float, Meta(ge=0)] = 10.0
    """Weight of the variance; 0 is empirical risk minimisation."""

    def start(self, training: Training) -> int:
        """Count the environments."""
        return training.environments

    def loss(self, state: int, batch: Batch, net: GNN) -> torch.Tensor:
        """Mean loss + lam times the unbiased variance over environments of their mean losses."""
        assert batch.env is not None, "the card asks for environments"
        losses = graph_losses(net(batch.graphs).logits, batch.y)
        means, present = environment_means(losses, batch.env, state)
        count = present.sum()
        centre = means.sum() / count
        variance = (torch.where(present, means - centre, 0.0).square().sum()) / (
            count - 1
        ).clamp_min(1)
        return losses.mean() + self.lam * variance
