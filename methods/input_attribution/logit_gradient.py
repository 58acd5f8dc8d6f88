"""The gradient of the logit (arXiv:1312.6034, equation 4)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard, Run
from bench.tracks.input_attribution import AttributionMethod, Problem, gradients


class LogitGradient(AttributionMethod):
    """How far a pixel moves the logit of the label."""

    card: ClassVar = MethodCard(
        name="logit-gradient",
        title="Gradient of the logit",
        track="input-attribution",
        paper="arXiv:1312.6034",
        bibtex="""@inproceedings{simonyan2014deep,
  title = {Deep Inside Convolutional Networks: Visualising Image Classification Models and Saliency
    Maps},
  author = {Simonyan, Karen and Vedaldi, Andrea and Zisserman, Andrew},
  booktitle = {ICLR Workshop},
  year = {2014},
  eprint = {1312.6034},
  archivePrefix = {arXiv}
}""",
        claim="The size of the gradient of a class's score shows where the class is in a picture.",
        signal="features",
        defaults_from="paper",
    )

    def attribute(self, problem: Problem, run: Run) -> torch.Tensor:
        """Return the gradient of the label's logit."""
        return gradients(problem, problem.x, run)
