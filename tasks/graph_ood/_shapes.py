"""Graphs made of a base and a motif, drawn with NumPy.

The motif says the label; the base goes with it, more or less.

Edges are given once, as (2, E) arrays. Nodes 0 to 4 are the motif's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.random import Generator

from bench.training.graphs import Graphs

MOTIF_NODES = 5
_RING = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]
_SQUARE = [(1, 2), (2, 3), (3, 4), (4, 1)]

SPURIOUS_MOTIFS = {
    "cycle": _RING,
    "house": [*_SQUARE, (0, 1), (0, 4)],
    "crane": [*_RING, (0, 2), (0, 3)],
}
"""The three motifs of Spurious-Motif. Source: arXiv:2201.12872, Wuyxin/DIR-GNN, spmotif_gen."""

GOOD_MOTIFS = {
    "house": SPURIOUS_MOTIFS["house"],
    "cycle": _RING,
    "crane": [*_SQUARE, (0, 1), (0, 3)],
}
"""The three motifs of GOOD-Motif. Source: arXiv:2206.08452, divelab/GOOD."""


def tree(arity: int, height: int) -> np.ndarray:
    """Return a balanced tree: every inner node has ``arity`` children;
    height 0 is one node and no edge.
    """
    nodes = sum(arity**level for level in range(height + 1))
    child = np.arange(1, nodes)
    return np.stack([(child - 1) // arity, child])


def ladder(width: int) -> np.ndarray:
    """Return two paths of ``width`` nodes and their rungs: 2 width nodes, 3 width - 2 edges."""
    step = np.arange(width - 1)
    rung = np.arange(width)
    return np.concatenate(
        [
            np.stack([step, step + 1]),
            np.stack([step + width, step + width + 1]),
            np.stack([rung, rung + width]),
        ],
        1,
    )


def wheel(nodes: int) -> np.ndarray:
    """Return a hub (node 0) and a ring of ``nodes`` - 1 around it: 2 (nodes - 1) edges."""
    ring = np.arange(1, nodes)
    return np.concatenate(
        [np.stack([np.zeros_like(ring), ring]), np.stack([ring, np.roll(ring, -1)])], 1
    )


def star(nodes: int) -> np.ndarray:
    """Return a hub (node 0) and ``nodes`` - 1 leaves."""
    leaf = np.arange(1, nodes)
    return np.stack([np.zeros_like(leaf), leaf])


def path(nodes: int) -> np.ndarray:
    """Return ``nodes`` nodes in a row."""
    step = np.arange(nodes - 1)
    return np.stack([step, step + 1])


def attached(nodes: int, links: int, generator: Generator) -> np.ndarray:
    """Return the edges of a Barabasi-Albert graph: each new node takes ``links`` different earlier
    ones, likelier those with many edges.
    """
    ends = list(range(links))
    edges = []
    for node in range(links, nodes):
        chosen: set[int] = set()
        while len(chosen) < links:
            chosen.add(ends[int(generator.integers(len(ends)))])
        for other in sorted(chosen):
            edges.append((other, node))
            ends += [other, node]
    return np.array(edges).T


Base = Callable[[Generator], np.ndarray]
"""Draws the edges of a base, whose nodes count from 0."""

SMALL: tuple[Base, ...] = (
    lambda g: tree(int(g.integers(2, 4)), int(g.integers(0, 3))),
    lambda g: ladder(int(g.integers(8, 12))),
    lambda g: wheel(int(g.integers(15, 20))),
)
LARGE: tuple[Base, ...] = (
    lambda g: tree(int(g.integers(2, 4)), int(g.integers(3, 6))),
    lambda g: ladder(int(g.integers(30, 50))),
    lambda g: wheel(int(g.integers(60, 80))),
)
"""Tree, ladder and wheel in the two sizes of Spurious-Motif."""


def about(nodes: int) -> tuple[Base, ...]:
    """Return wheel, tree, ladder, star and path of about ``nodes`` nodes, give or take 5 and at
    least 4; the tree is binary and full.
    """

    def size(g: Generator) -> int:
        return max(4, int(g.integers(nodes - 5, nodes + 6)))

    return (
        lambda g: wheel(size(g)),
        lambda g: tree(2, int(np.log2(size(g) + 1)) - 1),
        lambda g: ladder(size(g) // 2),
        lambda g: star(size(g)),
        lambda g: path(size(g)),
    )


class Drawn(msgspec.Struct, frozen=True):
    """Graphs with what is known of each.

    Attributes:
        graphs: the G graphs.
        given: labels as given (G,), int64.
        motif: the true label (G,).
        base: number of the base (G,).
    """

    graphs: Graphs
    given: np.ndarray
    motif: np.ndarray
    base: np.ndarray


def draw(
    generator: Generator,
    motifs: Sequence[Sequence[tuple[int, int]]],
    bases: Sequence[Base],
    motif: np.ndarray,
    base: np.ndarray,
    *,
    perturb: float = 0.0,
    label_noise: float = 0.0,
    random_features: bool = False,
) -> Drawn:
    """Draw one graph for each pair of ``motif`` and ``base`` (G,).

    Args:
        generator: draws everything.
        motifs: edges of the motifs.
        bases: how each base is drawn.
        motif: numbers of the motifs; the true labels.
        base: numbers of the bases.
        perturb: edges added at random, as a share of the graph's own; at least one end of each is a
            base node.
        label_noise: share of given labels that are drawn anew from all.
        random_features: four uniform numbers a node instead of the constant 1; neither says
            anything.
    """
    shapes = [np.array(shape, dtype=np.int64).T for shape in motifs]
    graphs = []
    for label, kind in zip(motif, base, strict=True):
        below = bases[kind](generator)
        nodes = MOTIF_NODES + int(below.max(initial=0)) + 1
        joint = np.array([[0], [generator.integers(MOTIF_NODES, nodes)]])
        edges = np.concatenate([shapes[label], below + MOTIF_NODES, joint], 1)
        if perturb:
            edges = _perturbed(edges, nodes, int(perturb * edges.shape[1]), generator)
        graphs.append(
            (generator.random((nodes, 4)) if random_features else np.ones((nodes, 1)), edges)
        )
    redrawn = generator.random(len(motif)) < label_noise
    given = np.where(redrawn, generator.integers(0, len(motifs), len(motif)), motif)
    return Drawn(
        Graphs.pack(graphs), given.astype(np.int64), motif.astype(np.int64), base.astype(np.int64)
    )


def _perturbed(edges: np.ndarray, nodes: int, count: int, generator: Generator) -> np.ndarray:
    """Add ``count`` new edges, each with an end in the base; fewer where
    no place is left after many tries.
    """
    known = {(min(pair), max(pair)) for pair in edges.T.tolist()}
    before = len(known)
    for _ in range(50 * count):
        if len(known) == before + count:
            break
        u, v = int(generator.integers(MOTIF_NODES, nodes)), int(generator.integers(0, nodes))
        if u != v:
            known.add((min(u, v), max(u, v)))
    return np.array(sorted(known), dtype=np.int64).T


def balanced(count: int, classes: int, generator: Generator) -> np.ndarray:
    """Return ``count`` labels, each class as often as the others (give or
    take one), in random order.
    """
    return generator.permutation(np.arange(count) % classes)


def biased(motif: np.ndarray, bases: int, bias: float, generator: Generator) -> np.ndarray:
    """Return a base for each motif: its namesake with probability
    ``bias``, each other one with (1 - bias) / (bases - 1).
    """
    other = (motif + generator.integers(1, bases, len(motif))) % bases
    return np.where(generator.random(len(motif)) < bias, motif, other)
