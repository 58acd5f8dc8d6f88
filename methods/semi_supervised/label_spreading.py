"""Label spreading on a graph of neighbours, without a net (NeurIPS 2003)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Meta, Method, MethodCard, Run
from bench.tracks.semi_supervised import Model, Problem, Solution


class Spreading(Method):
    """Let labels flow along a graph of nearest neighbours of all rows; test rows take the mean of
    their neighbours.
    """

    card: ClassVar = MethodCard(
        name="label-spreading",
        title="Label spreading",
        track="semi-supervised",
        paper="NeurIPS 2003",
        bibtex="""@inproceedings{zhou2003learning,
  title = {Learning with Local and Global Consistency},
  author = {Zhou, Dengyong and Bousquet, Olivier and Lal, Thomas Navin and Weston, Jason and
    Sch\"olkopf, Bernhard},
  booktitle = {NeurIPS},
  year = {2003}
}""",
        claim="If labels vary smoothly over the data, few labels suffice.",
        deviates="scikit-learn's, with a graph of nearest neighbours instead of a Gaussian kernel "
        "(NeurIPS 2003); no views.",
        libraries=("sklearn",),
        plain=True,
        defaults_from="here",
    )
    neighbours: Annotated[int, Meta(ge=1)] = 7
    """Neighbours of a row."""
    alpha: Annotated[float, Meta(gt=0, lt=1)] = 0.2
    """Share that a row takes from its neighbours."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Spread the labels."""
        from sklearn.neighbors import NearestNeighbors

        rows = torch.cat([problem.labelled, problem.unlabelled])
        x = _rows(problem.x[rows])
        y = np.zeros((len(rows), problem.n_classes))
        y[np.arange(len(problem.y)), problem.y.cpu().numpy()] = 1
        k = min(self.neighbours, len(x) - 1)
        if k:
            graph = NearestNeighbors(n_neighbors=k).fit(x).kneighbors_graph()
            graph = graph.maximum(graph.T)
            scale = 1 / np.sqrt(np.maximum(np.asarray(graph.sum(1)).ravel(), 1e-12))
            smooth = graph.multiply(scale[:, None]).multiply(scale[None]).tocsr()
            found = y.copy()
            for _ in range(200):
                found = self.alpha * (smooth @ found) + (1 - self.alpha) * y
        else:
            found = y
        run.count(forward=len(x))
        shares = found / np.maximum(found.sum(1, keepdims=True), 1e-12)
        pseudo = torch.from_numpy(shares[len(problem.y) :]).float().to(problem.x.device)
        return Solution(
            model=_nearest(x, shares, max(1, k)),
            pseudo=pseudo,
            weight=(pseudo.sum(1) > 0).float(),
        )


def _nearest(x: np.ndarray, shares: np.ndarray, k: int) -> Model:
    """Return the mean of the shares of the k nearest rows as log-probabilities."""
    from sklearn.neighbors import NearestNeighbors

    near = NearestNeighbors(n_neighbors=k).fit(x)

    def scores(rows: torch.Tensor) -> torch.Tensor:
        at = near.kneighbors(_rows(rows), return_distance=False)
        found = torch.from_numpy(shares[at].mean(1)).float().to(rows.device)
        return (found + 1e-4).log().log_softmax(-1)

    return scores


def _rows(x: torch.Tensor) -> np.ndarray:
    return x.flatten(1).cpu().numpy()
