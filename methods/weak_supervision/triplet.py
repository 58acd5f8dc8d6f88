"""Accuracies in closed form from triplets of sources (arXiv:2002.11955)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import InvalidRun, Meta, MethodCard
from bench.tracks.weak_supervision import Panel, WeakSupervisionMethod


class Triplet(WeakSupervisionMethod):
    """The agreement of two independent sources is the product of their accuracies, so that three
    agreements tell each of the three.
    """

    card: ClassVar = MethodCard(
        name="triplet",
        title="Triplets of sources (FlyingSquid)",
        track="weak-supervision",
        paper="arXiv:2002.11955",
        bibtex="""@inproceedings{fu2020fast,
  title = {Fast and Three-rious: Speeding Up Weak Supervision with Triplet Methods},
  author = {Fu, Daniel Y. and Chen, Mayee F. and Sala, Frederic and Hooper, Sarah M. and
    Fatahalian, Kayvon and R{\\'e}, Christopher},
  booktitle = {ICML},
  year = {2020},
  eprint = {2002.11955},
  archivePrefix = {arXiv}
}""",
        claim="Accuracies of sources need no iterative fit: triplets have a closed form.",
        deviates="The median over all triplets of a source, without dependencies between sources. "
        "With more than two classes each class is compared with the others, and the probabilities "
        "are divided by their sum.",
        stacked=True,
        defaults_from="here",
    )
    highest: Annotated[float, Meta(gt=0, lt=1)] = 0.98
    """Greatest correlation of a source with the class."""
    start: Annotated[float, Meta(ge=0, lt=1)] = 0.4
    """Correlation of a source that is in no triplet; 0.4 is right in 7 of 10 votes."""

    def labels(self, panel: Panel) -> torch.Tensor:
        """Solve each class against the others, and apply Bayes' rule to the votes (K, N, C)."""
        sources = panel.casts.shape[2]
        if sources < 3:
            raise InvalidRun(
                f"triplet needs three sources to tell how often one is right, and there are "
                f"{sources}; give at least 3 sources"
            )
        panel.count(1)
        columns = range(panel.classes) if panel.classes > 2 else (1,)
        odds = torch.stack([self._odds(panel, column) for column in columns], -1)
        if panel.classes == 2:
            odds = torch.cat([torch.zeros_like(odds), odds], -1)
            return odds.softmax(-1)
        alone = odds.sigmoid()
        return alone / alone.sum(-1, keepdim=True)

    def _odds(self, panel: Panel, column: int) -> torch.Tensor:
        """Return the log odds of a class (K, N)."""
        signs = (2 * panel.marks[..., column] - 1) * panel.casts  # 0 where a source abstains
        strength = torch.atanh(self.accuracies(signs, panel.casts))
        share = panel.prior[:, column, None].clamp(1e-12, 1 - 1e-12)
        return 2 * (signs @ strength[..., None])[..., 0] + share.logit()

    def accuracies(self, signs: torch.Tensor, casts: torch.Tensor) -> torch.Tensor:
        """Return the correlation of each source with the class (K, m), in [0, 1): the median over j
        and k of sqrt|M_ij M_ik / M_jk| (alg. 1), M the mean product of the votes that both cast.

        Args:
            signs: votes, 1 or -1, 0 where a source abstains (K, N, m).
            casts: 1 where a source votes (K, N, m).
        """
        both = casts.mT @ casts
        m = torch.where(both > 0, (signs.mT @ signs) / both.clamp_min(1), torch.nan)
        size = m.shape[1]
        found = (m[:, :, :, None] * m[:, :, None, :] / m[:, None]).abs().sqrt()
        i, j, k = (torch.arange(size, device=m.device).view(shape) for shape in _AXES)
        usable = (i != j) & (i != k) & (j < k) & found.isfinite()
        of_each = torch.where(usable, found, torch.nan).flatten(2)
        return of_each.nanmedian(-1).values.nan_to_num(self.start).clamp_max(self.highest)


_AXES = ((-1, 1, 1), (1, -1, 1), (1, 1, -1))
