"""Influence functions on the validation loss (arXiv:1703.04730)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Method, MethodCard, Run
from bench.tracks.data_valuation import Problem, Solution
from bench.tracks.data_valuation_linear import design, fitted, outputs_of

BIBTEX = """@inproceedings{koh2017understanding,
  title = {Understanding Black-box Predictions via Influence Functions},
  author = {Koh, Pang Wei and Liang, Percy},
  booktitle = {ICML},
  year = {2017},
  eprint = {1703.04730},
  archivePrefix = {arXiv}
}"""


class Influence(Method):
    """How much the mean validation loss would rise without a row, to first order."""

    card: ClassVar = MethodCard(
        name="influence",
        title="Influence functions",
        track="data-valuation",
        paper="arXiv:1703.04730",
        bibtex=BIBTEX,
        claim="Influence functions tell what leaving a row out does, without fitting anew.",
        deviates="Of a multinomial logistic regression on the inputs (of least squares for "
        "numbers), whose Hessian is solved with directly.",
        signal="gradients",
        defaults_from="here",
    )

    def solve(self, problem: Problem, run: Run) -> Solution:
        """One fit, one solve: the validation rows share a gradient."""
        model = fitted(problem.x, problem.y, problem.n_classes, problem.penalty)
        run.count(forward=len(problem.y), backward=len(problem.y))
        x, y = design(problem.x_val), outputs_of(problem.y_val, problem.n_classes)
        pull = x.T @ -model.errors(x, y) / len(x)
        moved = torch.linalg.solve(model.hessian(), pull.flatten()).view_as(pull)
        errors = model.errors(model.x, model.y)
        return Solution(value=-((model.x @ moved) * errors).sum(1) / len(errors), n_fits=1)
