"""Rows drawn by how far nets with dropout disagree (arXiv:2106.12059)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.active_learning import ActiveMethod, View

from ._dropout import disagreement


class PowerBald(ActiveMethod):
    """Draw rows without replacement, in proportion to a power of the disagreement."""

    card: ClassVar = MethodCard(
        name="power-bald",
        title="Rows drawn by disagreement (PowerBALD)",
        track="active-learning",
        paper="arXiv:2106.12059",
        bibtex="""@article{kirsch2023stochastic,
  title = {Stochastic Batch Acquisition: A Simple Baseline for Deep Active Learning},
  author = {Kirsch, Andreas and Farquhar, Sebastian and Atighehchian, Parmida and Jesson, Andrew
    and Branchaud-Charron, Frederic and Gal, Yarin},
  journal = {TMLR},
  year = {2023},
  eprint = {2106.12059},
  archivePrefix = {arXiv}
}""",
        claim="Random noise on the scores performs as well as joint selection of a batch, at no "
        "cost.",
        deviates="Dropout as in bald.",
        needs=("classes",),
        stacked=True,
        defaults_from="here",
    )
    masks: Annotated[int, Meta(ge=2)] = 16
    """Dropout masks."""
    power: Annotated[float, Meta(gt=0)] = 1.0
    """Power of the disagreement, beta in the paper."""

    def ask(self, state: None, view: View) -> torch.Tensor:
        """Return the open rows (count,) of the highest beta log s + Gumbel noise (section 3)."""
        scores = disagreement(view.dropped(self.masks)).clamp_min(1e-30)
        drawn = view.generator("noise")
        uniform = torch.rand(len(scores), generator=drawn, device=drawn.device)
        gumbel = -torch.log(-torch.log(uniform.clamp(1e-20, 1 - 1e-7)))
        return view.highest(self.power * scores.log() + gumbel.to(scores.device))
