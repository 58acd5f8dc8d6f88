"""Pictures of graphs and of what a method did with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import shortest_path

from bench.training.graphs import Graphs
from bench.training.pictures import curves, histograms
from bench.training.tiles import grid

TILE = 96
"""Pixels of the picture of one graph, each way."""
SHOWN = 6
"""Graphs shown of a split."""
_MOST_NODES = 150
"""Larger graphs are not drawn."""
_ROUNDS, _STARTS = 25, 8
_EDGE, _NODE, _MARKED = (170, 170, 170), (86, 180, 233), (213, 94, 0)


def layout(edges: np.ndarray, nodes: int) -> np.ndarray:
    """Return places of the nodes (n, 2) in [0, 1], whose distances are about the lengths of
    shortest paths, near nodes first.

    Classical scaling gives the starts; then the stress with weights 1 / length^2 goes down by
    majorisation (Gansner et al., 2004). Symmetric graphs have equal eigenvalues, whose vectors are
    any basis of their space, so what one start folds up another unfolds: the least stress is kept.
    """
    links = csr_matrix((np.ones(edges.shape[1]), (edges[0], edges[1])), (nodes, nodes))
    distance = shortest_path(links, directed=False, unweighted=True)
    reached = np.isfinite(distance)
    distance[~reached] = distance[reached].max(initial=0) + 1
    centring = np.eye(nodes) - 1 / nodes
    values, vectors = np.linalg.eigh(-0.5 * centring @ distance**2 @ centring)
    scaled = np.pad((vectors * np.sqrt(values.clip(0)))[:, ::-1], ((0, 0), (0, 4)))
    angle = 2 * np.pi * np.arange(_STARTS) / _STARTS
    turns = np.stack([np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle)], -1).reshape(
        -1, 2, 2
    )
    # (starts, n, 2): what two dimensions fold onto one place comes apart
    places = scaled[:, :2] + 0.3 * scaled[:, 2:4] @ turns
    weight = np.where(distance > 0, distance.clip(1) ** -2.0, 0.0)
    inverse = np.linalg.pinv(np.diag(weight.sum(1)) - weight)
    for _ in range(_ROUNDS):
        pull = weight * distance / _apart(places).clip(1e-6)
        places = inverse @ (pull.sum(-1, keepdims=True) * places - pull @ places)
    places = places[(weight * (_apart(places) - distance) ** 2).sum((1, 2)).argmin()]
    span = np.ptp(places, axis=0).max()
    return 0.5 + (places - (places.max(0) + places.min(0)) / 2) / (span or 1.0)


def _apart(places: np.ndarray) -> np.ndarray:
    """Return the distances (..., n, n) between places (..., n, 2)."""
    found: np.ndarray = np.linalg.norm(places[..., :, None, :] - places[..., None, :, :], axis=-1)
    return found


def drawn(edges: np.ndarray, nodes: int, marked: int = 0) -> np.ndarray:
    """Return a picture (96, 96, 3) uint8 of a graph whose first ``marked``
    nodes stand out; blank where it is too large to draw.
    """
    image = Image.new("RGB", (2 * TILE, 2 * TILE), (255, 255, 255))
    if nodes <= _MOST_NODES:
        draw = ImageDraw.Draw(image)
        places = 12 + layout(edges, nodes) * (2 * TILE - 24)
        for u, v in edges.T:
            inside = max(u, v) < marked
            draw.line(
                [tuple(places[u]), tuple(places[v])],
                fill=_MARKED if inside else _EDGE,
                width=4 if inside else 2,
            )
        for number, (across, down) in reversed(list(enumerate(places))):
            draw.ellipse(
                [across - 5, down - 5, across + 5, down + 5],
                fill=_MARKED if number < marked else _NODE,
            )
    return np.asarray(image.resize((TILE, TILE), Image.Resampling.BOX))


def examples(parts: dict[str, tuple[Graphs, Sequence[str]]], marked: int) -> np.ndarray:
    """Return a picture of the first graphs of each part, one part a row, with captions."""
    tiles, captions = [], []
    for name, (graphs, texts) in parts.items():
        for graph, text in zip(
            graphs.take(torch.arange(min(SHOWN, len(graphs)), device=graphs.nodes.device)).data(),
            texts,
            strict=False,
        ):
            tiles.append(drawn(graph.edge_index.cpu().numpy(), graph.num_nodes, marked))
            captions.append(f"{name}: {text}")
    return grid(np.stack(tiles), captions, columns=SHOWN, scale=1)


def progress(curve: Sequence[dict[str, Any]], unit: str) -> np.ndarray:
    """Return the validation scores over the epochs."""
    names = {"id_val": "ID validation", "ood_val": "OOD validation"}
    return curves(
        {
            title: [(entry["step"], entry.get(name)) for entry in curve]
            for name, title in names.items()
        },
        "",
        "epoch",
        unit,
    )


def weights(found: torch.Tensor, conflict: torch.Tensor | None) -> np.ndarray:
    """Return histograms of the weights of training graphs, of those that
    contradict the bias apart from the others.
    """
    if conflict is None:
        return histograms(
            {"training graphs": found.cpu()}, "Mean weight over a graph's visits", "weight"
        )
    return histograms(
        {"follow the bias": found[~conflict].cpu(), "contradict it": found[conflict].cpu()},
        "Mean weight over a graph's visits",
        "weight",
    )
