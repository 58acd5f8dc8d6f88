"""DivideMix (arXiv:2002.07394), told an estimate of the noise rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from bench import MethodCard, Run
from bench.tracks.noisy_labels import Problem, Solution

from ._estimated import with_estimated_rate
from .dividemix import DivideMix


class DivideMixEstimated(DivideMix):
    """DivideMix that weighs unlabelled rows by the share that confident learning holds wrong."""

    card: ClassVar = MethodCard(
        name="dividemix-estimated",
        title="DivideMix with an estimated noise rate",
        track="noisy-labels",
        paper="arXiv:2002.07394",
        bibtex="""@inproceedings{li2020dividemix,
  title = {DivideMix: Learning with Noisy Labels as Semi-supervised Learning},
  author = {Li, Junnan and Socher, Richard and Hoi, Steven C. H.},
  booktitle = {ICLR},
  year = {2020},
  eprint = {2002.07394},
  archivePrefix = {arXiv}
}""",
        claim="Rows that are held wrong still teach, as unlabelled ones: above Co-teaching and "
        "mixup at every rate of symmetric and asymmetric noise.",
        official_code="ok",
        deviates="As dividemix, but for the rate: the confident joint (arXiv:1911.00068) of the "
        "given labels and of trees that did not see the row, where the authors choose the weight "
        "of unlabelled rows on a validation set.",
        stacked=True,
        libraries=("sklearn",),
        defaults_from="here",
        trials=0,
        tuning={"warm_up": (0.05, 0.1, 0.2), "noise": (0.0, 0.3, 1.0)},
    )

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Estimate every member's rate, then train."""
        told = [with_estimated_rate(*pair) for pair in zip(problems, runs, strict=True)]
        return super().solve_stacked(told, runs)
