"""Maximum softmax probability (arXiv:1610.02136)."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard, Run
from bench.tracks.fixed_model import FixedProblem, Model, ScoreMethod


class MaximumProbability(ScoreMethod):
    """Score a row by the largest probability that the net gives it."""

    card: ClassVar = MethodCard(
        name="msp",
        title="Maximum softmax probability",
        track=("ood-detection", "selective-prediction"),
        paper="arXiv:1610.02136",
        bibtex="""@inproceedings{hendrycks2017baseline,
  title = {A Baseline for Detecting Misclassified and Out-of-Distribution Examples in Neural
    Networks},
  author = {Hendrycks, Dan and Gimpel, Kevin},
  booktitle = {ICLR},
  year = {2017},
  eprint = {1610.02136},
  archivePrefix = {arXiv}
}""",
        claim="Rows out of the distribution tend to have a lower maximum probability.",
        plain=True,
        defaults_from="paper",
    )

    def scorer(self, problem: FixedProblem, run: Run) -> Model:
        """Max_c softmax(f(x))_c."""
        return lambda x: problem.model(x).softmax(1).amax(1)
