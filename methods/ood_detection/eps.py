"""EPS: the expected perturbation score, judged by its discrepancy from those of clean rows
(arXiv:2305.16035).

Shapes: n rows, m clean rows, d numbers a row.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import InvalidRun, Meta, MethodCard, Run
from bench.tracks.fixed_model import Model, ScoreMethod
from bench.tracks.ood_detection_scores import ScoreProblem
from bench.training.fixed_net import outputs

from ._perturbed import drawn, expected_score

WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Of the kernels, as multiples of the mean squared distance of two clean rows."""


class ExpectedPerturbation(ScoreMethod):
    """Average the score of a row over small perturbations, and score the row by how close that mean
    is to those of clean rows.
    """

    card: ClassVar = MethodCard(
        name="eps",
        title="Expected perturbation score with maximum mean discrepancy (EPS-AD)",
        track="ood-detection",
        paper="arXiv:2305.16035",
        bibtex="""@inproceedings{zhang2023detecting,
  title = {Detecting Adversarial Data by Probing Multiple Perturbations Using Expected Perturbation
    Score},
  author = {Zhang, Shuhai and Liu, Feng and Yang, Jiahao and Yang, Yifan and Li, Changsheng and Han,
    Bo and Tan, Mingkui},
  booktitle = {ICML},
  year = {2023},
  eprint = {2305.16035},
  archivePrefix = {arXiv}
}""",
        claim="The discrepancy of expected perturbation scores is larger between attacked and "
        "clean rows than among clean ones.",
        official_code="ok",
        deviates="Five fixed Gaussian kernels in place of a deep kernel that is trained on "
        "attacked rows, which no method sees here. The perturbations are drawn once and are the "
        "same for all rows, so that the score of a row does not depend on its companions; the "
        "authors draw anew for each. The widths of the kernels come from the clean rows alone. A "
        "small perceptron takes the place of a diffusion model.",
        signal="features",
        needs=("score-net",),
        defaults_from="here",
    )
    steps: Annotated[int, Meta(ge=1, le=1000)] = 20
    """T: times i / 1000 of the process, from 1 to T."""
    clean: Annotated[int, Meta(ge=2)] = 500
    """Most clean rows to compare with, the first of the validation rows."""
    perturb: bool = True
    """Whether rows are perturbed; without, the scores of the row itself are averaged."""

    def scorer(self, problem: ScoreProblem, run: Run) -> Model:
        """-MMD^2 between the row's expected score and those of the clean rows."""
        net = problem.score_net
        assert net is not None, "the card needs score-net"
        known = problem.x_val[: self.clean]
        if len(known) < 2:
            raise InvalidRun(
                f"there are {len(known)} validation rows to compare with; give at least two"
            )
        z = None
        if self.perturb:
            z = drawn(self.steps, known[0].numel(), known.device, run)
        clean = outputs(lambda x: expected_score(net, x, z, self.steps), known)
        run.count(forward=self.steps * len(known))
        against = Discrepancy(clean)
        return lambda x: -against(expected_score(net, x, z, self.steps))


class Discrepancy:
    """The squared maximum mean discrepancy between one row and clean ones (m, d), by the mean of
    Gaussian kernels exp(-||a - b||^2 / w).

    Source: arXiv:2305.16035.
    """

    def __init__(self, clean: torch.Tensor) -> None:
        self.clean = clean.double()
        apart = _squares(self.clean, self.clean)
        m = len(clean)
        self.unit = (apart.sum() / (m * m - m)).clamp_min(1e-300)
        self.among = self._kernel(apart).mean()

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        """Return k(e, e) - 2 mean_j k(e, c_j) + mean_ij k(c_i, c_j) of each row e (n, d), (n,)."""
        return 1 - 2 * self._kernel(_squares(rows.double(), self.clean)).mean(1) + self.among

    def _kernel(self, apart: torch.Tensor) -> torch.Tensor:
        """Return the mean of the kernels at squared distances (n, m)."""
        total = torch.zeros_like(apart)
        for width in WIDTHS:
            total += (-apart / (width * self.unit)).exp()
        return total / len(WIDTHS)


def _squares(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return squared distances of rows (n, d) and (m, d), (n, m); in float64 the formula by matrix
    products is exact enough.
    """
    lengths = a.square().sum(1)[:, None] + b.square().sum(1)
    return (lengths - 2 * a @ b.T).clamp_min(0)
