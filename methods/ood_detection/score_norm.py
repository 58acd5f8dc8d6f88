"""The length of the score of a row as it is, at one time."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, MethodCard, Run
from bench.tracks.fixed_model import Model, ScoreMethod
from bench.tracks.ood_detection_scores import ScoreProblem

from ._perturbed import UNIT


class ScoreNorm(ScoreMethod):
    """Score a row by how short the gradient of the log density is at it."""

    card: ClassVar = MethodCard(
        name="score-norm",
        title="Length of the score at one time",
        track="ood-detection",
        signal="features",
        needs=("score-net",),
        plain=True,
        defaults_from="here",
    )
    step: Annotated[int, Meta(ge=1, le=1000)] = 20
    """Thousandths of the process's time."""

    def scorer(self, problem: ScoreProblem, run: Run) -> Model:
        """-||s(x, t)||."""
        net = problem.score_net
        assert net is not None, "the card needs score-net"
        return lambda x: -net(net.centred(x), self.step / UNIT).double().norm(dim=1)
