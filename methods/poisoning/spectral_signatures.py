"""Spectral signatures of backdoors (arXiv:1811.00636)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import torch
from torch.nn import functional as F

from bench import Meta, MethodCard, Run
from bench.tracks.poisoning import PoisoningMethod, Problem, features, first_pass, without


class SpectralSignatures(PoisoningMethod):
    """Train, leave out of each class the rows that lie farthest along its first principal
    direction, and train anew (algorithm 1).
    """

    card: ClassVar = MethodCard(
        name="spectral-signatures",
        title="Spectral signatures",
        track="poisoning",
        paper="arXiv:1811.00636",
        bibtex="""@inproceedings{tran2018spectral,
  title = {Spectral Signatures in Backdoor Attacks},
  author = {Tran, Brandon and Li, Jerry and Madry, Aleksander},
  booktitle = {NeurIPS},
  year = {2018},
  eprint = {1811.00636},
  archivePrefix = {arXiv}
}""",
        claim="Rows with a trigger stand out along the first principal direction of their class's "
        "features; without them no backdoor is left.",
        deviates="The same share of all rows is removed, each judged within its class, "
        "independent of the attack; the paper removes 1.5 times the assumed number of poisoned "
        "rows.",
        signal="features",
        stacked=True,
        defaults_from="here",
        tuning={"share": (0.05, 0.1, 0.2)},
    )
    share: Annotated[float, Meta(ge=0, lt=1)] = 0.1
    """Share of the rows that is left out."""

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Any]:
        """Train twice."""
        seeds = first_pass(self, problems, runs)
        suspect = ranks(signatures(features(seeds), seeds.y, seeds.problem.n_classes), seeds.y)
        return without(self, seeds, suspect, self.share)


def signatures(found: torch.Tensor, y: torch.Tensor, classes: int) -> torch.Tensor:
    """Return the squared length of each row's centred features (K, N, D) along the first principal
    direction of its label (K, N), (K, N), float64.
    """
    found = found.double()
    own = F.one_hot(y, classes).to(found)
    mean = own.mT @ found / own.sum(1)[..., None].clamp_min(1)
    apart = found - own @ mean
    spread = torch.einsum("knc,kni,knj->kcij", own, apart, apart)
    first = torch.linalg.eigh(spread).eigenvectors[..., -1]
    return (apart * (own @ first)).sum(-1).square()


def ranks(scores: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the share of the rows of a row's label (K, N) whose score (K, N) is not above its own,
    (K, N), in (0, 1]: so classes of any scale are compared.
    """
    same = y[:, :, None] == y[:, None]
    below = (scores[:, None] <= scores[:, :, None]) & same
    return below.sum(-1).double() / same.sum(-1)
