"""Group distributionally robust optimisation (arXiv:1911.08731)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.graph_ood import Batch, GraphMethod, Training, graph_losses
from bench.training.gnn import GNN

from ._environments import environment_means


class GroupDRO(GraphMethod):
    """Weigh environments by how badly they went so far."""

    card: ClassVar = MethodCard(
        name="groupdro",
        title="Group DRO",
        track="graph-ood",
        paper="arXiv:1911.08731",
        bibtex="""@inproceedings{sagawa2020groupdro,
  title = {Distributionally Robust Neural Networks for Group Shifts: On the Importance of
    Regularization for Worst-Case Generalization},
  author = {Sagawa, Shiori and Koh, Pang Wei and Hashimoto, Tatsunori B. and Liang, Percy},
  booktitle = {ICLR},
  year = {2020},
  eprint = {1911.08731},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates="""Groups are environments, not pairs of label and shortcut; there is no strong
weight decay, without which the paper finds no gain, and no adjustment by the size of a group. The
step size .01 is the paper's and DomainBed's. The weights last over batches, as in the paper; GOOD
draws them anew in each. Batches are drawn from all graphs, not alike from each group; an
environment that a batch has nothing of counts as loss 0 there, so its weight shrinks.""",
        needs=("env",),
        libraries=("torch_geometric",),
        defaults_from="paper",
    )
    eta: Annotated[float, Meta(ge=0)] = 0.01
    """Step size of the weights; 0 weighs environments alike."""

    def start(self, training: Training) -> torch.Tensor:
        """Return q, equal at first (E,)."""
        return torch.full(
            (training.environments,), 1 / training.environments, device=training.device
        )

    def loss(self, state: torch.Tensor, batch: Batch, net: GNN) -> torch.Tensor:
        """Sum of q_e L_e over the environments present, after q_e grew by
        exp(eta L_e); q sums to 1.
        """
        assert batch.env is not None, "the card asks for environments"
        means, _ = environment_means(
            graph_losses(net(batch.graphs).logits, batch.y), batch.env, len(state)
        )
        state *= (self.eta * means.detach()).exp()
        state /= state.sum()
        return state.clone() @ means
