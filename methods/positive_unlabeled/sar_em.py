"""Propensities, learned by EM (SAR-EM) (arXiv:1809.03207)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from bench import Meta, Method, MethodCard, Run
from bench.tracks.positive_unlabeled import Problem, Solution

from ._logistic import em

BIBTEX = """@inproceedings{bekker2019beyond,
  title = {Beyond the Selected Completely At Random Assumption for Learning from Positive and
    Unlabeled Data},
  author = {Bekker, Jessa and Robberechts, Pieter and Davis, Jesse},
  booktitle = {ECML PKDD},
  year = {2019},
  eprint = {1809.03207},
  archivePrefix = {arXiv}
}"""


class LearnedPropensity(Method):
    """Learn who is labelled together with who is positive, by EM over two logistic regressions."""

    card: ClassVar = MethodCard(
        name="sar-em",
        title="Propensities, learned by EM (SAR-EM)",
        track="positive-unlabeled",
        paper="arXiv:1809.03207",
        bibtex=BIBTEX,
        claim="Where labelling depends on the row, learned propensities beat one for all rows.",
        official_code="ok",
        deviates="Propensities read all columns; the authors tell which ones they depend on. "
        "Logistic regressions are fitted to the minimum, whatever net the task has.",
        stacked=True,
        defaults_from="paper",
    )
    rounds: Annotated[int, Meta(ge=1)] = 500
    """Most rounds of EM."""
    least: Annotated[float, Meta(gt=0, le=1)] = 0.02
    """Propensities below it count as it in the last fit."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Learn from one problem."""
        return self.solve_stacked([problem], [run])[0]

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Learn from several problems at once."""
        return em(
            problems,
            runs,
            self.card.name,
            constant=False,
            rounds=self.rounds,
            least=self.least,
        )
