"""Co-teaching (arXiv:1804.06872), told an estimate of the noise rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from bench import MethodCard, Run
from bench.tracks.noisy_labels import Problem, Solution

from ._estimated import with_estimated_rate
from .coteaching import CoTeaching


class CoTeachingEstimated(CoTeaching):
    """Co-teaching that forgets as many rows as confident learning holds wrong."""

    card: ClassVar = MethodCard(
        name="coteaching-estimated",
        title="Co-teaching with an estimated noise rate",
        track=("noisy-labels", "label-errors"),
        paper="arXiv:1804.06872",
        bibtex="""@inproceedings{han2018coteaching,
  title = {Co-teaching: Robust Training of Deep Neural Networks with Extremely Noisy Labels},
  author = {Han, Bo and Yao, Quanming and Yu, Xingrui and Niu, Gang and Xu, Miao and Hu, Weihua and
    Tsang, Ivor and Sugiyama, Masashi},
  booktitle = {NeurIPS},
  year = {2018},
  eprint = {1804.06872},
  archivePrefix = {arXiv}
}""",
        claim="Where the rate is not known it can be estimated; far fewer wrong labels are learned "
        "than by training on all rows.",
        official_code="flawed",
        deviates="As coteaching, but for the rate: the confident joint (arXiv:1911.00068) of the "
        "given labels and of trees that did not see the row, where the authors propose a "
        "validation set.",
        signal="dynamics",
        stacked=True,
        libraries=("sklearn",),
        defaults_from="paper",
        tuning={"ramp": (1, 2, 5, 10, 15, 20, 30, 40)},
    )

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Estimate every member's rate, then train."""
        told = [with_estimated_rate(*pair) for pair in zip(problems, runs, strict=True)]
        return super().solve_stacked(told, runs)
