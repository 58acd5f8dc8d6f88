"""A logistic regression of being right on what the net says."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from torch.nn import functional as F

from bench import InvalidRun, Meta, MethodCard, Run
from bench.tracks.fixed_model import FixedProblem, Model, ScoreMethod
from bench.training.fixed_net import outputs


class Correctness(ScoreMethod):
    """Fit on the validation rows how likely the net is right, given its sorted logits, its energy
    and the distance of the features from those of training rows.
    """

    card: ClassVar = MethodCard(
        name="correctness",
        title="Logistic regression of being right",
        track="selective-prediction",
        signal="held-out",
        libraries=("sklearn",),
        plain=True,
        defaults_from="here",
    )
    k: Annotated[int, Meta(ge=1)] = 10
    """Which neighbour the distance is to."""
    c: Annotated[float, Meta(gt=0)] = 1.0
    """Inverse weight of the penalty, in scikit-learn's scale."""

    def scorer(self, problem: FixedProblem, run: Run) -> Model:
        """Log odds of being right."""
        from sklearn.linear_model import LogisticRegression

        if self.k > len(problem.x):
            raise InvalidRun(
                f"k is {self.k} and there are {len(problem.x)} training rows; take at most as many"
            )
        net = problem.model
        known = F.normalize(problem.trained_features(run)).double()

        def inputs(x: torch.Tensor) -> torch.Tensor:
            h = net.features(x)
            logits = net.head(h).double()
            far = torch.cdist(F.normalize(h).double(), known).kthvalue(self.k, 1).values
            columns = [logits.sort(1).values, logits.logsumexp(1)[:, None], far[:, None]]
            return torch.cat(columns, 1)

        seen = outputs(inputs, problem.x_val)
        run.count(forward=len(seen))
        right = (net(problem.x_val).argmax(1) == problem.y_val).cpu().numpy()
        if right.all() or not right.any():
            raise InvalidRun(
                "the net is right on all validation rows or on none, so that there is nothing to "
                "fit; give more of them"
            )
        mean, scale = seen.mean(0), seen.std(0).clamp_min(1e-8)
        fitted = LogisticRegression(C=self.c, max_iter=1000).fit(
            ((seen - mean) / scale).cpu().numpy(), right
        )
        weight = torch.from_numpy(fitted.coef_[0]).to(seen)
        bias = float(fitted.intercept_[0])
        return lambda x: (outputs(inputs, x) - mean) / scale @ weight + bias
