"""L2R-GNN (arXiv:2312.12475)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import torch

from bench import Meta, MethodCard, Run
from bench.tracks.graph_ood import Batch, GraphMethod, Problem, Training, WeightLog, graph_losses
from bench.training.gnn import GNN, embed

from ._clusters import clusters, instability
from ._decorrelation import (
    Dependence,
    Memory,
    generator_of,
    permuted,
    random_features,
    softmax_weights,
    solve_weights,
)
from ._hypergradient import through_head, through_net

CLUSTERED = 512
"""Most training graphs that the clusters are computed from."""


class _State:
    def __init__(self, training: Training, method: L2RGNN) -> None:
        self.training, self.generator = training, generator_of(training.run)
        self.memory = Memory(method.groups, method.gamma)
        self.log = WeightLog(training)
        self.a = torch.zeros(training.n_graphs, device=training.device)
        self.cluster = torch.arange(training.problem.hidden, device=training.device)
        kept = torch.ones(training.n_graphs, dtype=torch.bool, device=training.device)
        kept[training.rows] = False
        self.upper = kept.nonzero()[:, 0]
        self.whole: Batch | None = None
        self.lr = training.problem.lr

    def drawn(self, size: int) -> Batch:
        """Return ``size`` graphs of the upper level, drawn anew, or where
        there are no more than that all of them.
        """
        if len(self.upper) > size:
            order = torch.randperm(
                len(self.upper), generator=self.generator, device=self.upper.device
            )
            return self.training.gather(self.upper[order[:size]])
        self.whole = self.whole or self.training.gather(self.upper)
        return self.whole


class L2RGNN(GraphMethod):
    """Weigh the graphs so that clusters of hidden variables become
    independent of each other and a held-out loss falls.
    """

    card: ClassVar = MethodCard(
        name="l2r-gnn",
        title="L2R-GNN: weights between clusters of hidden variables, learned on two levels",
        track="graph-ood",
        paper="arXiv:2312.12475",
        bibtex="""@inproceedings{chen2024l2r,
  title = {Learning to Reweight for Generalizable Graph Neural Network},
  author = {Chen, Zhengyu and Xiao, Teng and Kuang, Kun and Lv, Zheqi and Zhang, Min and Yang,
    Jinluan and Lu, Chengqiang and Yang, Hongxia and Wu, Fei},
  booktitle = {AAAI},
  year = {2024},
  eprint = {2312.12475},
  archivePrefix = {arXiv}
}""",
        official_code="none",
        deviates="""No code is public. The paper leaves open, and this project chose: correlations
over the nodes of a graph, average linkage, 8 clusters; weights n softmax(a) over the batch, the
memory's held fixed; the upper loss D + share times the loss on a tenth of the training graphs after
a virtual step, entering by its exact one-step gradient, scaled to the size of D; the weights move
before the model's step of the same batch, not after it; features, inner steps, learning rates,
warm-up. Clusters differ means the pair counts, as the text says, not as the printed indicator does.
On Spurious-Motif the upper level gains nothing: the more it counts (share), the more accuracy out
of distribution is lost, and with as many held-out graphs free of the bias nothing is. It learns the
bias of the graphs that it holds back, which are like the training graphs. The track's page has the
figures.""",
        libraries=("torch_geometric", "scipy"),
        defaults_from="here",
        trials=17,
    )
    features: Annotated[int, Meta(ge=1)] = 2
    """Q, random features of a hidden variable."""
    steps: Annotated[int, Meta(ge=0)] = 20
    """Inner steps on the weights of each batch; 0 is empirical risk minimisation."""
    weight_lr: Annotated[float, Meta(gt=0)] = 0.1
    """Learning rate of the inner steps."""
    ridge: Annotated[float, Meta(ge=0)] = 0.02
    """Weight of mean(w^2)."""
    warmup: Annotated[int, Meta(ge=0)] = 5
    """Epochs at the start with equal weights."""
    groups: Annotated[int, Meta(ge=0)] = 1
    """K, groups of the global memory."""
    gamma: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    """What a group of the memory keeps of itself."""
    clusters: Annotated[int, Meta(ge=1)] | None = 8
    """Clusters of hidden variables; none: each variable by itself, OOD-GNN's pairs."""
    carry: Annotated[float, Meta(ge=0, le=1)] = 0.0
    """What a graph's weight keeps of itself (of its logit) from one visit to the next."""
    upper: bool = True
    """Whether there is an upper level."""
    decorrelate: bool = True
    """Whether dependence between clusters counts; without it the upper
    level alone moves the weights.
    """
    share: Annotated[float, Meta(ge=0)] = 1.0
    """Size of the upper level's gradient beside that of D."""
    upper_frac: Annotated[float, Meta(gt=0, lt=1)] = 0.1
    """Share of the training graphs that the upper level keeps for itself."""
    hypergrad: Literal["net", "last_layer"] = "net"
    """Parameters that the virtual step moves: all, or the head."""
    permute: bool = False
    """Control: the weights are dealt to the graphs of the batch at random."""

    def rows(self, problem: Problem, run: Run) -> torch.Tensor | None:
        """Keep a part for the upper level, which must not be the task's validation data."""
        if not self.upper:
            return None
        n = len(problem.graphs)
        order = run.numpy_generator("method", "upper").permutation(n)
        return torch.from_numpy(order[max(1, round(self.upper_frac * n)) :]).sort().values

    def start(self, training: Training) -> _State:
        """Begin with equal weights and an empty memory."""
        return _State(training, self)

    def before_epoch(self, state: _State, epoch: int) -> None:
        """Cluster the hidden variables as they are now."""
        if self.clusters is None or not self.decorrelate or epoch < self.warmup:
            return
        training = state.training
        order = torch.randperm(
            len(training.rows), generator=state.generator, device=training.device
        )
        graphs = training.gather(training.rows[order[:CLUSTERED]]).graphs
        state.cluster = clusters(
            instability(embed(training.net, graphs).h, graphs.graph, graphs.size), self.clusters
        )

    def loss(self, state: _State, batch: Batch, net: GNN) -> torch.Tensor:
        """Mean of w_n l_n after the weights moved: D between clusters, and
        the upper loss after a virtual step, both for w.
        """
        out = net(batch.graphs)
        losses = graph_losses(out.logits, batch.y)
        z = out.z.detach()
        w = torch.ones_like(z[:, 0])
        if batch.epoch >= self.warmup:
            start = self.carry * state.a[batch.rows]
            joined, remembered = state.memory.join(z)
            dependence = (
                Dependence(random_features(joined, self.features, state.generator), state.cluster)
                if self.decorrelate
                else None
            )
            slope = (
                self._slope(state, batch, net, softmax_weights(start), dependence, len(joined))
                if self.upper
                else None
            )
            a = solve_weights(
                dependence,
                start,
                steps=self.steps,
                lr=self.weight_lr,
                ridge=self.ridge,
                memory=remembered,
                slope=slope,
            )
            state.a[batch.rows] = a
            w = softmax_weights(a)
            state.memory.add(z, w)
            w = permuted(w, state.generator) if self.permute else w
            state.log.add(batch.rows, w)
        return (w * losses).mean()

    def _slope(
        self,
        state: _State,
        batch: Batch,
        net: GNN,
        w: torch.Tensor,
        dependence: Dependence | None,
        rows: int,
    ) -> torch.Tensor:
        """Return the hypergradient, centred and scaled so that ``share`` 1
        is a change of D(1) / n for a graph one deviation away.
        """
        upper = state.drawn(len(w))
        if self.hypergrad == "net":
            found = through_net(net, batch, upper, w, state.lr)
        else:
            found = through_head(
                net,
                embed(net, batch.graphs).z,
                batch.y,
                embed(net, upper.graphs).z,
                upper.y,
                w,
                state.lr,
            )
        unit = (found - found.mean()) / found.std(correction=0).clamp_min(1e-12)
        size = (
            dependence.value(torch.ones(rows, device=w.device)) if dependence is not None else 1.0
        )
        return unit * (self.share * size / len(w))

    def finish(self, state: _State) -> dict[str, Any]:
        """Say what each graph weighed after the warm-up."""
        return state.log.fields()
