"""The class of the training node whose list of neighbours is most alike: lists are memorised."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from scipy.sparse import csr_matrix

from bench import Method, MethodCard, Run
from bench.tracks.node_graphs import Fixed, Problem, Solution

ROWS = 2048
"""Nodes compared with all training nodes at a time."""


class NeighbourLists(Method, frozen=True, kw_only=True):
    """Vote among the training nodes whose neighbours overlap most, |A and B| / |A or B|.

    It knows nothing of features, and is right on every test node that has a twin among the
    training nodes.
    """

    card: ClassVar = MethodCard(
        name="neighbour-lists",
        title="Training node with the most similar neighbours",
        track="node-graphs",
        libraries=("scipy",),
        plain=True,
        defaults_from="here",
    )

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Compare every node with the training nodes."""
        n, edges = len(problem.x), problem.edges.cpu().numpy()
        links = csr_matrix((np.ones(edges.shape[1]), (edges[1], edges[0])), (n, n))
        train = problem.train.cpu().numpy()
        classes = np.eye(problem.n_classes)[problem.y.cpu().numpy()[train]]
        degrees = np.asarray(links.sum(1)).ravel()
        found = [
            votes(
                np.asarray((links[at : at + ROWS] @ links[train].T).todense()),
                degrees[at : at + ROWS],
                degrees[train],
                classes,
            )
            for at in range(0, n, ROWS)
        ]
        run.count(forward=n)
        logits = torch.from_numpy(np.concatenate(found)).to(problem.x)
        return Solution(model=Fixed(logits))


def votes(
    shared: np.ndarray, degrees: np.ndarray, trained: np.ndarray, classes: np.ndarray
) -> np.ndarray:
    """Return the share of each class among the training nodes that are most alike (m, C).

    Args:
        shared: neighbours that nodes and training nodes share (m, t).
        degrees: neighbours of the nodes (m,).
        trained: neighbours of the training nodes (t,).
        classes: of the training nodes, a 1 in the column of each one's (t, C).
    """
    union = degrees[:, None] + trained[None] - shared
    alike = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    best = alike >= alike.max(1, keepdims=True) - 1e-12
    found: np.ndarray = best @ classes / best.sum(1, keepdims=True)
    return found
