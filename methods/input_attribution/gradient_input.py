"""Gradient times input (arXiv:1605.01713)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard, Run
from bench.tracks.input_attribution import AttributionMethod, Problem, gradients


class GradientInput(AttributionMethod):
    """What a pixel adds to the logit of the label, if the net were linear."""

    card: ClassVar = MethodCard(
        name="gradient-input",
        title="Gradient times input",
        track="input-attribution",
        paper="arXiv:1605.01713",
        bibtex="""@article{shrikumar2016not,
  title = {Not Just a Black Box: Learning Important Features Through Propagating Activation
    Differences},
  author = {Shrikumar, Avanti and Greenside, Peyton and Shcherbina, Anna and Kundaje, Anshul},
  journal = {arXiv preprint},
  year = {2016},
  eprint = {1605.01713},
  archivePrefix = {arXiv}
}""",
        claim="Times the input, gradients of a class's score show more sharply which inputs make "
        "the class.",
        deviates="The size of the product ranks, whatever its sign.",
        signal="features",
        defaults_from="paper",
    )

    def attribute(self, problem: Problem, run: Run) -> torch.Tensor:
        """Return x times the gradient of the label's logit."""
        return problem.x * gradients(problem, problem.x, run)
