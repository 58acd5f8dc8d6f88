"""The lower level of L2R-GNN (arXiv:2312.12475) by itself."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.graph_ood import Batch, graph_losses
from bench.training.gnn import GNN

from ._clustered import BIBTEX, CHOSEN_HERE, ClusteredWeights, State
from ._decorrelation import permuted, softmax_weights, solve_weights


class L2RLower(ClusteredWeights):
    """Weigh the graphs of each batch until clusters of hidden variables are independent of each
    other, then learn with these weights.
    """

    card: ClassVar = MethodCard(
        name="l2r-gnn-lower",
        title="L2R-GNN without its upper level: weights between clusters of hidden variables",
        track="graph-ood",
        paper="arXiv:2312.12475",
        bibtex=BIBTEX,
        official_code="none",
        deviates=CHOSEN_HERE
        + """This row is the paper's ablation without the bi-level algorithm: the weights of a
batch are found anew at each visit, by 20 steps of Adam from equal weights, on the embeddings of the
batch that the net is about to learn from, and no graph is held back.""",
        libraries=("torch_geometric", "scipy"),
        defaults_from="here",
        trials=17,
    )
    steps: Annotated[int, Meta(ge=0)] = 20
    """Steps on the weights of each batch; 0 is empirical risk minimisation."""

    def loss(self, state: State, batch: Batch, net: GNN) -> torch.Tensor:
        """Mean of w_n l_n; w minimises D between clusters of the embeddings as they stand."""
        out = net(batch.graphs)
        losses = graph_losses(out.logits, batch.y)
        z = out.z.detach()
        w = torch.ones_like(z[:, 0])
        if batch.epoch >= self.warmup:
            dependence, remembered = self.dependence(state, z)
            w = softmax_weights(
                solve_weights(
                    dependence,
                    torch.zeros_like(w),
                    steps=self.steps,
                    lr=self.weight_lr,
                    ridge=self.ridge,
                    memory=remembered,
                )
            )
            state.memory.add(z, w)
            w = permuted(w, state.generator) if self.permute else w
            state.log.add(batch.rows, w)
        return (w * losses).mean()
