"""A visual memory (arXiv:2408.08172): the model is a table of examples,
and forgetting deletes rows.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch import nn

from bench import Meta, MethodCard
from bench.tracks.unlearning import Group, Solution, UnlearningMethod


class VisualMemory(UnlearningMethod):
    """Nearest neighbours over features that no row trained; exact, and as quick as deleting."""

    card: ClassVar = MethodCard(
        name="visual-memory",
        title="Nearest neighbours in a visual memory",
        track="unlearning-correction",
        paper="arXiv:2408.08172",
        bibtex="""@article{geirhos2024towards,
  title = {Towards Flexible Perception with Visual Memory},
  author = {Geirhos, Robert and Jaini, Priyank and Stone, Austin and Medapati, Sourabh and Yi, Xi
    and Toderici, George and Ogale, Abhijit and Shlens, Jonathon},
  journal = {arXiv:2408.08172},
  year = {2024}
}""",
        deviates=(
            "The paper's encoders were trained on millions of images; here the features are the "
            "pixels themselves, so no row of the task trained them. The weight of a rank is 1 / (2 "
            "+ rank), which was not checked against the paper. It replaces the original model, so "
            "the task shows it without a place: another model is no unlearning."
        ),
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"k": (5, 10, 20, 40), "smoothing": (0.01, 0.1)},
    )
    k: Annotated[int, Meta(ge=1)] = 10
    """Neighbours that vote."""
    smoothing: Annotated[float, Meta(gt=0)] = 0.01
    """Share of the votes that is spread over all classes, so that no probability is 0."""

    def unlearn(self, group: Group) -> list[Solution]:
        """Keep the rows that stay."""
        kept = group.batch(group.retain)
        memories = [
            Memory(kept.x[m], kept.y[m], group.problem.n_classes, self.k, self.smoothing)
            for m in range(group.members)
        ]
        return [
            Solution(model=memory, exact=True, stored=memory.keys.nbytes + memory.y.nbytes)
            for memory in memories
        ]


class Memory(nn.Module):
    """Votes of the nearest stored rows, by cosine; a neighbour of rank r =
    0, 1, ... has the weight 1 / (2 + r).
    """

    def __init__(
        self, x: torch.Tensor, y: torch.Tensor, classes: int, k: int, smoothing: float
    ) -> None:
        super().__init__()
        self.keys, self.y = nn.functional.normalize(x.flatten(1), dim=1), y
        self.classes, self.smoothing = classes, smoothing
        self.votes = 1 / (2 + torch.arange(min(k, len(y)), device=x.device, dtype=x.dtype))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logarithm of the smoothed share of votes, (n, C)."""
        near = (
            (nn.functional.normalize(x.flatten(1), dim=1) @ self.keys.T)
            .topk(len(self.votes), dim=1)
            .indices
        )
        share = (
            torch.zeros(len(x), self.classes, device=x.device).scatter_add_(
                1, self.y[near], self.votes.expand(len(x), -1)
            )
            / self.votes.sum()
        )
        return ((1 - self.smoothing) * share + self.smoothing / self.classes).log()
