"""A random forest on rows at random (doi:10.1023/A:1010933404324): what a net has to beat."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, Method, MethodCard, Run
from bench.tracks.active_learning import Model, Problem, Solution


class RandomForest(Method):
    """Ask rows at random, and grow a forest on the known ones."""

    card: ClassVar = MethodCard(
        name="random-forest",
        title="Rows at random, a random forest on the inputs",
        track="active-learning",
        paper="doi:10.1023/A:1010933404324",
        bibtex="""@article{breiman2001random,
  title = {Random Forests},
  author = {Breiman, Leo},
  journal = {Machine Learning},
  volume = {45},
  number = {1},
  pages = {5--32},
  year = {2001}
}""",
        deviates="The forest of scikit-learn with 200 trees.",
        libraries=("sklearn",),
        plain=True,
        defaults_from="here",
    )
    trees: Annotated[int, Meta(ge=1)] = 200
    """Trees of a forest."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Ask in rounds, and grow a forest after each."""
        drawn = run.numpy_generator("method", "rows")
        unknown = torch.ones(len(problem.x), dtype=torch.bool)
        unknown[problem.start.cpu()] = False
        order = torch.from_numpy(drawn.permutation(unknown.nonzero()[:, 0].numpy()))
        order = order[: problem.budget].to(problem.x.device)
        known = torch.cat([problem.start, order])
        tick = run.progress(len(problem.marks), "rounds")
        for mark in problem.marks:
            rows = known[:mark]
            model = self._grown(problem, rows, problem.oracle(rows), int(drawn.integers(2**31)))
            run.count(forward=mark)
            run.report(mark, model)
            tick()
        return Solution(rows=order, model=model)

    def _grown(self, problem: Problem, rows: torch.Tensor, y: torch.Tensor, seed: int) -> Model:
        """Return a forest of rows (n,) and their targets as a model."""
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        x = problem.x[rows].flatten(1).cpu().numpy()
        if problem.kind == "numbers":
            numbers = RandomForestRegressor(self.trees, random_state=seed).fit(x, y.cpu().numpy())
            return lambda x: _said(numbers.predict(_flat(x)), x)[:, None]
        labels = y if y.dim() == 1 else y.argmax(1)
        forest: Any = RandomForestClassifier(self.trees, random_state=seed)
        forest.fit(x, labels.cpu().numpy())

        def shares(x: torch.Tensor) -> torch.Tensor:
            found = x.new_zeros(len(x), problem.n_outputs)
            found[:, torch.from_numpy(forest.classes_)] = _said(forest.predict_proba(_flat(x)), x)
            # each class has the weight of one tree besides
            return (found * self.trees + 1).log()

        return shares


def _flat(x: torch.Tensor) -> Any:
    return x.flatten(1).cpu().numpy()


def _said(found: Any, x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(found).to(x)
