"""The least confident rows of a net trained on smoothed labels (arXiv:2210.03005)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch.nn import functional as F

from bench import Meta, MethodCard
from bench.tracks.active_learning import ActiveMethod, Loss, Session, View, risk


class Smoothed(ActiveMethod):
    """Train on labels that leave a share to all classes, and ask the least confident rows."""

    card: ClassVar = MethodCard(
        name="smoothed",
        title="Least confident after label smoothing",
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
        deviates="Nets of the task, no transformer; a smoothing of .1.",
        needs=("classes",),
        stacked=True,
        defaults_from="here",
    )
    share: Annotated[float, Meta(ge=0, lt=1)] = 0.1
    """Share of a label that all classes get in equal parts."""

    def loss(self, state: None, session: Session) -> Loss:
        """Return (1 - share) H(y, p) + share H(uniform, p), from outputs (K, B, C) to (K, B)."""
        fit = risk(session.problem)

        def smoothed(z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return (1 - self.share) * fit(z, y) - self.share * F.log_softmax(z, -1).mean(-1)

        return smoothed

    def ask(self, state: None, view: View) -> torch.Tensor:
        """Return the open rows (count,) of the smallest max_c p_c."""
        return view.highest(-view.p.amax(1))
