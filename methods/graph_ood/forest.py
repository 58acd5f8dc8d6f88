"""A random forest on counts (doi:10.1023/A:1010933404324): what a graph net has to beat."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch import nn

from bench import Meta, Method, MethodCard, Run
from bench.tracks.graph_ood import Kind, Problem, Solution
from bench.training.gnn import Output
from bench.training.graphs import GraphBatch

DEGREES = 8
"""Nodes with so many neighbours and with more are counted together."""


class Forest(Method):
    """Grow trees on a dozen figures of a graph: nodes, edges, triangles,
    squares, degrees, and the mean of the nodes' features.
    """

    card: ClassVar = MethodCard(
        name="forest",
        title="Random forest on counts of nodes, edges, triangles, squares and degrees",
        track="graph-ood",
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
        claim="As accurate as boosting, and less hurt by noise; no claim about graphs from "
        "elsewhere.",
        deviates="The forest of scikit-learn with its defaults, on figures of our own choice. The "
        "epoch that the task chooses says nothing here: there is one model.",
        libraries=("torch_geometric", "scipy", "sklearn"),
        plain=True,
        defaults_from="here",
    )
    trees: Annotated[int, Meta(ge=1)] = 100
    """Trees of the forest, and of each question or target."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Count, then grow a forest for the classes, or one for each question or target."""
        from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

        x, y = figures(problem.graphs.batch()), problem.y.cpu().numpy()
        run.count(forward=len(x))
        kind = RandomForestRegressor if problem.kind == "numbers" else RandomForestClassifier
        columns = [y] if problem.kind == "classes" else list(y.T)
        draws = run.numpy_generator("method").integers(2**31, size=len(columns))
        grown = []
        for column, draw in zip(columns, draws, strict=True):
            known = np.isfinite(column) if problem.kind == "numbers" else column >= 0
            grown.append(
                kind(self.trees, random_state=int(draw)).fit(x[known], column[known])
                if known.any()
                else None
            )
        return Solution(model=Counting(grown, problem.kind, problem.outputs, self.trees))


class Counting(nn.Module):
    """Forests of scikit-learn as a model of graphs; None where nothing was
    known to grow one from.
    """

    def __init__(self, forests: list[Any], kind: Kind, outputs: int, trees: int) -> None:
        super().__init__()
        self.__dict__.update(forests=forests, kind=kind, outputs=outputs, trees=trees)

    def forward(self, batch: GraphBatch) -> Output:
        """Return logits (G, C), each class or answer with the weight of
        one tree besides, and the figures as embeddings.
        """
        x = figures(batch)
        z = torch.from_numpy(x).float().to(batch.x.device)
        logits = (
            np.stack([self._said(forest, x) for forest in self.forests], 1)
            if self.kind != "classes"
            else self._classes(self.forests[0], x)
        )
        return Output(torch.from_numpy(logits).float().to(batch.x.device), z, batch.x)

    def _classes(self, forest: Any, x: np.ndarray) -> np.ndarray:
        shares = np.zeros((len(x), self.outputs))
        shares[:, forest.classes_] = forest.predict_proba(x)
        return np.log(shares * self.trees + 1)

    def _said(self, forest: Any, x: np.ndarray) -> np.ndarray:
        """Return the log odds of yes, or the number, of one question or target (G,)."""
        if forest is None:
            return np.zeros(len(x))
        if self.kind == "numbers":
            return np.asarray(forest.predict(x), dtype=np.float64)
        yes = forest.predict_proba(x) @ forest.classes_
        return np.log(yes * self.trees + 1) - np.log((1 - yes) * self.trees + 1)


def figures(batch: GraphBatch) -> np.ndarray:
    """Return figures of each graph (G, F), float64.

    Nodes, edges, edges a node, triangles and squares, both as counts and a node, the shares of
    nodes with 0 to 7 and with more neighbours, and the mean of the nodes' features.
    """
    from scipy import sparse

    graph, (first, second) = batch.graph.cpu().numpy(), batch.edge_index.cpu().numpy()
    features = batch.x.cpu().double().numpy()
    n = len(features)
    adjacency = sparse.csr_array((np.ones(len(first)), (first, second)), shape=(n, n))
    paths = (adjacency @ adjacency).tocsr()
    degree = np.asarray(adjacency.sum(1)).ravel()
    triangles = np.asarray((paths * adjacency).sum(1)).ravel() / 2  # through each node
    pairs = paths - sparse.diags_array(paths.diagonal())  # common neighbours of two other nodes
    squares = np.asarray((pairs * (pairs - (pairs > 0))).sum(1)).ravel() / 2

    def summed(values: np.ndarray) -> np.ndarray:
        return np.bincount(graph, values, minlength=batch.size)

    nodes = summed(np.ones(n))
    counts = np.stack([summed(degree) / 2, summed(triangles) / 3, summed(squares) / 4], 1)
    degrees = np.stack([summed(np.minimum(degree, DEGREES) == d) for d in range(DEGREES + 1)], 1)
    means = np.stack([summed(column) for column in features.T], 1)
    return np.concatenate(
        [nodes[:, None], counts, *(part / nodes[:, None] for part in (counts, degrees, means))], 1
    )
