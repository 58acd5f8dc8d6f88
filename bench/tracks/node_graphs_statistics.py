"""What is said of a graph with labels on its nodes: homophily in three ways, and leakage.

Shapes: n nodes, E stored directions of edges (both of each edge), C classes.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch

__all__ = ["adjusted_homophily", "edge_homophily", "label_informativeness", "leak", "twins"]


def edge_homophily(edges: torch.Tensor, y: torch.Tensor) -> float:
    """Return the share of the edges (2, E) whose ends have the same of the labels (n,); NaN where
    there is no edge.
    """
    return float((y[edges[0]] == y[edges[1]]).float().mean())


def adjusted_homophily(edges: torch.Tensor, y: torch.Tensor) -> float:
    """Return the edge homophily above what the classes' degrees alone give, as a share of what is
    left to 1: (h - sum_c p_c^2) / (1 - sum_c p_c^2), p_c the share of ends in class c.

    It is 0 in the mean where edges know nothing of labels, and NaN where all ends are of one class.

    Args:
        edges: (2, E), both directions.
        y: labels (n,).

    Source:
        arXiv:2209.06177, definition of adjusted homophily.
    """
    ends = y[edges[1]].bincount().double() / edges.shape[1]
    expected = float(ends.square().sum())
    return (edge_homophily(edges, y) - expected) / (1 - expected) if expected < 1 else float("nan")


def label_informativeness(edges: torch.Tensor, y: torch.Tensor) -> float:
    """Return what the class of an edge's end says of the class of its other end, as a share of
    that class's entropy: 2 - H(c1, c2) / H(c), in [0, 1].

    NaN where all ends are of one class.

    Args:
        edges: (2, E), both directions.
        y: labels (n,), from 0.

    Source:
        arXiv:2209.06177, label informativeness by edges.
    """
    classes = int(y.max()) + 1
    pairs = (y[edges[0]] * classes + y[edges[1]]).bincount(minlength=classes**2).double()
    both = pairs / edges.shape[1]
    own = both.view(classes, classes).sum(0)
    entropy = float(torch.special.entr(own).sum())
    return 2 - float(torch.special.entr(both).sum()) / entropy if entropy > 0 else float("nan")


def twins(edges: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the number of each node's group of twins (n,), int64; -1 where it has none.

    Twins have the same label and the same neighbours, at least one. Neighbours of a node are the
    first ends of the edges whose second end it is: where edges have a direction, give each once,
    from a node's neighbour to the node.

    Args:
        edges: (2, E).
        y: labels (n,).
    """
    n = len(y)
    first, second = (part.cpu().numpy() for part in edges)
    order = np.lexsort((first, second))
    lists = np.split(first[order], np.bincount(second, minlength=n).cumsum()[:-1])
    seen: dict[bytes, list[int]] = {}
    for node, (label, mine) in enumerate(zip(y.tolist(), lists, strict=True)):
        if len(mine):
            text = np.append(mine.astype(np.int64), label).tobytes()
            seen.setdefault(hashlib.blake2b(text, digest_size=16).digest(), []).append(node)
    found = torch.full((n,), -1, dtype=torch.int64)
    for number, group in enumerate(group for group in seen.values() if len(group) > 1):
        found[group] = number
    return found


def leak(edges: torch.Tensor, y: torch.Tensor, train: torch.Tensor, test: torch.Tensor) -> float:
    """Return the share of the test nodes that have a twin among the training nodes, in percent.

    Args:
        edges: (2, E), as :func:`twins` reads them.
        y: labels of all nodes (n,).
        train: which nodes are trained on (n,), bool.
        test: which nodes are judged (n,), bool.
    """
    group = twins(edges, y)
    train, test = train.cpu(), test.cpu()
    leaked = torch.isin(group, group[train & (group >= 0)]) & (group >= 0)
    return 100 * float(leaked[test].float().mean())
