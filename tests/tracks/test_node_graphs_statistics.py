"""What is said of a graph with labels: homophily in three ways, twins, leakage."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from node_small import joined

from bench.tracks.node_graphs import (
    adjusted_homophily,
    edge_homophily,
    label_informativeness,
    leak,
    twins,
)


def drawn(seed, nodes, edges, keep):
    generator = np.random.default_rng(seed)
    y = generator.integers(4, size=nodes)
    pairs = generator.integers(nodes, size=(2, edges))
    return joined(pairs[:, keep(y[pairs[0]], y[pairs[1]])], nodes), torch.from_numpy(y)


def test_edges_within_classes_alone_are_homophily_one_in_every_way():
    edges, y = drawn(0, 200, 4000, lambda a, b: a == b)
    assert edge_homophily(edges, y) == 1
    assert adjusted_homophily(edges, y) == pytest.approx(1)
    assert label_informativeness(edges, y) == pytest.approx(1)


def test_edges_that_know_nothing_of_labels_have_adjusted_homophily_and_informativeness_zero():
    edges, y = drawn(1, 1000, 30_000, lambda a, b: a == a)
    assert edge_homophily(edges, y) == pytest.approx(0.25, abs=0.03)
    assert adjusted_homophily(edges, y) == pytest.approx(0, abs=0.03)
    assert label_informativeness(edges, y) == pytest.approx(0, abs=0.01)


def test_a_neighbours_class_that_follows_from_the_own_class_is_informativeness_one():
    edges, y = drawn(2, 200, 4000, lambda a, b: a == (b ^ 1))
    assert edge_homophily(edges, y) == 0
    assert label_informativeness(edges, y) == pytest.approx(1)
    assert adjusted_homophily(edges, y) < 0


def test_the_three_figures_of_a_path_are_those_computed_by_hand():
    # 0 - 1 - 2, classes 0 0 1: ends are 0 0 0 1, pairs (0,0) 2/4, (0,1) 1/4, (1,0) 1/4
    edges, y = joined([[0, 1], [1, 2]], 3), torch.tensor([0, 0, 1])
    assert edge_homophily(edges, y) == 0.5
    expected = (3 / 4) ** 2 + (1 / 4) ** 2
    assert adjusted_homophily(edges, y) == pytest.approx((0.5 - expected) / (1 - expected))
    pairs = -0.5 * np.log(0.5) - 2 * 0.25 * np.log(0.25)
    own = -0.75 * np.log(0.75) - 0.25 * np.log(0.25)
    assert label_informativeness(edges, y) == pytest.approx(2 - pairs / own)


# 0 and 1 have the neighbours 2 and 3, like 4, whose label differs; 5 has no neighbour, nor has 6
HAND = joined([[0, 0, 1, 1, 4, 4], [2, 3, 2, 3, 2, 3]], 7)
LABELS = torch.tensor([0, 0, 1, 2, 1, 0, 0])


def test_twins_share_label_and_neighbours_and_nodes_without_neighbours_are_none():
    assert twins(HAND, LABELS).tolist() == [0, 0, -1, -1, -1, -1, -1]


def test_the_leak_of_a_graph_made_by_hand_is_the_share_of_test_nodes_with_a_twin_in_training():
    train = torch.tensor([True, False, False, False, False, True, False])
    test = torch.tensor([False, True, True, False, True, False, True])
    assert leak(HAND, LABELS, train, test) == 25.0
    assert leak(HAND, LABELS, test, train) == 50.0
    # twins within the test nodes do not leak
    assert leak(HAND, LABELS, ~test & ~train, test | train) == 0.0


def test_twins_are_counted_by_the_direction_of_edges_where_they_have_one():
    # 0 and 1 point at 2; 3 points at 1 alone, so that undirected lists differ
    arcs, y = torch.tensor([[0, 1, 3], [2, 2, 1]]), torch.zeros(4, dtype=torch.int64)
    assert twins(arcs.flip(0), y).tolist() == [0, 0, -1, -1]
    assert twins(joined(arcs, 4), y).tolist() == [-1, -1, -1, -1]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 9), st.integers(1, 14))
def test_twins_are_what_comparing_all_pairs_of_nodes_finds(seed, nodes, edges):
    generator = np.random.default_rng(seed)
    pairs = generator.integers(nodes, size=(2, edges))
    ends, y = joined(pairs, nodes), torch.from_numpy(generator.integers(2, size=nodes))
    near = [set(ends[0][ends[1] == node].tolist()) for node in range(nodes)]
    alike = [
        [
            a != b and bool(near[a]) and near[a] == near[b] and bool(y[a] == y[b])
            for b in range(nodes)
        ]
        for a in range(nodes)
    ]
    group = twins(ends, y)
    same = (group[:, None] == group[None]) & (group >= 0) & ~torch.eye(nodes, dtype=torch.bool)
    assert same.tolist() == alike
