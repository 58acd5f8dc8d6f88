"""OOD-GNN (arXiv:2112.03806)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.graph_ood import Batch, GraphMethod, Training, WeightLog, graph_losses
from bench.training.gnn import GNN

from ._decorrelation import (
    Dependence,
    Factors,
    Memory,
    generator_of,
    permuted,
    random_features,
    softmax_weights,
    solve_weights,
)


class _State:
    def __init__(self, training: Training, method: OODGNN) -> None:
        self.generator = generator_of(training.run)
        self.memory = Memory(method.groups, method.gamma)
        self.log = WeightLog(training)
        self.alone = torch.arange(training.problem.hidden, device=training.device)


class OODGNN(GraphMethod):
    """Weigh the graphs of a batch so that every two hidden variables
    become independent, then learn with these weights.
    """

    card: ClassVar = MethodCard(
        name="oodgnn",
        title="OOD-GNN: graphs weighed until all hidden variables are independent",
        track="graph-ood",
        paper="arXiv:2112.03806",
        bibtex="""@article{li2022oodgnn,
  title = {OOD-GNN: Out-of-Distribution Generalized Graph Neural Network},
  author = {Li, Haoyang and Wang, Xin and Zhang, Ziwei and Zhu, Wenwu},
  journal = {IEEE Transactions on Knowledge and Data Engineering},
  year = {2022},
  eprint = {2112.03806},
  archivePrefix = {arXiv}
}""",
        official_code="none",
        deviates="""No code by the authors was found, and the paper's own text could not be read
here. Weights are n softmax(a), so that they are positive with mean 1, found anew at each
visit. The memory's weights are held fixed. Number of random
features, drawn anew for each batch, of inner steps and of groups of the memory, their momentum,
learning rates, the ridge and the warm-up with equal weights are this project's. The net is the
task's, a GIN of three layers, not the paper's.""",
        libraries=("torch_geometric",),
        defaults_from="here",
        trials=None,
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
    factors: Factors = "both"
    """Factors of each covariance that the weight stands in: both, as the papers print it, or one,
    as a weighted covariance has it.
    """
    permute: bool = False
    """Control: the weights are dealt to the graphs of the batch at random."""

    def start(self, training: Training) -> _State:
        """Begin with an empty memory."""
        return _State(training, self)

    def loss(self, state: _State, batch: Batch, net: GNN) -> torch.Tensor:
        """Mean of w_n l_n; w minimises the dependence of the embeddings as they stand."""
        out = net(batch.graphs)
        losses = graph_losses(out.logits, batch.y)
        z = out.z.detach()
        w = torch.ones_like(z[:, 0])
        if batch.epoch >= self.warmup:
            joined, remembered = state.memory.join(z)
            dependence = Dependence(
                random_features(joined, self.features, state.generator), state.alone, self.factors
            )
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

    def finish(self, state: _State) -> dict[str, Any]:
        """Say what each graph weighed after the warm-up."""
        return state.log.fields()
