"""Maximum logit (arXiv:1911.11132)."""

from __future__ import annotations

from typing import ClassVar

from bench import MethodCard, Run
from bench.tracks.fixed_model import FixedProblem, Model, ScoreMethod


class MaximumLogit(ScoreMethod):
    """Score a row by its largest logit."""

    card: ClassVar = MethodCard(
        name="max-logit",
        title="Maximum logit",
        track="ood-detection",
        paper="arXiv:1911.11132",
        bibtex="""@inproceedings{hendrycks2022scaling,
  title = {Scaling Out-of-Distribution Detection for Real-World Settings},
  author = {Hendrycks, Dan and Basart, Steven and Mazeika, Mantas and Zou, Andy and Kwon, Joe and
    Mostajabi, Mohammadreza and Steinhardt, Jacob and Song, Dawn},
  booktitle = {ICML},
  year = {2022},
  eprint = {1911.11132},
  archivePrefix = {arXiv}
}""",
        claim="With many classes the maximum logit detects better than the maximum probability.",
        defaults_from="paper",
    )

    def scorer(self, problem: FixedProblem, run: Run) -> Model:
        """Max_c f(x)_c."""
        return lambda x: problem.model(x).amax(1)
