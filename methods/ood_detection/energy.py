"""Energy score (arXiv:2010.03759)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, MethodCard, Run
from bench.tracks.fixed_model import FixedProblem, Model, ScoreMethod


class Energy(ScoreMethod):
    """Score a row by its negative free energy, a soft maximum of the logits."""

    card: ClassVar = MethodCard(
        name="energy",
        title="Energy score",
        track=("ood-detection", "selective-prediction"),
        paper="arXiv:2010.03759",
        bibtex="""@inproceedings{liu2020energy,
  title = {Energy-Based Out-of-Distribution Detection},
  author = {Liu, Weitang and Wang, Xiaoyun and Owens, John D. and Li, Yixuan},
  booktitle = {NeurIPS},
  year = {2020},
  eprint = {2010.03759},
  archivePrefix = {arXiv}
}""",
        claim="The energy is less overconfident than the maximum probability.",
        deviates="The score alone, without the fine-tuning of the paper. The formula agrees with "
        "that of the package pytorch-ood 0.4.0.",
        defaults_from="paper",
    )
    temperature: Annotated[float, Meta(ge=1e-6, le=1e4)] = 1.0
    """T."""

    def scorer(self, problem: FixedProblem, run: Run) -> Model:
        """T log sum_c exp(f(x)_c / T) (equation 4, its sign turned)."""
        t = self.temperature
        return lambda x: t * (problem.model(x) / t).logsumexp(1)
