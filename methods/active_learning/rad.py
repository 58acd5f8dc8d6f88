"""Rows drawn so that a wrong teacher harms least (arXiv:2210.01213)."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.active_learning import ActiveMethod, View


class RobustDistillation(ActiveMethod):
    """Draw rows by the best mixed strategy against an adversary who makes some answers wrong."""

    card: ClassVar = MethodCard(
        name="rad",
        title="Robust active distillation",
        track="active-learning",
        paper="arXiv:2210.01213",
        bibtex="""@inproceedings{baykal2023robust,
  title = {Robust Active Distillation},
  author = {Baykal, Cenk and Trinh, Khoa and Iliopoulos, Fotis and Menghani, Gaurav and Vee, Erik},
  booktitle = {ICLR},
  year = {2023},
  eprint = {2210.01213},
  archivePrefix = {arXiv}
}""",
        claim="If a teacher is sometimes wrong, this selection is better than the most "
        "uncertain rows.",
        deviates="The law is derived from the abstract's optimisation problem, with one minus the "
        "margin as the gain of a row; how the paper scales gains is not known.",
        needs=("classes",),
        stacked=True,
        defaults_from="here",
    )
    wrong: Annotated[float, Meta(ge=0, lt=1)] = 0.1
    """Share of the open rows on which the teacher may be wrong."""

    def ask(self, state: None, view: View) -> torch.Tensor:
        """Return open rows (count,), drawn without replacement; where too few have a chance, those
        of the next highest gain follow.
        """
        best = view.p.topk(2, dim=1).values
        gain = (1 - (best[:, 0] - best[:, 1])).clamp_min(1e-6)
        chance = law(gain.double(), math.floor(self.wrong * len(gain)))
        drawn = view.generator("rows")
        uniform = torch.rand(len(gain), generator=drawn, device=drawn.device, dtype=torch.float64)
        # the largest of log q + Gumbel noise are a draw without replacement
        gumbel = -torch.log(-torch.log(uniform.clamp(1e-300, 1 - 1e-16))).to(gain.device)
        scores = torch.where(chance > 0, chance.clamp_min(1e-300).log() + gumbel, gain - 1e6)
        return view.highest(scores)


def law(gain: torch.Tensor, wrong: int) -> torch.Tensor:
    """Return the distribution q (m,) that maximises the least sum of q_i g_i over right rows, when
    ``wrong`` rows may be wrong: q_i in proportion to 1 / g_i on the k rows of the largest gain,
    where k maximises (k - wrong) / sum_{j <= k} 1 / g_j.

    Args:
        gain: g, of a right answer (m,), above 0.
        wrong: below m.
    """
    ordered, order = gain.sort(descending=True, stable=True)
    inverse = (1 / ordered).cumsum(0)
    ranks = torch.arange(1, len(gain) + 1, device=gain.device)
    best = int(((ranks - wrong) / inverse).argmax())
    q = torch.zeros_like(gain)
    q[order[: best + 1]] = 1 / ordered[: best + 1] / inverse[best]
    return q
