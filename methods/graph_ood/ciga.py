"""Causality inspired invariant graph learning (arXiv:2202.05441)."""

from __future__ import annotations

from typing import Annotated, ClassVar, cast

import torch
from torch.nn import functional as F

from bench import Meta, MethodCard
from bench.tracks.graph_ood import Batch, GraphMethod, Training, graph_losses
from bench.training.gnn import GNN

from ._rationales import Rationale, untracked


class CausalInvariance(GraphMethod):
    """Predict from a part of each graph that is alike in all graphs of a class, and let the other
    part say what it can of the label, as long as that is less.
    """

    card: ClassVar = MethodCard(
        name="ciga",
        title="CIGA: rationales that are alike within a class",
        track="graph-ood",
        paper="arXiv:2202.05441",
        bibtex="""@inproceedings{chen2022ciga,
  title = {Learning Causally Invariant Representations for Out-of-Distribution Generalization on
    Graphs},
  author = {Chen, Yongqiang and Zhang, Yonggang and Bian, Yatao and Yang, Han and Ma, Kaili and Xie,
    Binghui and Liu, Tongliang and Han, Bo and Cheng, James},
  booktitle = {NeurIPS},
  year = {2022},
  eprint = {2202.05441},
  archivePrefix = {arXiv}
}""",
        claim="Subgraphs that are alike within a class whatever the environment carry the cause of "
        "the label, without a word on environments.",
        official_code="ok",
        deviates="""The net that finds rationales and the one that predicts are two nets of the
task's kind. The predicting net reads the features of the nodes, and the contrast its embeddings,
the defaults of the authors' code; their runs on motifs read the other net's. Both directions of an
edge have one score, the mean of the two. The rests' loss reaches the nets, as the paper's second
version and GOOD's code have it; in the authors' code it stops at a head of its own, so that only
the rationales move the nets. Rests leave the running statistics of batch norm alone. For answers
the contrast joins graphs that agree in all of them; numbers never agree, so there the contrast is
0.""",
        libraries=("torch_geometric",),
        defaults_from="paper",
    )
    ratio: Annotated[float, Meta(gt=0, le=1)] = 0.25
    """Share of a graph's edges that are its rationale."""
    contrast: Annotated[float, Meta(ge=0)] = 4.0
    """alpha, weight of the contrast between classes."""
    hinge: Annotated[float, Meta(ge=0)] = 2.0
    """beta, weight of the rests' loss where it is above the rationale's; 0: CIGA's first version,
    which asks nothing of the rests.
    """
    temperature: Annotated[float, Meta(gt=0)] = 1.0
    """Of the contrast."""

    def start(self, training: Training) -> Training:
        """Put the net that finds rationales before the one that predicts."""
        training.net = Rationale(training, self.ratio)  # type: ignore[assignment]
        return training

    def loss(self, state: Training, batch: Batch, net: GNN) -> torch.Tensor:
        """Mean risk of the rationales + contrast times their contrast + hinge times the mean loss
        of those rests that say less of the label than their rationale.
        """
        rationale, visits = cast("Rationale", net), len(batch.rows)
        inside, outside = rationale.split(batch.graphs)
        out = rationale.net(inside)
        losses = graph_losses(out.logits, batch.y)
        total = losses.mean() + self.contrast * class_contrast(out.z, batch.y, self.temperature)
        state.run.count(forward=visits, backward=visits)
        if self.hinge:
            with untracked(rationale.net):
                rests = graph_losses(rationale.rest(rationale.net(outside).z), batch.y)
            state.run.count(forward=visits, backward=visits)
            total = total + self.hinge * hinged(rests, losses)
        return total


def class_contrast(z: torch.Tensor, y: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return the supervised contrast of embeddings z (B, d), scaled to length 1: the mean over
    graphs of the mean over others of their label of -log (exp(z_i z_p / t) / sum over all others
    exp(z_i z_a / t)). Source: arXiv:2202.05441, equation 5.

    Graphs that are alone with their label are left out; 0 where all are.

    Args:
        z: embeddings (B, d).
        y: labels (B,); or answers or targets (B, C), of which all must be known and equal.
        temperature: t.
    """
    unit = F.normalize(z, dim=1)
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    near = (unit @ unit.T / temperature).masked_fill(itself, -torch.inf)
    labels = y[:, None] if y.dim() == 1 else y
    known = (labels >= 0).all(1) if not labels.is_floating_point() else ~labels.isnan().any(1)
    alike = (labels[:, None] == labels).all(2) & known & ~itself
    share = (near - near.logsumexp(1, keepdim=True)).masked_fill(~alike, 0.0)
    counts = alike.sum(1)
    each = -share.sum(1) / counts.clamp_min(1)
    return each.sum() / (counts > 0).sum().clamp_min(1)


def hinged(rests: torch.Tensor, rationales: torch.Tensor) -> torch.Tensor:
    """Return the mean of the losses ``rests`` (B,) that are above those of their ``rationales``
    (B,); 0 where none is. Source: arXiv:2202.05441, equation 8.
    """
    above = (rests > rationales).to(rests.dtype).detach()
    return (rests * above).sum() / above.sum().clamp_min(1)
