"""SmoothGrad (arXiv:1706.03825)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard, Run
from bench.tracks.input_attribution import AttributionMethod, Problem, gradients


class SmoothGrad(AttributionMethod):
    """The mean gradient of the logit over noisy copies of a picture."""

    card: ClassVar = MethodCard(
        name="smoothgrad",
        title="SmoothGrad",
        track="input-attribution",
        paper="arXiv:1706.03825",
        bibtex="""@article{smilkov2017smoothgrad,
  title = {SmoothGrad: Removing Noise by Adding Noise},
  author = {Smilkov, Daniel and Thorat, Nikhil and Kim, Been and Vi{\\'e}gas, Fernanda and
    Wattenberg, Martin},
  journal = {arXiv preprint},
  year = {2017},
  eprint = {1706.03825},
  archivePrefix = {arXiv}
}""",
        claim="The mean of gradients at noisy copies of a picture shows more clearly where the "
        "class is than the gradient at the picture.",
        signal="features",
        defaults_from="paper",
    )
    draws: Annotated[int, Meta(ge=1)] = 25
    """Noisy copies."""
    noise: Annotated[float, Meta(ge=0)] = 0.1
    """Standard deviation of the noise, as a share of the range of all pixels."""

    def attribute(self, problem: Problem, run: Run) -> torch.Tensor:
        """Return 1/n sum of gradients at x + N(0, sigma^2)."""
        x, generator = problem.x, run.torch_generator("method", device="cpu")
        sigma = self.noise * (x.max() - x.min())
        total = torch.zeros_like(x)
        for _ in range(self.draws):  # all copies at once would be gigabytes
            drawn = torch.randn(x.shape, generator=generator).to(x.device)
            total += gradients(problem, x + sigma * drawn, run)
        return total / self.draws
