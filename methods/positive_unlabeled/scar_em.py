"""One propensity, learned by EM (SCAR-EM) (arXiv:1809.03207)."""

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


class LearnedConstant(Method):
    """Learn the share of positives that are labelled together with who is positive, by EM."""

    card: ClassVar = MethodCard(
        name="scar-em",
        title="One propensity, learned by EM (SCAR-EM)",
        track="positive-unlabeled",
        paper="arXiv:1809.03207",
        bibtex=BIBTEX,
        claim="What EM finds when labelling is taken to be at random: the control of sar-em.",
        official_code="flawed",
        deviates="The propensity is the share of known rows among the weights of all rows; the "
        "authors divide by the number of rows. "
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
            constant=True,
            rounds=self.rounds,
            least=self.least,
        )
