"""Deep CORAL (arXiv:1607.01719)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.graph_ood import Batch, GraphMethod, Training, graph_losses
from bench.training.gnn import GNN


class DeepCoral(GraphMethod):
    """Let the embeddings of graphs have the same covariance in all environments."""

    card: ClassVar = MethodCard(
        name="coral",
        title="Deep CORAL: one covariance of the embeddings in all environments",
        track="graph-ood",
        paper="arXiv:1607.01719",
        bibtex="""@inproceedings{sun2016deepcoral,
  title = {Deep CORAL: Correlation Alignment for Deep Domain Adaptation},
  author = {Sun, Baochen and Saenko, Kate},
  booktitle = {ECCV Workshops},
  year = {2016},
  eprint = {1607.01719},
  archivePrefix = {arXiv}
}""",
        claim="Features whose covariance is the same in two domains classify the other domain's "
        "pictures better.",
        official_code="ok",
        deviates="""Domain generalisation, as GOOD has it: environments of the training graphs stand
where the paper has a labelled and an unlabelled domain, and the mean is over all pairs of them.
Aligned are the embeddings before the head; the paper aligns the outputs of the last layer. C is the
covariance; GOOD subtracts the product of the means once instead of as often as there are graphs.
The squares are averaged over the d^2 entries, as the paper and GOOD do. Weight 1 is GOOD's for
Motif. Batches are drawn from all graphs, so an environment of which a batch has fewer than two
graphs is left out there. There is no public code of the authors for a net of graphs: GOOD's was
read.""",
        needs=("env",),
        libraries=("torch_geometric",),
        defaults_from="here",
        trials=3,
    )
    lam: Annotated[float, Meta(ge=0)] = 1.0
    """Weight of the distance; 0 is empirical risk minimisation."""

    def start(self, training: Training) -> int:
        """Count the environments."""
        return training.environments

    def loss(self, state: int, batch: Batch, net: GNN) -> torch.Tensor:
        """Add lam times the mean over pairs of environments of ||C_i - C_j||^2 / (4 d^2)."""
        assert batch.env is not None, "the card asks for environments"
        out = net(batch.graphs)
        losses = graph_losses(out.logits, batch.y)
        return losses.mean() + self.lam * distance(out.z, batch.env, state)


def distance(z: torch.Tensor, env: torch.Tensor, count: int) -> torch.Tensor:
    """Return the mean over pairs of environments with two graphs or more of ||C_i - C_j||^2 / (4
    d^2), C the unbiased covariance of their embeddings; 0 where there is no pair. Source:
    arXiv:1607.01719, equations 1 to 3.

    Args:
        z: embeddings (B, d).
        env: environment of each graph (B,).
        count: how many environments there are.
    """
    member = (env == torch.arange(count, device=env.device)[:, None]).to(z.dtype)
    sizes = member.sum(1)
    means = (member @ z) / sizes.clamp_min(1)[:, None]
    centred = z - means[env]
    covariances = (member[:, :, None] * centred).mT @ centred
    covariances = covariances / (sizes - 1).clamp_min(1)[:, None, None]
    apart = (covariances[:, None] - covariances[None]).square().mean((2, 3)) / 4
    pairs = (sizes > 1).to(z.dtype)
    counts = pairs[:, None] * pairs * (1 - torch.eye(count, dtype=z.dtype, device=z.device))
    return (apart * counts).sum() / counts.sum().clamp_min(1)
