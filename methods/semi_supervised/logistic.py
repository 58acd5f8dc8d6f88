"""Logistic regression on the labelled rows: what a net has to beat."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch
from torch.nn import functional as F

from bench import Meta, Method, MethodCard, Run
from bench.tracks.semi_supervised import Model, Problem, Solution


class Logistic(Method):
    """Fit multinomial logistic regression on the labelled rows as they are."""

    card: ClassVar = MethodCard(
        name="logistic",
        title="Logistic regression on the labelled rows",
        track="semi-supervised",
        libraries=("sklearn",),
        plain=True,
        defaults_from="here",
    )
    inverse: Annotated[float, Meta(gt=0)] = 1.0
    """Inverse of the penalty."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Fit it; of a single class there is nothing to fit."""
        from sklearn.linear_model import LogisticRegression

        x = problem.x[problem.labelled].flatten(1).double().cpu().numpy()
        y, classes = problem.y.cpu().numpy(), problem.n_classes
        weight, bias = np.zeros((classes, x.shape[1])), np.full(classes, -50.0)
        seen = np.unique(y)
        bias[seen] = 0
        if len(seen) > 1:
            fitted = LogisticRegression(C=self.inverse, max_iter=1000).fit(x, y)
            if len(seen) == 2:
                weight[seen[1]], bias[seen[1]] = fitted.coef_[0], fitted.intercept_[0]
            else:
                weight[seen], bias[seen] = fitted.coef_, fitted.intercept_
        run.count(forward=len(x), backward=len(x))
        return Solution(model=_linear(torch.from_numpy(weight), torch.from_numpy(bias)))


def _linear(weight: torch.Tensor, bias: torch.Tensor) -> Model:
    def scores(x: torch.Tensor) -> torch.Tensor:
        return F.linear(x.flatten(1), weight.to(x), bias.to(x))

    return scores
