"""The length of the expected perturbation score."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, MethodCard, Run
from bench.tracks.fixed_model import Model, ScoreMethod
from bench.tracks.ood_detection_scores import ScoreProblem

from ._perturbed import drawn, expected_score


class ExpectedNorm(ScoreMethod):
    """Score a row by how short the mean of its scores over small perturbations is."""

    card: ClassVar = MethodCard(
        name="eps-norm",
        title="Length of the expected perturbation score",
        track="ood-detection",
        signal="features",
        needs=("score-net",),
        plain=True,
        defaults_from="here",
    )
    steps: Annotated[int, Meta(ge=1, le=1000)] = 20
    """T: times i / 1000 of the process, from 1 to T."""
    perturb: bool = True
    """Whether rows are perturbed; without, the scores of the row itself are averaged."""

    def scorer(self, problem: ScoreProblem, run: Run) -> Model:
        """-||EPS(x)||."""
        net = problem.score_net
        assert net is not None, "the card needs score-net"
        z = None
        if self.perturb:
            z = drawn(self.steps, problem.x[0].numel(), problem.x.device, run)
        return lambda x: -expected_score(net, x, z, self.steps).double().norm(dim=1)
