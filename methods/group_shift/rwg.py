"""Reweighted groups (arXiv:2110.14503): every group is drawn equally often."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.group_shift import GroupMethod, Seeds

from ._sampling import Sampler, alike


class ReweightedGroups(GroupMethod):
    """Draw rows with a chance of one over the size of their group."""

    card: ClassVar = MethodCard(
        name="rwg",
        title="Resampled groups (RWG)",
        track="group-shift",
        paper="arXiv:2110.14503",
        bibtex="""@inproceedings{idrissi2022simple,
  title = {Simple data balancing achieves competitive worst-group-accuracy},
  author = {Idrissi, Badr Youbi and Arjovsky, Martin and Pezeshki, Mohammad and Lopez-Paz, David},
  booktitle = {CLeaR},
  year = {2022},
  eprint = {2110.14503},
  archivePrefix = {arXiv}
}""",
        claim="Drawing groups equally often comes close to methods made for the worst group.",
        needs=("train-groups",),
        signal="groups",
        stacked=True,
        defaults_from="here",
    )

    def start(self, seeds: Seeds) -> Sampler:
        """Set up the draws."""
        return Sampler(seeds, alike(seeds.group, seeds.n_groups), "rows")

    def rows(self, state: Sampler, epoch: int, orders: torch.Tensor) -> torch.Tensor:
        """Return as many rows as an epoch has, groups alike in number."""
        return state.draw(orders.shape[1])
