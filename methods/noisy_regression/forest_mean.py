"""A random forest on the inputs (doi:10.1023/A:1010933404324): what a net has to beat."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from torch import nn

from bench import Meta, Method, MethodCard, Run
from bench.tracks.noisy_regression import Problem, Solution


class ForestMean(Method):
    """The mean over trees, each grown on a bootstrap sample by the squared error."""

    card: ClassVar = MethodCard(
        name="forest-mean",
        title="Random forest on the inputs",
        track="noisy-regression",
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
        deviates="The forest of scikit-learn, with leaves of at least five rows.",
        libraries=("sklearn",),
        plain=True,
        defaults_from="here",
    )
    trees: Annotated[int, Meta(ge=1)] = 100
    """Trees of the forest."""
    leaf: Annotated[int, Meta(ge=1)] = 5
    """Fewest rows of a leaf."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Grow the forest."""
        from sklearn.ensemble import RandomForestRegressor

        seed = int(run.numpy_generator("method").integers(2**31))
        forest = RandomForestRegressor(self.trees, min_samples_leaf=self.leaf, random_state=seed)
        forest.fit(problem.x.flatten(1).cpu().numpy(), problem.y.cpu().numpy())
        run.count(forward=len(problem.y))
        return Solution(model=_Mean(forest))


class _Mean(nn.Module):
    """A forest of scikit-learn as a model of tensors."""

    def __init__(self, forest: Any) -> None:
        super().__init__()
        self.__dict__.update(forest=forest)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the means (n, 1) for rows (n, D)."""
        found = self.forest.predict(x.flatten(1).cpu().numpy())
        return torch.from_numpy(found).float().to(x.device)[:, None]
