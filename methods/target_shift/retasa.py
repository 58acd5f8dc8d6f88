"""ReTaSA (arXiv:2401.16410)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, Method, MethodCard, Run
from bench.tracks.target_shift import Problem, Solution, numbers_of
from bench.tracks.target_shift_kernels import column, gaussian, silverman, within


class Retasa(Method):
    """Solve E[w(Y) | x] = p_target(x) / p_source(x) for w, with Tikhonov's penalty."""

    card: ClassVar = MethodCard(
        name="retasa",
        title="ReTaSA",
        track="target-shift",
        paper="arXiv:2401.16410",
        bibtex="""@inproceedings{kim2024retasa,
  title = {{ReTaSA}: A Nonparametric Functional Estimation Approach for Addressing Continuous
    Target Shift},
  author = {Kim, Hwanwoo and Zhang, Xin and Zhao, Jiwei and Tian, Qinglong},
  booktitle = {International Conference on Learning Representations},
  year = {2024},
  eprint = {2401.16410},
  archivePrefix = {arXiv}
}""",
        claim="Weights of numbers from a regularised integral equation, without matching of "
        "distributions, adapt regression better than what was there before.",
        deviates="written from the abstract: the regularised equation is the paper's; its "
        "discretisation, kernels, bandwidths and penalty are ours, and the formula was not "
        "checked against a second implementation",
        signal="features",
        needs=("numbers",),
        defaults_from="here",
        trials=3,
    )
    alpha: Annotated[float, Meta(ge=1e-9)] = 0.05
    """Weight of the penalty."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Return max(1 + rho, 0) with rho = (alpha I + C_y C_x)^-1 C_y eta.

        C_x and C_y are conditional means given x and given y, as matrices on the source rows. The
        adjoint of C_x is C_y and not its transpose.
        """
        numbers = numbers_of(problem)
        within(len(numbers.y), "retasa")
        width, y = silverman(numbers.x), column(numbers.y)
        of_x, of_y = gaussian(numbers.x, numbers.x, width), gaussian(y, y, silverman(y))
        eta = gaussian(numbers.x, numbers.x_target, width).mean(1) / of_x.mean(1) - 1
        of_x, of_y = of_x / of_x.sum(1, keepdim=True), of_y / of_y.sum(1, keepdim=True)
        tikhonov = self.alpha * torch.eye(len(y)).to(of_x) + of_y @ of_x
        rho = torch.linalg.solve(tikhonov, of_y @ eta)
        return Solution(weights=(1 + rho).clamp_min(0))
