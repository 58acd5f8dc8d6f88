"""One accuracy a source, by EM (arXiv:1406.3824, section 2)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.weak_supervision import Panel, WeakSupervisionMethod, alternate, posterior


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
    smoothing: Annotated[float, Meta(ge=1e-6)] = 0.01
    """Added to the counts of right and of wrong votes."""

    def labels(self, panel: Panel) -> torch.Tensor:
        """Alternate accuracies and labels (K, N, C)."""
        cast = panel.casts.sum(1)
        same = torch.eye(panel.classes, dtype=torch.bool, device=cast.device)

        def step(q: torch.Tensor) -> torch.Tensor:
            right = (panel.marks * q[:, :, None]).sum((1, 3))
            accuracy = (right + self.smoothing) / (cast + 2 * self.smoothing)
            wrong = (1 - accuracy) / (panel.classes - 1)
            table = torch.where(same, accuracy[..., None, None], wrong[..., None, None])
            return posterior(panel, table.log())

        return alternate(panel, step, self.rounds, self.tolerance)
