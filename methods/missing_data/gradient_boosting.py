"""Boosted trees that read holes (doi:10.1214/aos/1013203451): what a net has to beat."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from bench import Meta, Method, MethodCard, Run
from bench.tracks.missing_data import Model, Problem, Solution


class GradientBoosting(Method):
    """Boosted trees on the rows with their holes; a split sends missing values to the side where
    they lower the loss more.
    """

    card: ClassVar = MethodCard(
        name="gradient-boosting",
        title="Boosted trees that read holes",
        track="missing-data",
        paper="doi:10.1214/aos/1013203451",
        bibtex="""@article{friedman2001greedy,
  title = {Greedy Function Approximation: A Gradient Boosting Machine},
  author = {Friedman, Jerome H.},
  journal = {The Annals of Statistics},
  volume = {29},
  number = {5},
  pages = {1189--1232},
  year = {2001}
}""",
        deviates="The histogram form of scikit-learn, which reads missing values.",
        signal="none",
        libraries=("sklearn",),
        plain=True,
        defaults_from="here",
    )
    trees: Annotated[int, Meta(ge=1)] = 100
    """Rounds, of one tree a class each."""
    lr: Annotated[float, Meta(gt=0)] = 0.1
    """Weight of a tree."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Grow the trees."""
        values = problem.y.is_floating_point()
        kind: Any = HistGradientBoostingRegressor if values else HistGradientBoostingClassifier
        trees = kind(
            max_iter=self.trees,
            learning_rate=self.lr,
            early_stopping=False,
            random_state=int(run.numpy_generator("method").integers(2**31)),
        ).fit(problem.x.cpu().numpy(), problem.y.cpu().numpy())
        run.count(forward=len(problem.y))
        return Solution(model=_model(trees, None if values else problem.n_classes))


def _model(trees: Any, classes: int | None) -> Model:
    """Return values (n, 1), or the logarithms of the classes' probabilities (n, C)."""

    def answer(x: torch.Tensor) -> torch.Tensor:
        rows = x.cpu().numpy()
        if classes is None:
            return torch.from_numpy(trees.predict(rows)).float().to(x.device)[:, None]
        found = torch.full((len(x), classes), 1e-6, dtype=torch.float64)
        found[:, torch.from_numpy(trees.classes_)] += torch.from_numpy(trees.predict_proba(rows))
        return found.log().log_softmax(-1).float().to(x.device)

    return answer
