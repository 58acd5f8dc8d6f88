"""Weights are pulled to the distribution that they were drawn from (arXiv:2312.00246)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.continual import Chunk, ContinualMethod, Members

from ._points import pull, values


class WassersteinInit(ContinualMethod):
    """Add lam |sort(theta_l) - sort(theta_l0)|^2 for every tensor: the squared distance of
    transport between its values and those that were drawn.
    """

    card: ClassVar = MethodCard(
        name="wasserstein-init",
        title="Wasserstein distance from the initial weights",
        track="continual",
        bibtex="""@article{lewandowski2023directions,
  title = {Directions of Curvature as an Explanation for Loss of Plasticity},
  author = {Lewandowski, Alex and Tanaka, Haruto and Schuurmans, Dale and Machado, Marlos C.},
  journal = {arXiv preprint},
  year = {2023},
  eprint = {2312.00246},
  archivePrefix = {arXiv}
}""",
        paper="arXiv:2312.00246",
        claim="Holding the distribution of weights, not each of them, keeps a net able to learn.",
        deviates="Only the abstract was read: the distance is summed over a tensor, and its weight "
        "is ours.",
        signal="none",
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"lam": (1e-4, 1e-3, 1e-2)},
    )
    lam: Annotated[float, Meta(ge=0)] = 1e-3
    """Weight of the term."""

    def start(self, members: Members) -> list[torch.Tensor]:
        """Return the sorted values of each tensor as drawn (K, ...)."""
        return [own.flatten(1).sort(1).values for own in values(members.nets)]

    def before_step(self, state: list[torch.Tensor], members: Members, batch: Chunk) -> None:
        """Add the term's gradient."""
        pull(members.nets, self.terms(state, list(members.nets.parameters())))

    def terms(self, drawn: list[torch.Tensor], now: list[torch.Tensor]) -> list[torch.Tensor]:
        """Return 2 lam (theta - what has its rank among the drawn values), tensors (K, ...)."""
        found = []
        for own, first in zip(now, drawn, strict=True):
            flat = own.detach().flatten(1)
            target = torch.empty_like(flat).scatter_(1, flat.argsort(1), first)
            found.append(2 * self.lam * (flat - target).view_as(own))
        return found
