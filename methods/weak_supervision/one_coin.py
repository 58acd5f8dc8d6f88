"""One accuracy a source, by EM (arXiv:1406.3824, section 2)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.weak_supervision import Panel, WeakSupervisionMethod, posterior, vote_shares


class OneCoin(WeakSupervisionMethod):
    """Each source is right with one probability whatever the class, and a wrong vote is any other
    class; abstaining says nothing. Accuracies and labels are found in turns.
    """

    card: ClassVar = MethodCard(
        name="one-coin",
        title="One accuracy a source, by EM",
        track="weak-supervision",
        paper="arXiv:1406.3824",
        bibtex="""@inproceedings{zhang2014spectral,
  title = {Spectral Methods meet EM: A Provably Optimal Algorithm for Crowdsourcing},
  author = {Zhang, Yuchen and Chen, Xi and Zhou, Dengyong and Jordan, Michael I.},
  booktitle = {NeurIPS},
  year = {2014},
  eprint = {1406.3824},
  archivePrefix = {arXiv}
}""",
        deviates="The one-coin model of the paper, started from the shares of the votes and not "
        "from its spectral estimate. Counts are smoothed, and the shares of the classes are fixed.",
        stacked=True,
        defaults_from="here",
    )
    rounds: Annotated[int, Meta(ge=1)] = 100
    """Most rounds of EM."""
    tolerance: Annotated[float, Meta(gt=0)] = 1e-6
    """EM ends when no probability moves by more."""
    smoothing: Annotated[float, Meta(gt=0)] = 0.01
    """Added to the counts of right and of wrong votes."""

    def labels(self, panel: Panel) -> torch.Tensor:
        """Alternate accuracies and labels (K, N, C)."""
        q, active = vote_shares(panel), torch.ones_like(panel.prior[:, :1, None], dtype=torch.bool)
        cast, rest = panel.casts.sum(1), panel.classes - 1
        same = torch.eye(panel.classes, dtype=torch.bool, device=q.device)
        for done in range(1, self.rounds + 1):
            right = (panel.marks * q[:, :, None]).sum((1, 3))
            accuracy = (right + self.smoothing) / (cast + 2 * self.smoothing)
            log_right, log_wrong = accuracy.log(), ((1 - accuracy) / rest).log()
            table = torch.where(same, log_right[..., None, None], log_wrong[..., None, None])
            new = torch.where(active, posterior(panel, table), q)
            moved = (new - q).abs().amax((1, 2), keepdim=True)
            q, active = new, active & (moved > self.tolerance)
            if not bool(active.any()):
                break
        panel.count(done)
        return q
