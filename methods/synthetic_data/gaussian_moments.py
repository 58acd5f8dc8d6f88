"""A normal law with the mean and the covariance of the clean rows, from all rows."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Method, MethodCard, Run
from bench.errors import InvalidRun
from bench.tracks.synthetic_diffusion import Noised, Samples


class GaussianMoments(Method):
    """Take the noise off the covariance of all rows, and draw from a normal law."""

    card: ClassVar = MethodCard(
        name="gaussian-moments",
        title="A normal law, the noise taken off its covariance",
        track="synthetic-data",
        needs=("sigma",),
        plain=True,
        defaults_from="here",
    )

    def solve(self, problem: Noised, run: Run) -> Samples:
        """Draw from the normal law.

        Its covariance is that of all rows minus the mean variance of their noise in every
        direction, without what falls below 0.
        """
        if problem.sigma is None:
            raise InvalidRun("its card does not need 'sigma', which says how noisy rows are")
        x = problem.x.double()
        mean, noise = x.mean(0), problem.sigma.double().square().mean()
        values, vectors = torch.linalg.eigh(torch.cov(x.T))
        root = vectors * (values - noise).clamp_min(0).sqrt()
        generator = run.torch_generator("method", device="cpu")
        shape = (problem.samples, x.shape[1])
        normal = torch.randn(shape, generator=generator, dtype=torch.float64).to(x.device)
        run.count(forward=len(x))
        return Samples(rows=(mean + normal @ root.T).float())
