"""Answer where the calibrated probability is worth the risk."""

from __future__ import annotations

from typing import ClassVar

from bench import Method, MethodCard, Run
from bench.tracks.selective_prediction import Solution
from bench.tracks.selective_prediction_actions import RewardProblem
from bench.training.calibration import fit_temperature
from bench.training.fixed_net import outputs


class CalibratedProbability(Method):
    """Calibrate the net on the validation rows, and answer where the largest probability makes an
    answer earn more than none.
    """

    card: ClassVar = MethodCard(
        name="max-prob",
        title="Calibrated probability above the break-even point",
        track="selective-prediction",
        signal="held-out",
        needs=("penalty",),
        plain=True,
        defaults_from="here",
    )

    def solve(self, problem: RewardProblem, run: Run) -> Solution:
        """Keep an answer with p >= w / (1 + w), where a wrong one costs w: p - (1 - p) w >= 0."""
        assert problem.penalty is not None, "the card needs penalty"
        model = problem.model
        temperature = fit_temperature(outputs(model, problem.x_val), problem.y_val)
        run.count(forward=len(problem.x_val))
        return Solution(
            score=lambda x: (model(x) / temperature).softmax(1).amax(1, keepdim=True),
            threshold=problem.penalty / (1 + problem.penalty),
        )
