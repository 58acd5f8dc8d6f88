"""A random forest on the inputs (doi:10.1023/A:1010933404324): what a net has to beat."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import torch

from bench import Meta, Method, MethodCard, Run
from bench.tracks.positive_unlabeled import Model, Problem, Solution


class PriorForest(Method):
    """Tell known rows from the others by a forest, and take as positive the share of rows that the
    prior says, those with the highest votes of trees that did not see them.
    """

    card: ClassVar = MethodCard(
        name="forest-prior",
        title="Random forest on the inputs, threshold by the prior",
        track="positive-unlabeled",
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
        deviates="The forest of scikit-learn, with leaves of at least five rows; one forest a "
        "column of labels.",
        needs=("prior",),
        libraries=("sklearn",),
        plain=True,
        defaults_from="here",
    )
    trees: Annotated[int, Meta(ge=50)] = 200
    """Trees of a forest; of fewer, some rows would have been left out by none."""
    leaf: Annotated[int, Meta(ge=1)] = 5
    """Fewest rows of a leaf."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Grow a forest a column, and set its threshold."""
        from sklearn.ensemble import RandomForestClassifier

        assert problem.prior is not None, "the card needs the prior"
        rows, generator = _rows(problem.x), run.numpy_generator("method")
        free = np.ones(len(rows), dtype=bool)
        if problem.scheme == "case-control":
            free = ~problem.s.any(1).cpu().numpy()
        forests: list[Any] = []
        edges = []
        for column, prior in enumerate(problem.prior.tolist()):
            s = problem.s[:, column].cpu().numpy()
            forest = RandomForestClassifier(
                self.trees,
                min_samples_leaf=self.leaf,
                oob_score=True,
                random_state=int(generator.integers(2**31)),
            ).fit(rows, s)
            own = _share(forest, forest.oob_decision_function_)
            forests.append(forest)
            edges.append(float(np.quantile(own[free], 1 - prior)))
        run.count(forward=len(rows))
        return Solution(model=_voting(forests, torch.tensor(edges)))


def _voting(forests: list[Any], edges: torch.Tensor) -> Model:
    """Return the shares of the forests above their thresholds as scores (n, L)."""

    def scores(x: torch.Tensor) -> torch.Tensor:
        rows = _rows(x)
        found = [_share(forest, forest.predict_proba(rows)) for forest in forests]
        return (torch.from_numpy(np.stack(found, 1)).float() - edges).to(x.device)

    return scores


def _rows(x: torch.Tensor) -> np.ndarray:
    return x.flatten(1).cpu().numpy()


def _share(forest: Any, found: np.ndarray) -> np.ndarray:
    """Return the share of votes for known (n,); a forest may have seen one answer alone."""
    classes = list(forest.classes_)
    return found[:, classes.index(True)] if True in classes else np.zeros(len(found))
