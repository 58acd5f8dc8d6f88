"""Selective augmentation (arXiv:2201.00299)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import torch

from bench import Meta, MethodCard
from bench.tracks.group_shift import Batch, GroupMethod, Seeds, cross_entropy


class _State:
    """Rows by group, and the partners, weights and kinds of mixing of the epoch at hand."""

    def __init__(self, seeds: Seeds, alpha: float, same_label: float) -> None:
        self.seeds, self.alpha, self.same_label = seeds, alpha, same_label
        self.generators = [run.numpy_generator("method", "mixing") for run in seeds.runs]
        group = seeds.group.cpu().numpy()
        self.group = group
        self.sorted = np.argsort(group, axis=1, kind="stable")
        self.count = np.stack([np.bincount(one, minlength=seeds.n_groups) for one in group])
        self.start = self.count.cumsum(1) - self.count
        self.values = seeds.n_groups // seeds.problem.n_classes

    def draw(self, rows: torch.Tensor) -> None:
        """Draw an epoch of the rows (K, n): for each step a weight and whether partners have the
        same label and another attribute, or the same attribute and another label.
        """
        size, steps = self.seeds.problem.batch_size, self.seeds.steps
        lam, partners = [], []
        for k, (generator, own) in enumerate(zip(self.generators, rows.cpu().numpy(), strict=True)):
            lam.append(generator.beta(self.alpha, self.alpha, steps))
            within = np.repeat(generator.random(steps) < self.same_label, size)[: len(own)]
            partners.append(self._partners(k, own, within, generator))
        self.lam = torch.from_numpy(np.stack(lam)).float().to(self.seeds.device)
        found = torch.from_numpy(np.stack(partners)).to(self.seeds.device)
        self.partners = found.split(size, 1)

    def _partners(
        self, k: int, rows: np.ndarray, within: np.ndarray, generator: np.random.Generator
    ) -> np.ndarray:
        """Return a partner for each row (n,); the row itself where no group has one."""
        every = np.arange(self.seeds.n_groups)
        own = self.group[k, rows][:, None]
        label = own // self.values == every // self.values
        attribute = own % self.values == every % self.values
        allowed = np.where(within[:, None], label & ~attribute, attribute & ~label)
        allowed &= self.count[k] > 0
        group = (generator.random(allowed.shape) * allowed).argmax(1)
        place = (generator.random(len(rows)) * self.count[k, group]).astype(np.int64)
        found = self.sorted[k, np.minimum(self.start[k, group] + place, len(self.sorted[k]) - 1)]
        return np.where(allowed.any(1), found, rows)


class SelectiveAugmentation(GroupMethod):
    """Mix rows that differ in the attribute alone, or in the label alone."""

    card: ClassVar = MethodCard(
        name="lisa",
        title="Selective augmentation (LISA)",
        track="group-shift",
        paper="arXiv:2201.00299",
        bibtex="""@inproceedings{yao2022improving,
  title = {Improving Out-of-Distribution Robustness via Selective Augmentation},
  author = {Yao, Huaxiu and Wang, Yu and Li, Sai and Zhang, Linjun and Liang, Weixin and
    Zou, James and Finn, Chelsea},
  booktitle = {ICML},
  year = {2022},
  eprint = {2201.00299},
  archivePrefix = {arXiv}
}""",
        claim="Mixing rows of one label across domains, or of one domain across labels, makes "
        "predictors less dependent on the domain, without a penalty.",
        deviates="Attributes are the domains. Partners come from all training rows, of a group "
        "that fits, drawn alike; one weight a batch. The first rows are those of the epoch, in the "
        "authors' code as many of each group.",
        needs=("train-groups",),
        signal="groups",
        stacked=True,
        defaults_from="here",
        tuning={"same_label": (0.0, 0.5, 1.0)},
    )
    alpha: Annotated[float, Meta(gt=0)] = 2.0
    """Both parameters of the Beta distribution of the weight."""
    same_label: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """Share of the batches whose partners have the same label and another attribute."""

    def start(self, seeds: Any) -> _State:
        """Set up the private streams."""
        return _State(seeds, self.alpha, self.same_label)

    def rows(self, state: _State, epoch: int, orders: torch.Tensor) -> torch.Tensor:
        """Draw the partners of the epoch's rows."""
        state.draw(orders)
        return orders

    def inputs(self, state: _State, batch: Batch) -> torch.Tensor:
        """Return lam x + (1 - lam) x of the partner."""
        lam = state.lam[:, batch.step].view(-1, *[1] * (batch.x.dim() - 1))
        other = state.seeds.inputs(state.partners[batch.step])
        return lam * batch.x + (1 - lam) * other

    def loss(self, state: _State, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Lam CE(y) + (1 - lam) CE(y of the partner)."""
        lam = state.lam[:, batch.step, None]
        other = state.seeds.y.gather(1, state.partners[batch.step])
        return lam * cross_entropy(logits, batch.y) + (1 - lam) * cross_entropy(logits, other)
