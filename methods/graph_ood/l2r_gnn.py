"""L2R-GNN (arXiv:2312.12475)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.graph_ood import Batch, Training, graph_losses
from bench.training.gnn import GNN, embed

from ._clustered import BIBTEX, CHOSEN_HERE, ClusteredWeights, State
from ._decorrelation import AdamTable, logit_slope, permuted, softmax_weights


class TwoLevels(State):
    """Adds the weights, which last from epoch to epoch, and what the net has just learned from."""

    def __init__(self, training: Training, method: L2RGNN) -> None:
        super().__init__(training, method)
        self.table = AdamTable(training.n_graphs, method.weight_lr, training.device)
        self.learned = training.rows[:0]

    def other_graphs(self, count: int) -> torch.Tensor:
        """Draw ``count`` training graphs, or as many as there are, that the last step of the net
        was not on; of all where it was on all of them.
        """
        rows = self.training.rows
        fresh = rows[~torch.isin(rows, self.learned)]
        fresh = fresh if len(fresh) else rows
        order = torch.randperm(len(fresh), generator=self.generator, device=fresh.device)
        return fresh[order[:count]]


class L2RGNN(ClusteredWeights):
    """Learn the net with weighted graphs, and the weights on graphs that the net did not just learn
    from: by their dependence between clusters of hidden variables and their weighted loss.
    """

    card: ClassVar = MethodCard(
        name="l2r-gnn",
        title="L2R-GNN: weights between clusters of hidden variables, learned on two levels",
        track="graph-ood",
        paper="arXiv:2312.12475",
        bibtex=BIBTEX,
        official_code="none",
        deviates=CHOSEN_HERE
        + """The two levels take turns as the equations say: theta_i = theta_{i-1} - eta grad
L_train(theta_{i-1}, w_{i-1}) on one batch, then w_i = w_{i-1} - eta_w grad_w L_val(theta_i,
w_{i-1}) on another, with theta_i held fixed: the first-order step, which drops how theta_i depends
on w. Chosen here: L_val is the dependence between clusters plus the mean weighted loss (`share`),
since what it holds was not readable; its graphs are drawn for each step from the training graphs
outside the batch just learned from, not one part fixed for good, since the weight of a graph that
the net never learns from would change nothing; one step of Adam each, for both levels; batch norm
in eval mode on the upper level.""",
        libraries=("torch_geometric", "scipy"),
        defaults_from="here",
        trials=17,
    )
    decorrelate: bool = True
    """Whether dependence between clusters counts; without it the weighted loss alone moves the
    weights.
    """
    share: Annotated[float, Meta(ge=0)] = 1.0
    """Weight of the mean weighted loss in the upper objective, beside D."""

    def start(self, training: Training) -> TwoLevels:
        """Begin with equal weights and an empty memory."""
        return TwoLevels(training, self)

    def loss(self, state: State, batch: Batch, net: GNN) -> torch.Tensor:
        """Mean of w_n l_n, with the weights as the upper level left them."""
        assert isinstance(state, TwoLevels)
        weighing = batch.epoch >= self.warmup
        if weighing:
            self._upper(state, net, len(batch.rows))
        state.learned = batch.rows
        losses = graph_losses(net(batch.graphs).logits, batch.y)
        w = torch.ones_like(losses)
        if weighing:
            w = softmax_weights(state.table.a[batch.rows])
            w = permuted(w, state.generator) if self.permute else w
            state.log.add(batch.rows, w)
        return (w * losses).mean()

    def _upper(self, state: TwoLevels, net: GNN, count: int) -> None:
        """Take one step on the weights of ``count`` other graphs, at the net as it is now."""
        upper = state.training.gather(state.other_graphs(count))
        state.training.run.count(forward=len(upper.rows))
        out = embed(net, upper.graphs)
        dependence, remembered = self.dependence(state, out.z) if self.decorrelate else (None, None)
        slope = graph_losses(out.logits, upper.y) * (self.share / len(upper.rows))
        gradient = logit_slope(
            state.table.a[upper.rows],
            dependence,
            ridge=self.ridge,
            memory=remembered,
            slope=slope,
        )
        state.table.step(upper.rows, gradient)
        state.memory.add(out.z, softmax_weights(state.table.a[upper.rows]))
