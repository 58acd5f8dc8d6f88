"""ODIN: temperature and a small step on the input (arXiv:1706.02690)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard, Run
from bench.tracks.fixed_model import FixedProblem, Model, ScoreMethod


class Odin(ScoreMethod):
    """Move a row towards its predicted class, and score it by the maximum probability at a high
    temperature.
    """

    card: ClassVar = MethodCard(
        name="odin",
        title="ODIN",
        track="ood-detection",
        paper="arXiv:1706.02690",
        bibtex="""@inproceedings{liang2018enhancing,
  title = {Enhancing The Reliability of Out-of-distribution Image Detection in Neural Networks},
  author = {Liang, Shiyu and Li, Yixuan and Srikant, R.},
  booktitle = {ICLR},
  year = {2018},
  eprint = {1706.02690},
  archivePrefix = {arXiv}
}""",
        claim="A temperature and a small step on the input part rows in and out of the "
        "distribution better.",
        deviates="The paper chooses the length of the step on rows out of the distribution; here "
        "no method sees any, and the paper's usual length stays. The formula agrees with that of "
        "the package pytorch-ood 0.4.0.",
        signal="gradients",
        defaults_from="paper",
    )
    temperature: Annotated[float, Meta(ge=1e-6, le=1e6)] = 1000.0
    """T."""
    step: Annotated[float, Meta(ge=0, le=1)] = 0.0014
    """Length of the step, pixels in [0, 1]."""

    def scorer(self, problem: FixedProblem, run: Run) -> Model:
        """Max_c softmax(f(x') / T)_c with x' = x - step sign(-grad log max_c softmax(f(x) / T)_c)
        (equations 1 and 2).
        """

        def log_probability(x: torch.Tensor) -> torch.Tensor:
            # at T = 1000 probabilities differ by less than float32 holds
            return (problem.model(x).double() / self.temperature).log_softmax(1).amax(1)

        def score(x: torch.Tensor) -> torch.Tensor:
            if self.step:
                with torch.enable_grad():
                    own = x.detach().requires_grad_()
                    (gradient,) = torch.autograd.grad(log_probability(own).sum(), own)
                x = x + self.step * gradient.sign()
            return log_probability(x).exp()

        return score
