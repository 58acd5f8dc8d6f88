"""Averaged gradient episodic memory (arXiv:1812.00420)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.continual import Chunk, ContinualMethod, Members, cross_entropy
from bench.training import optimisers
from bench.training.memory import Memory


class AveragedGem(ContinualMethod):
    """Where the gradient g of the batch would raise the loss on stored rows, whose gradient is r,
    take g - (g.r / r.r) r instead (equation 11).
    """

    card: ClassVar = MethodCard(
        name="a-gem",
        title="Averaged gradient episodic memory",
        track="continual",
        paper="arXiv:1812.00420",
        bibtex="""@inproceedings{chaudhry2019efficient,
  title = {Efficient Lifelong Learning with {A-GEM}},
  author = {Chaudhry, Arslan and Ranzato, Marc'Aurelio and Rohrbach, Marcus and
            Elhoseiny, Mohamed},
  booktitle = {ICLR},
  year = {2019},
  eprint = {1812.00420},
  archivePrefix = {arXiv}
}""",
        claim="Constraining the gradient so that the mean loss on stored rows does not rise "
        "reduces forgetting at low cost.",
        official_code="ok",
        deviates="The store is a reservoir over the stream, where the paper stores rows of each "
        "task.",
        signal="labels",
        needs=("memory",),
        stacked=True,
        defaults_from="paper",
    )

    def start(self, members: Members) -> Memory:
        """Open the store."""
        return members.memory()

    def before_step(self, state: Memory, members: Members, batch: Chunk) -> None:
        """Take out of the gradient what works against the stored rows."""
        if not state.kept:
            return
        rows = state.draw(batch.y.shape[1])
        project(members, rows.x, rows.y)

    def after_step(
        self, state: Memory, members: Members, batch: Chunk, logits: torch.Tensor
    ) -> None:
        """Offer the batch to the store."""
        if state.capacity:
            state.reservoir(batch.x, batch.y, batch.t)


def project(members: Members, x: torch.Tensor, y: torch.Tensor) -> None:
    """Change the gradient of each net where it works against that on rows (K, S, ...) with labels
    (K, S).
    """
    parameters = list(members.nets.parameters())
    own = [parameter.grad for parameter in parameters]
    members.optimiser.zero_grad(set_to_none=True)
    optimisers.descend(cross_entropy(members.nets(x), y))
    members.count(forward=y.shape[1], backward=y.shape[1])
    g, r = _flat(own), _flat([parameter.grad for parameter in parameters])
    against, size = (g * r).sum(1), r.square().sum(1)
    share = torch.where(against < 0, against / size.clamp_min(1e-30), torch.zeros_like(size))
    for parameter, before in zip(parameters, own, strict=True):
        assert parameter.grad is not None
        assert before is not None
        factor = share.view(-1, *[1] * (parameter.dim() - 1))
        parameter.grad = torch.where(factor < 0, before - factor * parameter.grad, before)


def _flat(gradients: list[torch.Tensor | None]) -> torch.Tensor:
    return torch.cat([own.flatten(1) for own in gradients if own is not None], 1)
