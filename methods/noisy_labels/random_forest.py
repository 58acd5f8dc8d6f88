"""A random forest on the inputs (doi:10.1023/A:1010933404324): what a net has to beat."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import nn

from bench import Meta, Method, MethodCard, Run
from bench.tracks.noisy_labels import Problem, Solution


class RandomForest(Method):
    """Average the votes of trees, each grown on a bootstrap sample of the rows; wrong labels end up
    in small leaves, which few trees share.
    """

    card: ClassVar = MethodCard(
        name="random-forest",
        title="Random forest on the inputs",
        track=("noisy-labels", "label-errors"),
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
        claim="As accurate as boosting, and less hurt by wrong labels.",
        deviates="The forest of scikit-learn with three times its default number of trees, which "
        "averages the class shares of leaves instead of counting a vote a tree.",
        signal="oof",
        libraries=("sklearn",),
        plain=True,
        defaults_from="here",
        trials=2,
    )
    trees: Annotated[int, Meta(ge=50)] = 300
    """Trees of the forest; of fewer, some rows would have been left out by none."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Grow the forest.

        A row is as clean as the trees that did not see it find its label probable.
        """
        from sklearn.ensemble import RandomForestClassifier

        seed = int(run.numpy_generator("method").integers(2**31))
        forest = RandomForestClassifier(self.trees, oob_score=True, random_state=seed).fit(
            _rows(problem.x), problem.y.cpu().numpy()
        )
        run.count(forward=len(problem.y))
        own = _shares(forest, forest.oob_decision_function_, problem.n_classes).to(problem.y.device)
        given = own.gather(1, problem.y[:, None])[:, 0]
        return Solution(
            model=Forest(forest, problem.n_classes, self.trees),
            clean_score=given,
            kept=own.amax(1) <= given,
        )


class Forest(nn.Module):
    """A forest of scikit-learn as a classifier of tensors."""

    def __init__(self, forest: Any, classes: int, trees: int) -> None:
        super().__init__()
        self.__dict__.update(forest=forest, classes=classes, trees=trees)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the log of the shares of the classes for rows (n, ...),
        (n, C); each class has the weight of one tree besides.
        """
        shares = _shares(self.forest, self.forest.predict_proba(_rows(x)), self.classes)
        return (shares * self.trees + 1).log().log_softmax(-1).float().to(x.device)


def _rows(x: torch.Tensor) -> np.ndarray:
    return x.flatten(1).cpu().numpy()


def _shares(forest: Any, found: np.ndarray, classes: int) -> torch.Tensor:
    """Return shares of the classes that the forest saw as shares (n, C) of all."""
    shares = torch.zeros(len(found), classes, dtype=torch.float64)
    shares[:, torch.from_numpy(forest.classes_)] = torch.from_numpy(found)
    return shares
