"""Integrated gradients (arXiv:1703.01365)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard, Run
from bench.tracks.input_attribution import AttributionMethod, Problem, gradients


class IntegratedGradients(AttributionMethod):
    """What a pixel adds to the logit of the label on the way from the mean picture."""

    card: ClassVar = MethodCard(
        name="integrated-gradients",
        title="Integrated gradients",
        track="input-attribution",
        paper="arXiv:1703.01365",
        bibtex="""@inproceedings{sundararajan2017axiomatic,
  title = {Axiomatic Attribution for Deep Networks},
  author = {Sundararajan, Mukund and Taly, Ankur and Yan, Qiqi},
  booktitle = {ICML},
  year = {2017},
  eprint = {1703.01365},
  archivePrefix = {arXiv}
}""",
        claim="Attributions along a path from a baseline add up to the difference of the scores, "
        "and reflect the net where plain gradients saturate.",
        deviates="The path begins at the mean picture of the training rows, not at a black one, "
        "which is itself close to most digits. The size of an attribution ranks.",
        signal="features",
        defaults_from="paper",
    )
    steps: Annotated[int, Meta(ge=1)] = 32
    """Points on the path, each in the middle of its stretch."""

    def attribute(self, problem: Problem, run: Run) -> torch.Tensor:
        """Return (x - x') times the mean gradient between x' and x (equation 3)."""
        away = problem.x - problem.mean
        total = torch.zeros_like(away)
        for step in range(self.steps):  # all points at once would be gigabytes
            share = (step + 0.5) / self.steps
            total += gradients(problem, problem.mean + share * away, run)
        return away * total / self.steps
