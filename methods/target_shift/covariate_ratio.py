"""Weights of inputs: what one tries who takes the shift for one of inputs."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from bench import Method, MethodCard, Run
from bench.tracks.target_shift import Problem, Solution, numbers_of


class CovariateRatio(Method):
    """Weigh each source row by the odds that it is a target row, by a logistic regression on the
    inputs.
    """

    card: ClassVar = MethodCard(
        name="covariate-ratio",
        title="Odds of the inputs",
        track="target-shift",
        libraries=("sklearn",),
        signal="features",
        needs=("numbers",),
        plain=True,
        defaults_from="here",
    )

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Return p(target | x) / p(source | x), times n / m."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        numbers = numbers_of(problem)
        x, x_target = (part.double().cpu().numpy() for part in (numbers.x, numbers.x_target))
        is_target = np.repeat([0, 1], [len(x), len(x_target)])
        fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        fitted.fit(np.concatenate([x, x_target]), is_target)
        odds = np.exp(fitted.decision_function(x)) * len(x) / len(x_target)
        return Solution(weights=torch.from_numpy(odds).to(numbers.x.device))
