"""A Gaussian process on the inputs: what a net has to beat."""

from __future__ import annotations

import warnings
from typing import Annotated, Any, ClassVar

import torch
from torch import nn

from bench import Meta, Method, MethodCard, Run
from bench.tracks.regression import Problem, Solution


class GaussianProcess(Method):
    """The mean of a Gaussian process with one length scale a column and noise, chosen by the
    marginal likelihood.
    """

    card: ClassVar = MethodCard(
        name="gaussian-process",
        title="Gaussian process on the inputs",
        track="regression",
        bibtex="""@book{rasmussen2006gaussian,
  title = {Gaussian Processes for Machine Learning},
  author = {Rasmussen, Carl Edward and Williams, Christopher K. I.},
  publisher = {MIT Press},
  year = {2006}
}""",
        libraries=("sklearn",),
        plain=True,
        defaults_from="here",
    )
    restarts: Annotated[int, Meta(ge=0, le=100)] = 1
    """Further searches of the likelihood, from random length scales."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Choose the kernel, and keep the training rows."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

        x = problem.x.flatten(1).double().cpu().numpy()
        kernel = ConstantKernel(1.0, (1e-3, 1e3)) * RBF(
            [1.0] * x.shape[1], (1e-2, 1e3)
        ) + WhiteKernel(0.1, (1e-5, 1e1))
        seed = int(run.numpy_generator("method").integers(2**31))
        with warnings.catch_warnings():
            # a length scale at its bound says that a column does not matter
            warnings.simplefilter("ignore", ConvergenceWarning)
            fitted = GaussianProcessRegressor(
                kernel, n_restarts_optimizer=self.restarts, random_state=seed
            ).fit(x, problem.y.double().cpu().numpy())
        run.count(forward=len(x))
        return Solution(model=Mean(fitted))


class Mean(nn.Module):
    """The mean of a fitted process as a model of tensors."""

    def __init__(self, fitted: Any) -> None:
        super().__init__()
        self.__dict__.update(fitted=fitted)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the means (n, 1) for rows (n, ...)."""
        found = self.fitted.predict(x.flatten(1).double().cpu().numpy())
        return torch.from_numpy(found).float().to(x.device)[:, None]
