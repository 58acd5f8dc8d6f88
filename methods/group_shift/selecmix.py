"""SelecMix (arXiv:2211.02291)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch
from torch.nn import functional as F

from bench import Meta, MethodCard
from bench.tracks.group_shift import Batch, GroupMethod, Seeds, adamw, cross_entropy
from bench.training import optimisers
from bench.training.rows import beside
from bench.training.stack import StackedNet


class _State:
    """The biased encoders and their optimiser, each member's generator, and an epoch's draws."""

    def __init__(self, seeds: Seeds) -> None:
        problem = seeds.problem
        self.seeds = seeds
        self.encoders = seeds.build(first=1)
        self.optimiser = adamw(self.encoders, problem.lr, problem.weight_decay)
        self.generators = [run.numpy_generator("method", "mix") for run in seeds.runs]
        self.draw()

    def draw(self) -> None:
        """Draw an epoch: a coin for each step, a weight on [0, .5] for each row."""
        steps, rows = self.seeds.steps, self.seeds.n_rows
        drawn = [(own.random(steps) < 0.5, own.random(rows) / 2) for own in self.generators]
        device = self.seeds.device
        self.same = torch.from_numpy(np.stack([coin for coin, _ in drawn])).to(device)
        self.lam = torch.from_numpy(np.stack([lam for _, lam in drawn])).float().to(device)


class SelecMix(GroupMethod):
    """Mix rows of one label that look different, or rows of two labels that look alike, in the eyes
    of an encoder that is made to see the shortcut.
    """

    card: ClassVar = MethodCard(
        name="selecmix",
        title="SelecMix",
        track="group-shift",
        paper="arXiv:2211.02291",
        bibtex="""@inproceedings{hwang2022selecmix,
  title = {{SelecMix}: Debiased Learning by Contradicting-pair Sampling},
  author = {Hwang, Inwoo and Lee, Sangjun and Kwak, Yunhyeok and Oh, Seong Joon and
    Teney, Damien and Kim, Jin-Hwa and Zhang, Byoung-Tak},
  booktitle = {NeurIPS},
  year = {2022},
  eprint = {2211.02291},
  archivePrefix = {arXiv}
}""",
        claim="Mixing pairs that contradict the shortcut is ahead of other methods without groups, "
        "most of all where labels are noisy too.",
        official_code="flawed",
        deviates="Similarities of rows that may not be chosen are set to infinity; the official "
        "code multiplies them by 0, so that one may win. Pairs are sought in the task's batches "
        "instead of four times 256 rows. With two classes the rows themselves are trained on "
        "besides: from mixtures alone the shortcut is learned in reverse.",
        signal="early-errors",
        stacked=True,
        defaults_from="paper",
    )
    temperature: Annotated[float, Meta(gt=0)] = 0.2
    """Of the contrastive loss, above 0."""
    q: Annotated[float, Meta(gt=0, le=1)] = 0.7
    """Exponent by which pairs that are easy to tell count more."""

    def start(self, seeds: Seeds) -> _State:
        """Build the biased encoders."""
        return _State(seeds)

    def step(
        self, state: _State, nets: StackedNet, optimiser: torch.optim.Optimizer, batch: Batch
    ) -> None:
        """Move the encoders, then the nets by mixtures of the pairs that these choose."""
        size = batch.y.shape[1]
        seen = F.normalize(state.encoders.features(batch.x), dim=-1)
        state.optimiser.zero_grad(set_to_none=True)
        optimisers.descend(contrastive(seen, batch.y, self.temperature, self.q))
        state.optimiser.step()
        partner = contradicting(
            seen.detach() @ seen.detach().mT, batch.y, state.same[:, batch.step]
        )
        lam = state.lam.gather(1, batch.rows).view(*batch.y.shape, *[1] * (batch.x.dim() - 2))
        mixed = lam * batch.x + (1 - lam) * beside(batch.x, partner)
        labels = batch.y.gather(1, partner)
        if state.seeds.problem.n_classes == 2:
            mixed, labels = torch.cat([mixed, batch.x], 1), torch.cat([labels, batch.y], 1)
        losses = cross_entropy(nets(mixed), labels)
        optimiser.zero_grad(set_to_none=True)
        # the sum of both means, where the rows themselves come too
        optimisers.descend(losses * (losses.shape[1] / size))
        optimiser.step()

    def after_epoch(self, state: _State, epoch: int) -> None:
        """Count the passes besides the nets' own, and draw the next epoch."""
        again = 2 if state.seeds.problem.n_classes == 2 else 1
        state.seeds.count(forward=again * state.seeds.n_rows, backward=again * state.seeds.n_rows)
        state.draw()


def contrastive(seen: torch.Tensor, y: torch.Tensor, temperature: float, q: float) -> torch.Tensor:
    """Return the supervised contrastive loss of each row (K, B), whose positive pairs weigh q p^q
    (equation 3 of the paper), p held fixed; 0 for a row without another of its label.

    Args:
        seen: unit vectors (K, B, D).
        y: labels (K, B).
        temperature: of the similarities, above 0.
        q: exponent.
    """
    own = torch.eye(y.shape[1], dtype=torch.bool, device=y.device)
    logits = (seen @ seen.mT / temperature).masked_fill(own, -1e9)
    logs = logits.log_softmax(-1)
    positive = (y[:, :, None] == y[:, None]) & ~own
    weight = q * logs.detach().exp().pow(q)
    terms = torch.where(positive, -weight * logs, 0.0)
    return terms.sum(-1) / positive.sum(-1).clamp_min(1)


def contradicting(similar: torch.Tensor, y: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
    """Return each row's partner (K, B): the least similar of its label where ``same`` (K,) holds,
    else the most similar of another label; a row alone is its own partner.

    Args:
        similar: similarities (K, B, B).
        y: labels (K, B).
        same: whether partners share the label (K,), bool.
    """
    equal = y[:, :, None] == y[:, None]
    least = similar.masked_fill(~equal, torch.inf).argmin(-1)
    most = similar.masked_fill(equal, -torch.inf).argmax(-1)
    own = torch.arange(y.shape[1], device=y.device).expand_as(y)
    most = torch.where(equal.all(-1), own, most)
    return torch.where(same[:, None], least, most)
