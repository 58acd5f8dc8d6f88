"""Outlier exposure (arXiv:1812.04606)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, Method, MethodCard, Run
from bench.tracks.ood_detection import Problem, Solution, beside_rows
from bench.training.fitting import cross_entropy
from bench.training.fixed_net import FixedNet, Recipe, descended


class OutlierExposure(Method):
    """Train on with outliers that no class shall be predicted for; score by the largest
    probability.
    """

    card: ClassVar = MethodCard(
        name="oe",
        title="Outlier exposure",
        track="ood-detection",
        paper="arXiv:1812.04606",
        bibtex="""@inproceedings{hendrycks2019oe,
  title = {Deep Anomaly Detection with Outlier Exposure},
  author = {Hendrycks, Dan and Mazeika, Mantas and Dietterich, Thomas},
  booktitle = {ICLR},
  year = {2019},
  eprint = {1812.04606},
  archivePrefix = {arXiv}
}""",
        claim="Outliers of one kind help to detect rows of other kinds.",
        deviates="AdamW takes the place of SGD, and a batch has as many outliers as training rows.",
        needs=("outliers",),
        defaults_from="here",
    )
    lam: Annotated[float, Meta(ge=0)] = 0.5
    """Weight of the outliers' loss."""
    epochs: Annotated[int, Meta(ge=1)] = 8
    """Passes over the training rows."""
    lr: Annotated[float, Meta(gt=0)] = 1e-3
    """Of AdamW at the start."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """CE(x, y) + lam CE(outlier, uniform) (section 3 of the paper)."""
        assert problem.outliers is not None, "the card needs outliers"
        out, net = problem.outliers, problem.model.copy()

        def loss(rows: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
            known, other = rows
            logits = net(torch.cat([problem.x[known], out[other]])[None])
            inside, outside = logits.split([len(known), len(other)], 1)
            uniform = -outside.log_softmax(2).mean()
            return cross_entropy(inside, problem.y[known][None]).sum() + self.lam * uniform

        recipe = Recipe(epochs=self.epochs, lr=self.lr)
        batches = beside_rows(problem, out, recipe, run)
        descended(net, batches, recipe, loss)
        visits = sum(len(a) + len(b) for a, b in batches)
        run.count(forward=visits, backward=visits)
        model = FixedNet.of(net, problem.model)
        return Solution(score=lambda x: model(x).softmax(1).amax(1)[:, None], model=model)
