"""The gradient of the loss (arXiv:1312.6034, of the loss as in arXiv:2102.12781)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard, Run
from bench.tracks.input_attribution import AttributionMethod, Problem, gradients


class InputGradient(AttributionMethod):
    """How far a pixel moves the loss of the label."""

    card: ClassVar = MethodCard(
        name="input-gradient",
        title="Gradient of the loss",
        track="input-attribution",
        paper="arXiv:2102.12781",
        bibtex="""@inproceedings{shah2021input,
  title = {Do Input Gradients Highlight Discriminative Features?},
  author = {Shah, Harshay and Jain, Prateek and Netrapalli, Praneeth},
  booktitle = {NeurIPS},
  year = {2021},
  eprint = {2102.12781},
  archivePrefix = {arXiv}
}""",
        claim="Gradients of nets trained as usual do not point at the pixels that tell the class; "
        "those of adversarially trained nets do.",
        official_code="ok",
        signal="loss",
        plain=True,
        defaults_from="paper",
    )

    def attribute(self, problem: Problem, run: Run) -> torch.Tensor:
        """Return the gradient of the cross entropy of the label."""
        return gradients(problem, problem.x, run, "loss")
