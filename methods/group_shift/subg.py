"""Subsampled groups (arXiv:2110.14503): rows are dropped until all groups are of one size."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from bench import MethodCard
from bench.tracks.group_shift import GroupMethod, Seeds


class _State:
    """Each member's rows that are kept, and the stream of their orders."""

    def __init__(self, seeds: Seeds) -> None:
        self.device = seeds.device
        self.kept = [
            equal_groups(group, run.numpy_generator("method", "kept"))
            for group, run in zip(seeds.group.cpu().numpy(), seeds.runs, strict=True)
        ]
        self.orders = [run.numpy_generator("method", "orders") for run in seeds.runs]


class SubsampledGroups(GroupMethod):
    """Train on as many rows of each group as the smallest has."""

    card: ClassVar = MethodCard(
        name="subg",
        title="Subsampled groups (SUBG)",
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
        claim="Training on equally many rows of each group is ahead of many methods that were made "
        "for the worst group.",
        deviates="As many steps as the other methods: an epoch goes through the kept rows several "
        "times. Groups without rows do not count.",
        needs=("train-groups",),
        signal="groups",
        stacked=True,
        defaults_from="here",
    )

    def start(self, seeds: Seeds) -> _State:
        """Choose the rows, once."""
        return _State(seeds)

    def rows(self, state: _State, epoch: int, orders: torch.Tensor) -> torch.Tensor:
        """Return passes over the kept rows, one after the other, as long as an epoch is."""
        count = orders.shape[1]
        found = [
            np.concatenate([generator.permutation(kept) for _ in range(-(-count // len(kept)))])[
                :count
            ]
            for kept, generator in zip(state.kept, state.orders, strict=True)
        ]
        return torch.from_numpy(np.stack(found)).to(state.device)


def equal_groups(group: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return row numbers: of each group (n,) as many, drawn at random, as the smallest that has
    rows.
    """
    order = generator.permutation(len(group))
    order = order[np.argsort(group[order], kind="stable")]
    sizes = np.bincount(group)
    sizes = sizes[sizes > 0]
    within = np.arange(len(group)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return order[within < sizes.min()]
