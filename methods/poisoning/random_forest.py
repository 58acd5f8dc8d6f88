"""A random forest on the inputs (doi:10.1023/A:1010933404324): what a net has to beat."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from torch import nn

from bench import Meta, Method, MethodCard, Run
from bench.tracks.poisoning import Problem, Solution


class RandomForest(Method):
    """Average the votes of trees, each grown on a bootstrap sample of the rows."""

    card: ClassVar = MethodCard(
        name="random-forest",
        title="Random forest on the inputs",
        track="poisoning",
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
        claim="As accurate as boosting, and no net.",
        deviates="The forest of scikit-learn with three times its default number of trees, which "
        "averages the class shares of leaves.",
        libraries=("sklearn",),
        plain=True,
        defaults_from="here",
    )
    trees: Annotated[int, Meta(ge=1)] = 300
    """Trees of the forest."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Grow the forest."""
        from sklearn.ensemble import RandomForestClassifier

        seed = int(run.numpy_generator("method").integers(2**31))
        forest = RandomForestClassifier(self.trees, random_state=seed).fit(
            problem.x.flatten(1).cpu().numpy(), problem.y.cpu().numpy()
        )
        run.count(forward=len(problem.y))
        return Solution(model=_Forest(forest, problem.n_classes, self.trees))


class _Forest(nn.Module):
    """A forest of scikit-learn as a classifier of tensors."""

    def __init__(self, forest: Any, classes: int, trees: int) -> None:
        super().__init__()
        self.__dict__.update(forest=forest, classes=classes, trees=trees)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the log of the shares of the classes for rows (n, ...), (n, C); each class has the
        weight of one tree besides.
        """
        shares = torch.zeros(len(x), self.classes, dtype=torch.float64)
        found = self.forest.predict_proba(x.flatten(1).cpu().numpy())
        shares[:, torch.from_numpy(self.forest.classes_)] = torch.from_numpy(found)
        return (shares * self.trees + 1).log().log_softmax(-1).float().to(x.device)
