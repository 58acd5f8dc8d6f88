"""Trust the targets above the prediction, and take the others as unlabelled (arXiv:2304.13415)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.noisy_regression import Batch, Recipe, gaps


class UpperUnlabelled(Recipe):
    """A target above the prediction can't be too low, so it is trusted; one below may be, so that
    only its inputs are used.
    """

    card: ClassVar = MethodCard(
        name="upper-unlabelled",
        title="Trusted upper targets, unlabelled lower ones",
        track="noisy-regression",
        paper="arXiv:2304.13415",
        bibtex="""@inproceedings{katsuki2023regression,
  title = {Regression with Sensor Data Containing Incomplete Observations},
  author = {Katsuki, Takayuki and Osogami, Takayuki},
  booktitle = {ICML},
  year = {2023},
  eprint = {2304.13415},
  archivePrefix = {arXiv}
}""",
        claim="Targets above the prediction and inputs alone give an unbiased gradient where some "
        "targets are too low.",
        deviates="Written from the abstract, with the absolute error. The share of the rows above "
        "the prediction is a parameter; at 1/2 the constant of the prediction is not determined.",
        stacked=True,
        defaults_from="here",
    )
    above: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    """Share pi of the rows whose clean target is above the prediction."""

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Return what has the gradient pi E_up[dl/df - g] + E_all[g] (K, B): of the absolute error
        dl/df is -1 above and g is 1 below, whatever the target.
        """
        f = logits[..., 0]
        upper = (gaps(batch, logits) >= 0).to(f.dtype)
        share = upper.mean(1, keepdim=True).clamp_min(1 / f.shape[1])
        return f - 2 * self.above * upper / share * f
