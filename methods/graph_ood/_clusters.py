"""Clusters of hidden variables whose correlation is the same in all graphs.

Shapes: G graphs, d hidden variables.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.cluster.hierarchy import fcluster, linkage

from bench.training.graphs import to_dense_batch

SMALLEST = 3
"""Graphs with fewer nodes have no correlation to speak of."""
_CONSTANT = 1e-5
"""A variable with a smaller standard deviation over the nodes of a graph
counts as constant there.
"""


def instability(h: torch.Tensor, graph: torch.Tensor, size: int) -> torch.Tensor:
    """Return Dis (d, d), the standard deviation over graphs of the correlation of two variables
    over the nodes of a graph.

    A graph in which one of the two is constant does not count for this pair, one with fewer than
    three nodes for none. A pair that fewer than two graphs speak for is as unstable as the worst
    one.

    Args:
        h: node embeddings (nodes, d).
        graph: number of each node's graph (nodes,), rising.
        size: G.
    """
    dense, real = to_dense_batch(h, graph, batch_size=size)
    counts = real.sum(1)
    dense, real, counts = (
        dense[counts >= SMALLEST],
        real[counts >= SMALLEST],
        counts[counts >= SMALLEST],
    )
    centred = (dense - dense.sum(1, keepdim=True) / counts[:, None, None]) * real[..., None]
    scale = (centred.square().sum(1) / counts[:, None]).sqrt()
    varies = scale > _CONSTANT
    unit = torch.where(varies, 1 / scale.clamp_min(_CONSTANT), 0.0)[:, None] * centred
    correlation = unit.mT @ unit / counts[:, None, None]
    speaks = (varies[:, :, None] & varies[:, None, :]).to(h.dtype)
    total = speaks.sum(0)
    mean = correlation.sum(0) / total.clamp_min(1)
    spread = ((correlation - mean).square() * speaks).sum(0) / (total - 1).clamp_min(1)
    found = spread.sqrt()
    return torch.where(total >= 2, found, found.max() if len(counts) else 0.0)


def clusters(instability: torch.Tensor, count: int) -> torch.Tensor:
    """Return the cluster of each variable (d,), int64: average linkage on
    the instabilities (d, d), at most ``count`` clusters.
    """
    distance = instability.double().cpu().numpy()
    distance = (distance + distance.T) / 2
    upper = distance[np.triu_indices(len(distance), 1)]
    if not len(upper):
        return torch.zeros(len(distance), dtype=torch.int64, device=instability.device)
    found = fcluster(linkage(upper, method="average"), count, criterion="maxclust")
    return torch.from_numpy(found.astype(np.int64) - 1).to(instability.device)
