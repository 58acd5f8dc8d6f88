"""The likelihood-ratio attack, LiRA (arXiv:2112.03570)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch

from bench import Meta, Method, MethodCard, Run
from bench.tracks.privacy_audit import Problem, Solution, confidences


class AuditLira(Method):
    """For each row, fit a Gaussian to the log odds of shadow models that saw it and one to those
    that did not; score by their ratio.
    """

    card: ClassVar = MethodCard(
        name="audit-lira",
        title="Likelihood-ratio attack (LiRA)",
        track="privacy-audit",
        paper="arXiv:2112.03570",
        bibtex="""@inproceedings{carlini2022membership,
  title = {Membership Inference Attacks From First Principles},
  author = {Carlini, Nicholas and Chien, Steve and Nasr, Milad and Song, Shuang and Terzis, Andreas
    and Tramer, Florian},
  booktitle = {IEEE Symposium on Security and Privacy},
  year = {2022},
  eprint = {2112.03570},
  archivePrefix = {arXiv}
}""",
        deviates="One query a row, without augmentations. Gaussians have means and standard "
        "deviations; the official code takes medians, and its one spread for all rows is that of "
        "all values about their common mean, here it is that about each row's own.",
        needs=("shadows",),
        defaults_from="paper",
    )
    mode: Literal["online", "offline"] = "online"
    """Use the shadow models that saw a row, or only those that did not."""
    spread: Literal["pooled", "row"] = "pooled"
    """One standard deviation for all rows, which the paper takes for few
    shadow models, or one a row.
    """
    floor: Annotated[float, Meta(ge=0)] = 1e-3
    """Added to the standard deviations."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Score every row."""
        shadows = problem.shadows
        assert shadows is not None, "the card asks for shadow models"
        nets = [
            {name: value[k] for name, value in shadows.weights.items()}
            for k in range(len(shadows.trained_on))
        ]
        run.count(forward=(len(nets) + 1) * len(problem.y))
        return Solution(
            scores=self.scores(
                confidences(problem, [problem.weights])[0],
                confidences(problem, nets),
                shadows.trained_on,
            )
        )

    def scores(
        self, target: torch.Tensor, phi: torch.Tensor, trained_on: torch.Tensor
    ) -> torch.Tensor:
        """Return log N(phi; in) - log N(phi; out) of each row, or offline the Gaussian quantile of
        phi among those that did not see it.

        Args:
            target: log odds under the target (N,).
            phi: under the shadow models (K, N).
            trained_on: which rows each of these saw (K, N), bool.
        """
        (mean_in, sd_in), (mean_out, sd_out) = (
            self._fit(phi, trained_on),
            self._fit(phi, ~trained_on),
        )
        if self.mode == "offline":
            return (target - mean_out) / sd_out
        return (
            ((target - mean_out) / sd_out).square() / 2
            + sd_out.log()
            - ((target - mean_in) / sd_in).square() / 2
            - sd_in.log()
        )

    def _fit(self, phi: torch.Tensor, kept: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        count = kept.sum(0).clamp_min(1)
        mean = (phi * kept).sum(0) / count
        square = ((phi - mean).square() * kept).sum(0)
        variance = (
            square.sum() / (kept.sum() - (kept.sum(0) > 0).sum()).clamp_min(1)
            if self.spread == "pooled"
            else square / (count - 1).clamp_min(1)
        )
        return mean, variance.sqrt().expand_as(mean) + self.floor
