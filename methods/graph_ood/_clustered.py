"""What the two forms of L2R-GNN share: the dependence between clusters of hidden variables, whose
minimum over the weights of the graphs both look for.
"""

from __future__ import annotations

from typing import Annotated, Any

import torch

from bench import Meta
from bench.tracks.graph_ood import GraphMethod, Training, WeightLog
from bench.training.gnn import embed

from ._clusters import clusters, instability
from ._decorrelation import Dependence, Factors, Memory, generator_of, random_features

CLUSTERED = 512
"""Most training graphs that the clusters are computed from."""
BIBTEX = """@inproceedings{chen2024l2r,
  title = {Learning to Reweight for Generalizable Graph Neural Network},
  author = {Chen, Zhengyu and Xiao, Teng and Kuang, Kun and Lv, Zheqi and Zhang, Min and Yang,
    Jinluan and Lu, Chengqiang and Yang, Hongxia and Wu, Fei},
  booktitle = {AAAI},
  year = {2024},
  eprint = {2312.12475},
  archivePrefix = {arXiv}
}"""
CHOSEN_HERE = """No code is public, and the paper itself could not be read here: its abstract, its
equations and its settings were, as others report them. They leave open, and this project chose:
correlations over the nodes of a graph, their standard deviation over graphs as distance, average
linkage, 8 clusters, made anew each epoch from at most 512 graphs; Q = 2 random features, drawn anew
for each batch; weights n softmax(a) over the batch, the memory's held fixed; its number of groups
and their momentum; learning rates, the ridge and the warm-up. Clusters differ means the pair
counts, as the text says, not as the printed indicator does. """


class State:
    """What the method carries from step to step."""

    def __init__(self, training: Training, method: ClusteredWeights) -> None:
        self.training, self.generator = training, generator_of(training.run)
        self.memory = Memory(method.groups, method.gamma)
        self.log = WeightLog(training)
        self.cluster = torch.arange(training.problem.hidden, device=training.device)


class ClusteredWeights(GraphMethod):
    """Weights that make clusters of hidden variables independent of each other."""

    features: Annotated[int, Meta(ge=1)] = 2
    """Q, random features of a hidden variable."""
    weight_lr: Annotated[float, Meta(gt=0)] = 0.1
    """Learning rate of the weights."""
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
    factors: Factors = "both"
    """Factors of each covariance that the weight stands in: both, as the papers print it, or one,
    as a weighted covariance has it.
    """
    permute: bool = False
    """Control: the weights are dealt to the graphs of the batch at random."""

    def start(self, training: Training) -> State:
        """Begin with an empty memory."""
        return State(training, self)

    def before_epoch(self, state: State, epoch: int) -> None:
        """Cluster the hidden variables as they are now."""
        if self.clusters is None or epoch < self.warmup:
            return
        training = state.training
        order = torch.randperm(
            len(training.rows), generator=state.generator, device=training.device
        )
        graphs = training.gather(training.rows[order[:CLUSTERED]]).graphs
        state.cluster = clusters(
            instability(embed(training.net, graphs).h, graphs.graph, graphs.size), self.clusters
        )

    def dependence(self, state: State, z: torch.Tensor) -> tuple[Dependence, torch.Tensor | None]:
        """Return D over embeddings (B, d) and then the memory's, and the memory's weights."""
        joined, remembered = state.memory.join(z)
        features = random_features(joined, self.features, state.generator)
        return Dependence(features, state.cluster, self.factors), remembered

    def finish(self, state: State) -> dict[str, Any]:
        """Say what each graph weighed after the warm-up."""
        return state.log.fields()
