"""A random forest on the features of a node and the mean over its neighbours
(doi:10.1023/A:1010933404324).
"""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier

from bench import Meta, Method, MethodCard, Run
from bench.tracks.node_graphs import Fixed, Problem, Solution


class Forest(Method, frozen=True, kw_only=True):
    """Fit scikit-learn's forest; its probabilities are the logits."""

    card: ClassVar = MethodCard(
        name="forest",
        title="Random forest on features and neighbours' mean",
        track="node-graphs",
        libraries=("sklearn",),
        paper="doi:10.1023/A:1010933404324",
        deviates="The forest of scikit-learn, with leaves of at least five nodes.",
        plain=True,
        defaults_from="here",
    )
    trees: Annotated[int, Meta(ge=1)] = 200
    """Trees."""
    leaf: Annotated[int, Meta(ge=1)] = 5
    """Least nodes of a leaf."""
    neighbours: bool = True
    """Whether the mean over neighbours is read beside a node's own features."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Fit the training nodes, predict all."""
        graph = problem.graph()
        parts = [problem.x, graph.mean() @ problem.x] if self.neighbours else [problem.x]
        x = torch.cat(parts, 1).cpu().numpy()
        train = problem.train.cpu().numpy()
        forest = RandomForestClassifier(
            self.trees,
            min_samples_leaf=self.leaf,
            random_state=int(run.numpy_generator("method", "forest").integers(2**31)),
            n_jobs=1,
        )
        forest.fit(x[train], problem.y.cpu().numpy()[train])
        logits = np.zeros((len(x), problem.n_classes), dtype=np.float32)
        logits[:, forest.classes_] = forest.predict_proba(x)
        run.count(forward=len(x), backward=int(train.sum()))
        return Solution(model=Fixed(torch.from_numpy(logits).to(problem.x.device)))
