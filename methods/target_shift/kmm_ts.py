"""Kernel mean matching for target shift.

Domain Adaptation under Target and Conditional Shift (ICML 2013).
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, Method, MethodCard, Run
from bench.tracks.target_shift import Problem, Solution, numbers_of
from bench.tracks.target_shift_kernels import column, gaussian, silverman, within


class KernelMeanMatching(Method):
    """Mix the source's kernel means of inputs given y so that they give the target's mean."""

    card: ClassVar = MethodCard(
        name="kmm-ts",
        title="Kernel mean matching for target shift",
        track="target-shift",
        paper="Domain Adaptation under Target and Conditional Shift (ICML 2013)",
        bibtex="""@inproceedings{zhang2013domain,
  title = {Domain Adaptation under Target and Conditional Shift},
  author = {Zhang, Kun and Sch{\\"o}lkopf, Bernhard and Muandet, Krikamol and Wang, Zhikun},
  booktitle = {International Conference on Machine Learning},
  year = {2013}
}""",
        claim="Matching the kernel mean of target inputs by weights of labels corrects target "
        "shift, also where labels are numbers.",
        deviates="written from descriptions of the method: weights are 0 or more and have a ridge "
        "penalty, where the paper bounds them and their mean in a quadratic program; kernels and "
        "bandwidths are ours, and the formula was not checked against a second implementation",
        libraries=("scipy",),
        signal="features",
        needs=("numbers",),
        defaults_from="here",
    )
    smooth: Annotated[float, Meta(ge=1e-9)] = 0.1
    """Penalty of the conditional mean, times the number of source rows."""
    ridge: Annotated[float, Meta(ge=1e-9)] = 1e-3
    """Penalty of the weights, times the number of source rows."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Return argmin over w >= 0 of |sum_i w_i mu(x | y_i) - n mu_target|^2 + ridge n |w|^2,
        where mu(x | y_i) = sum_j Omega_ji phi(x_j) and Omega = (L + smooth n I)^-1 L.
        """
        from scipy.optimize import nnls

        numbers = numbers_of(problem)
        rows, y = len(numbers.y), column(numbers.y)
        within(rows, "kmm-ts")
        unit = torch.eye(rows).to(y)
        of_y, width = gaussian(y, y, silverman(y)), silverman(numbers.x)
        omega = torch.linalg.solve(of_y + self.smooth * rows * unit, of_y)
        quadratic = omega.T @ gaussian(numbers.x, numbers.x, width) @ omega
        linear = omega.T @ gaussian(numbers.x, numbers.x_target, width).mean(1) * rows
        root = torch.linalg.cholesky(quadratic + self.ridge * rows * unit).T
        wanted = torch.linalg.solve_triangular(root.T, linear[:, None], upper=False)[:, 0]
        weights, _ = nnls(root.cpu().numpy(), wanted.cpu().numpy(), maxiter=30 * rows)
        return Solution(weights=torch.from_numpy(weights).to(y.device))
