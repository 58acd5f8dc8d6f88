"""Mixup of graph embeddings (arXiv:1710.09412; for graphs: Wang et al., WWW 2021)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.graph_ood import Batch, GraphMethod, Training, graph_losses
from bench.training.gnn import GNN


class _Draws:
    """The method's own random numbers: shares by NumPy on the CPU, partners on the device."""

    def __init__(self, training: Training) -> None:
        self.shares = training.run.numpy_generator("method", "shares")
        self.partners = training.run.torch_generator("method", "partners")


class Mixup(GraphMethod):
    """Mix the embeddings of two graphs and their losses."""

    card: ClassVar = MethodCard(
        name="mixup",
        title="Mixup of graph embeddings",
        track="graph-ood",
        paper="arXiv:1710.09412",
        bibtex="""@inproceedings{zhang2018mixup,
  title = {mixup: Beyond Empirical Risk Minimization},
  author = {Zhang, Hongyi and Cisse, Moustapha and Dauphin, Yann N. and Lopez-Paz, David},
  booktitle = {ICLR},
  year = {2018},
  eprint = {1710.09412},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates="""Graphs have no sum, so their embeddings are mixed, before the linear head, as
Wang et al. do; the paper mixes inputs. Partners are drawn within a batch, whatever their labels and
environments, and a batch has one share, as in the official code. alpha is GOOD's for Motif. In this
form it tempers confidence and corrects no wrong labels.""",
        libraries=("torch_geometric",),
        defaults_from="here",
    )
    alpha: Annotated[float, Meta(ge=0)] = 0.4
    """The share is Beta(alpha, alpha); 0 is empirical risk minimisation."""

    def start(self, training: Training) -> _Draws:
        """Open the method's streams."""
        return _Draws(training)

    def loss(self, state: _Draws, batch: Batch, net: GNN) -> torch.Tensor:
        """Mean of s l(head(s z + (1 - s) z'), y) + (1 - s) l(the same,
        y'); z' and y' are a partner's.
        """
        out = net(batch.graphs)
        share = float(state.shares.beta(self.alpha, self.alpha)) if self.alpha else 1.0
        if share == 1.0:
            return graph_losses(out.logits, batch.y).mean()
        partner = torch.randperm(len(batch.rows), generator=state.partners, device=out.z.device)
        logits = net.head(share * out.z + (1 - share) * out.z[partner])
        return (
            share * graph_losses(logits, batch.y)
            + (1 - share) * graph_losses(logits, batch.y[partner])
        ).mean()
