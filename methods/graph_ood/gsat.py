"""Graph stochastic attention (arXiv:2201.12987)."""

from __future__ import annotations

from typing import Annotated, ClassVar, cast

import torch
from torch import nn

from bench import Meta, MethodCard
from bench.tracks.graph_ood import Batch, GraphMethod, Training, graph_losses
from bench.training.gnn import GNN, Output
from bench.training.graphs import GraphBatch

from ._rationales import WeightedBatch, reverse, weighted


class StochasticAttention(GraphMethod):
    """Let noise on the edges cut off what the label does not need."""

    card: ClassVar = MethodCard(
        name="gsat",
        title="GSAT: attention of edges with as much noise as the label allows",
        track="graph-ood",
        paper="arXiv:2201.12987",
        bibtex="""@inproceedings{miao2022gsat,
  title = {Interpretable and Generalizable Graph Learning via Stochastic Attention Mechanism},
  author = {Miao, Siqi and Liu, Mia and Li, Pan},
  booktitle = {ICML},
  year = {2022},
  eprint = {2201.12987},
  archivePrefix = {arXiv}
}""",
        claim="Attention that must pay for its information drops what is spurious: it interprets "
        "better and generalises better than plain graph nets.",
        official_code="ok",
        deviates="""The net is the task's; attention is on edges on every task, while the authors
have it on nodes of molecules. The net that scores edges has one hidden layer of 2 d units, normed
within each graph, without dropout; theirs has two and a dropout of a half. The information is that
of the paper, of the probabilities; the authors' code puts the drawn attention in its place. r falls
from .9 by .1 every 10 epochs to .7, as in their runs on motifs, and does not know how long the
training is. The statistics of batch norm are those of both passes, with and without attention, as
there.""",
        libraries=("torch_geometric",),
        defaults_from="paper",
    )
    info: Annotated[float, Meta(ge=0)] = 1.0
    """Weight of the information that the attention carries."""
    first: Annotated[float, Meta(gt=0, lt=1)] = 0.9
    """r of the first epochs: what attention costs nothing."""
    last: Annotated[float, Meta(gt=0, lt=1)] = 0.7
    """r that it falls to, by .1 every ``fall`` epochs."""
    fall: Annotated[int, Meta(ge=1)] = 10
    """Epochs between two steps of r."""

    def start(self, training: Training) -> _State:
        """Put the attention before the net."""
        training.net = Attention(training)  # type: ignore[assignment]
        return _State(training)

    def loss(self, state: _State, batch: Batch, net: GNN) -> torch.Tensor:
        """Mean loss under drawn attention + info times the mean over edges of KL(p, r)."""
        attention = cast("Attention", net)
        state.run.count(forward=len(batch.rows), backward=len(batch.rows))
        score = attention.score(batch.graphs)
        uniform = torch.rand(score.shape, generator=state.generator, device=score.device)
        drawn = (score + uniform.clamp(1e-6, 1 - 1e-6).logit()).sigmoid()
        logits = attention.under(batch.graphs, drawn).logits
        r = max(self.last, self.first - 0.1 * (batch.epoch // self.fall))
        return graph_losses(logits, batch.y).mean() + self.info * information(score, r)


class _State:
    def __init__(self, training: Training) -> None:
        self.run = training.run
        self.generator = training.run.torch_generator("method", "attention")


class Attention(nn.Module):
    """Predicts from graphs whose edges count as much as the same net's embeddings of their ends
    say.
    """

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.net, d = training.net, training.problem.hidden
        with training.run.seeded("init", "attention"):
            self.pair, self.last = nn.Linear(2 * d, 2 * d), nn.Linear(2 * d, 1)
        self.to(training.device)

    def score(self, batch: GraphBatch) -> torch.Tensor:
        """Return the logit of the attention of each stored direction of an edge (E,)."""
        first, second = batch.edge_index
        h = self.net(batch).h
        pairs = self.pair(torch.cat([h[first], h[second]], 1))
        score: torch.Tensor = self.last(within(edges_of(batch), pairs).relu()).squeeze(1)
        return score

    def under(self, batch: GraphBatch, attention: torch.Tensor) -> Output:
        """Return what the net says under attention (E,), the mean of both directions."""
        both = (attention + attention[reverse(batch)]) / 2
        output: Output = self.net(weighted(batch, both))
        return output

    def forward(self, batch: GraphBatch) -> Output:
        """Return what the net says under the expected attention."""
        return self.under(batch, self.score(batch).sigmoid())


def information(score: torch.Tensor, r: float) -> torch.Tensor:
    """Return the mean over edges of KL(Bernoulli(p), Bernoulli(r)), p = sigmoid(score (E,)); 0
    without edges. Source: arXiv:2201.12987, equation 9.
    """
    p, logsigmoid = score.sigmoid(), nn.functional.logsigmoid
    prior = torch.tensor(r, dtype=score.dtype, device=score.device)
    each = p * (logsigmoid(score) - prior.log()) + (1 - p) * (
        logsigmoid(-score) - (1 - prior).log()
    )
    return each.sum() / max(1, len(score))


def edges_of(batch: GraphBatch) -> WeightedBatch:
    """Return the edges of each graph as its nodes."""
    nothing = batch.x.new_zeros(len(batch.edge_index[0]), 0)
    return WeightedBatch(
        nothing,
        batch.edge_index[:, :0],
        batch.graph[batch.edge_index[1]],
        batch.size,
        nothing[:0].sum(1),
    )


def within(groups: GraphBatch, values: torch.Tensor) -> torch.Tensor:
    """Return each column of ``values`` (E, k) with mean 0 and variance 1 over the edges of each
    graph.
    """
    pool, counts = groups.pool(), groups.counts.clamp_min(1)[:, None]
    centred = values - pool.T @ ((pool @ values) / counts)
    variance = (pool @ centred.square()) / counts
    return centred * (pool.T @ (variance + 1e-5).rsqrt())
