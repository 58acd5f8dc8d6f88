"""A random forest on the rows whose labels are told (doi:10.1023/A:1010933404324)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Meta, Method, MethodCard, Run
from bench.tracks.weak_supervision import Problem, Solution


class DevForest(Method):
    """Grow a forest on the inputs of the labelled rows, and label all rows by it; the sources are
    not asked.
    """

    card: ClassVar = MethodCard(
        name="dev-forest",
        title="Random forest on the labelled rows",
        track="weak-supervision",
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
        deviates="The forest of scikit-learn with its defaults.",
        needs=("dev-labels",),
        libraries=("sklearn",),
        plain=True,
        defaults_from="here",
    )
    trees: Annotated[int, Meta(ge=1)] = 200
    """Trees of the forest."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Grow the forest and return its votes."""
        from sklearn.ensemble import RandomForestClassifier

        assert problem.dev_labels is not None, "the card needs the labels"
        x, told = problem.x.cpu().numpy(), problem.dev_labels.cpu().numpy()
        seed = int(run.numpy_generator("method").integers(2**31))
        forest = RandomForestClassifier(self.trees, random_state=seed)
        forest.fit(x[told >= 0], told[told >= 0])
        proba = np.zeros((len(x), problem.n_classes), dtype=np.float32)
        proba[:, forest.classes_] = forest.predict_proba(x)
        run.count(forward=len(x))
        return Solution(proba=torch.from_numpy(proba).to(problem.x.device))
