"""A small drawing of a graph with its errors."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, shortest_path

from bench.training.canvas import GRID, INK, PALETTE, SOFT, WHITE, font

SIDE, MARGIN, SHARP = 440, 26, 2
"""Pixels of the picture each way, those left free at its edge, and how much larger it is drawn."""
NODES = 90
"""Nodes shown: those nearest the one that the picture is centred on."""
_ROUNDS = 60


def neighbourhood(
    edges: np.ndarray, y: np.ndarray, said: np.ndarray, test: np.ndarray
) -> np.ndarray:
    """Draw the nodes around a wrong test node: the fill is the true class, a filled square is a
    test node, a cross an error.

    Args:
        edges: (2, E), both directions.
        y: true labels (n,), -1 where there is none.
        said: predicted labels (n,).
        test: which nodes are test nodes (n,), bool.

    Returns:
        uint8 (SIDE, SIDE, 3).
    """
    links = csr_matrix((np.ones(edges.shape[1]), (edges[1], edges[0])), (len(y), len(y)))
    wrong = test & (said != y)
    degree = np.asarray(links.sum(1)).ravel()
    start = int(np.argmax(wrong * (1 + degree) + 0.5 * (degree > 0)))
    shown = breadth_first_order(links, start, return_predecessors=False)[:NODES]
    own = links[shown][:, shown]
    places = MARGIN + (SIDE - 2 * MARGIN) * _layout(own)
    image = Image.new("RGB", (SIDE * SHARP, SIDE * SHARP), WHITE)
    pen = ImageDraw.Draw(image)
    first, second = own.nonzero()
    for i, j in zip(first.tolist(), second.tolist(), strict=True):
        if i < j:
            pen.line([*(places[i] * SHARP), *(places[j] * SHARP)], fill=GRID, width=SHARP)
    for place, node in zip(places * SHARP, shown.tolist(), strict=True):
        fill = PALETTE[y[node] % len(PALETTE)] if y[node] >= 0 else SOFT
        _node(pen, place, fill, bool(test[node]), bool(wrong[node]))
    return np.asarray(_captioned(image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)))


def _node(
    pen: ImageDraw.ImageDraw, place: np.ndarray, fill: tuple[int, int, int], test: bool, bad: bool
) -> None:
    size = 5 * SHARP
    box = [*(place - size), *(place + size)]
    if test:
        pen.rectangle(box, fill=fill)
    else:
        pen.ellipse(box, fill=fill)
    if bad:
        out = size + 2 * SHARP
        for turn in (1, -1):
            line = [place[0] - out, place[1] - turn * out, place[0] + out, place[1] + turn * out]
            pen.line(line, fill=INK, width=2 * SHARP)


def _captioned(image: Image.Image) -> Image.Image:
    text = "colour: true class; square: test node; cross: error"
    ImageDraw.Draw(image).text((8, SIDE - 18), text, fill=INK, font=font(12))
    return image


def _layout(links: csr_matrix) -> np.ndarray:
    """Return places (m, 2) in [0, 1] whose distances are about the lengths of shortest paths:
    classical scaling, then majorisation of the stress with weights 1 / length^2.
    """
    distance = shortest_path(links, directed=False, unweighted=True)
    distance[~np.isfinite(distance)] = distance[np.isfinite(distance)].max(initial=0) + 1
    m = len(distance)
    if m == 1:
        return np.full((1, 2), 0.5)
    centring = np.eye(m) - 1 / m
    values, vectors = np.linalg.eigh(-0.5 * centring @ distance**2 @ centring)
    places = (vectors * np.sqrt(values.clip(0)))[:, ::-1][:, :2]
    places = np.pad(places, ((0, 0), (0, 2 - places.shape[1])))
    weight = np.where(distance > 0, distance.clip(1) ** -2.0, 0.0)
    inverse = np.linalg.pinv(np.diag(weight.sum(1)) - weight)
    for _ in range(_ROUNDS):
        apart = np.linalg.norm(places[:, None] - places[None], axis=-1).clip(1e-6)
        pull = weight * distance / apart
        places = inverse @ (pull.sum(1, keepdims=True) * places - pull @ places)
    low, span = places.min(0), np.ptp(places, axis=0).max() or 1.0
    return (places - low) / span + (1 - np.ptp(places, axis=0) / span) / 2
