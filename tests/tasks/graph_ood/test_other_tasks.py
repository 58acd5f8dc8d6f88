"""Triangles, wheels and stars: counted and built as stated."""

import numpy as np
import pytest
import torch
from bench.builtin.tasks.graph_ood._shapes import attached
from bench.builtin.tasks.graph_ood.ba_size import BaSize, grown
from bench.builtin.tasks.graph_ood.triangles import Triangles, draw_triangles
from bench.builtin.tasks.graph_ood.wheel_star import WheelStar


def slow_count(graph):
    """Triangles by looking at every three nodes' edges."""
    near = [
        set(graph.edge_index[1][graph.edge_index[0] == v].tolist()) for v in range(graph.num_nodes)
    ]
    return sum(len(near[u] & near[v]) for u, v in graph.edge_index.T.tolist() if u < v) // 3


@pytest.mark.parametrize("size", [(4, 25), (26, 100)])
def test_each_number_of_triangles_is_as_frequent_and_right(size):
    graphs, y = draw_triangles(3, size, np.random.default_rng(0))
    assert y.bincount().tolist() == [3] * 10
    assert [slow_count(graph) - 1 for graph in graphs.data()] == y.tolist()
    assert size[0] <= graphs.nodes.min() <= graphs.nodes.max() <= size[1]
    edges = graphs.sizes // 2
    assert (edges >= graphs.nodes.minimum(graphs.nodes * (graphs.nodes - 1) // 2)).all()
    assert (edges < 2 * graphs.nodes).all()


def test_the_triangle_task_grows_out_of_distribution_and_sums_over_nodes(bench):
    tools = bench(Triangles(per_class=6))
    splits = tools.case.hidden.splits
    assert [
        len(splits[name].y) for name in ("train", "id_val", "id_test", "ood_val", "ood_test")
    ] == [60, 20, 40, 20, 40]
    assert splits["train"].graphs.nodes.max() <= 25 < splits["ood_val"].graphs.nodes.min()
    assert tools.case.problems[0].readout == "add"


def test_attachment_prefers_nodes_with_many_edges():
    edges = attached(200, 2, np.random.default_rng(0))
    degrees = np.bincount(edges.flatten())
    assert edges.shape == (2, 2 * 198)
    assert len(set(map(tuple, edges.T.tolist()))) == edges.shape[1]
    assert degrees[:20].mean() > 3 * degrees[-100:].mean()


def test_a_wheel_stands_in_every_graph_with_the_label_and_a_star_as_often_as_stated(bench):
    task = WheelStar(rate=0.9, per_class=300)
    splits = bench(task).case.hidden.splits
    for name, split in splits.items():
        label, starred = split.group // 2, split.group % 2
        assert label.double().mean() == 0.5
        expected = 0.9 if name in ("train", "id_val", "id_test") else 0.5
        assert (
            abs((label == starred).double().mean() - expected)
            < 3 * (expected * (1 - expected) / len(label)) ** 0.5
        )
        assert torch.equal(split.conflict, label != starred)
        wrong = (split.y != label).double().mean()
        assert (
            wrong == 0 if "test" in name else abs(wrong - 0.05) < 3 * (0.0475 / len(label)) ** 0.5
        )
        extra = split.graphs.nodes - 6 * (1 + starred)
        assert 15 <= extra.min() <= extra.max() <= 25
        # 2 (n - 2) edges of the base, 10 of a wheel or 7 of a decoy, 5 of a star, one to hold each
        assert torch.equal(split.graphs.sizes // 2, 2 * (extra - 2) + 8 + 3 * label + 6 * starred)


def test_the_kinds_of_random_graph_have_as_many_edges_and_are_what_they_are_called():
    generator = np.random.default_rng(0)
    for nodes in (10, 11, 30, 120):
        for kind in range(3):
            _, edges = grown(kind, nodes, generator)
            pairs = {tuple(sorted(pair)) for pair in edges.T.tolist()}
            assert len(pairs) == edges.shape[1] == 2 * (nodes - 2)
            if kind == 2:
                assert {tuple(sorted((v, (v + 1) % nodes))) for v in range(nodes)} <= pairs


def test_ba_size_grows_out_of_distribution_with_each_kind_as_often(bench):
    splits = bench(BaSize(per_class=6)).case.hidden.splits
    assert [split.y.bincount().tolist() for split in splits.values()] == [
        [6] * 3,
        [2] * 3,
        [4] * 3,
        [2] * 3,
        [4] * 3,
    ]
    assert splits["train"].graphs.nodes.max() <= 30 < splits["ood_val"].graphs.nodes.min()
    assert splits["ood_val"].graphs.nodes.max() <= 59 < splits["ood_test"].graphs.nodes.min()
