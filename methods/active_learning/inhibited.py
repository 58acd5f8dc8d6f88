"""The least confident rows by a softmax with a constant output (arXiv:2210.03005)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch.nn import functional as F

from bench import Meta, MethodCard
from bench.tracks.active_learning import ActiveMethod, Loss, Session, View, risk


class Inhibited(ActiveMethod):
    """Add a constant logit in training and in the confidence, so that small logits are unsure."""

    card: ClassVar = MethodCard(
        name="inhibited",
        title="Least confident, inhibited softmax",
        track="active-learning",
        paper="arXiv:2210.03005",
        bibtex="""@inproceedings{gonsior2022softmax,
  title = {To Softmax, or not to Softmax: that is the question when applying Active Learning for
    Transformer Models},
  author = {Gonsior, Julius and Falkenberg, Christian and Magino, Silvio and Reusken, Anja and
    Thiele, Maik and Lehner, Wolfgang},
  year = {2022},
  eprint = {2210.03005},
  archivePrefix = {arXiv}
}""",
        claim="A corrected confidence picks better rows than the softmax as it is.",
        deviates="Nets of the task, no transformer. The inhibited softmax of arXiv:1810.01861 "
        "without its change of activations and without its penalty; a constant logit of 1.",
        needs=("classes",),
        stacked=True,
        defaults_from="here",
    )
    logit: Annotated[float, Meta(ge=-100, le=100)] = 1.0
    """The constant; far below 0 it is the softmax as it is."""

    def loss(self, state: None, session: Session) -> Loss:
        """Return -log of the inhibited probability, from outputs (K, B, C) to (K, B)."""
        fit = risk(session.problem)

        def inhibited(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            # what the constant adds to the logarithm of the sum
            return fit(z, y) + F.softplus(self.logit - z.logsumexp(-1))

        return inhibited

    def ask(self, state: None, view: View) -> torch.Tensor:
        """Return the open rows (count,) of the smallest max_c e^z_c / (sum_c e^z_c + e^logit)."""
        z = view.logits
        return view.highest(F.softplus(self.logit - z.logsumexp(1)) - z.log_softmax(1).amax(1))
