"""Discovering invariant rationales (arXiv:2201.12872)."""

from __future__ import annotations

from typing import Annotated, ClassVar, cast

import torch

from bench import Meta, MethodCard
from bench.tracks.graph_ood import Batch, GraphMethod, Training, graph_losses
from bench.training.gnn import GNN

from ._rationales import Rationale, untracked


class InvariantRationales(GraphMethod):
    """Predict from a part of each graph whose prediction holds whatever other part is put beside
    it.
    """

    card: ClassVar = MethodCard(
        name="dir",
        title="DIR: rationales that hold beside the rest of any other graph",
        track="graph-ood",
        paper="arXiv:2201.12872",
        bibtex="""@inproceedings{wu2022dir,
  title = {Discovering Invariant Rationales for Graph Neural Networks},
  author = {Wu, Ying-Xin and Wang, Xiang and Zhang, An and He, Xiangnan and Chua, Tat-Seng},
  booktitle = {ICLR},
  year = {2022},
  eprint = {2201.12872},
  archivePrefix = {arXiv}
}""",
        claim="Rationales whose prediction is invariant across interventions on the rest of the "
        "graph are the causal ones, and generalise better than those of other rationale nets.",
        official_code="ok",
        deviates="""The net that finds rationales and the one that predicts are two nets of the
task's kind; the authors have LEConv layers. The predicting net reads the features of the nodes, not
the other net's embeddings, in which the rest of the graph would be hidden. Both directions of an
edge have one score, the mean of the two, and of m edges the first ceil(r m) are kept; the authors
score and keep directions, floor(r m) of them. A step is taken for each batch, with one optimiser
for all; the authors take one for each epoch, and another for the rests' head. The variance of the
risks is their mean squared distance from their mean; the authors' code divides by one less, and
multiplies the risks by the size of the batch first. Rests leave the running statistics of batch
norm alone; the authors' net has none. Numbers are multiplied by the sigmoid of the rest's
prediction too, which the paper does for classes alone.""",
        libraries=("torch_geometric",),
        defaults_from="paper",
    )
    ratio: Annotated[float, Meta(gt=0, le=1)] = 0.25
    """Share of a graph's edges that are its rationale."""
    alpha: Annotated[float, Meta(ge=0)] = 0.01
    """Weight of the risks beside other graphs' rests, times epoch^1.6."""
    spread: Annotated[float, Meta(ge=0)] = 1.0
    """Weight of the variance of these risks beside their mean."""

    def start(self, training: Training) -> Training:
        """Put the net that finds rationales before the one that predicts."""
        training.net = Rationale(training, self.ratio)  # type: ignore[assignment]
        return training

    def loss(self, state: Training, batch: Batch, net: GNN) -> torch.Tensor:
        """Mean risk of the rationales + alpha epoch^1.6 (mean + spread variance over the batch's
        rests of the risk beside that rest) + mean risk of the rests' own head.
        """
        rationale = cast("Rationale", net)
        state.run.count(forward=2 * len(batch.rows), backward=len(batch.rows))
        inside, outside = rationale.split(batch.graphs)
        out = rationale.net(inside)
        with torch.no_grad(), untracked(rationale.net):
            rests = rationale.net(outside).z
        said = rationale.rest(rests)
        risks = interventions(out.logits, said.detach(), batch.y)
        strength = self.alpha * batch.epoch**1.6
        return (
            graph_losses(out.logits, batch.y).mean()
            + strength * (risks.mean() + self.spread * risks.var(correction=0))
            + graph_losses(said, batch.y).mean()
        )


def interventions(logits: torch.Tensor, rests: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the mean risk beside each rest (B,): all rationales predict their own label, with
    logits times the sigmoid of what that rest says. Source: arXiv:2201.12872, equations 4 and 9.

    Args:
        logits: of the rationales (B, C).
        rests: logits of the rests (B, C).
        y: labels, answers or targets of the graphs (B,) or (B, C).
    """
    joint = rests.sigmoid()[:, None] * logits  # (rests, rationales, C)
    count = len(logits)
    losses = graph_losses(joint.flatten(0, 1), y.repeat(count, *[1] * (y.dim() - 1)))
    return losses.view(count, count).mean(1)
