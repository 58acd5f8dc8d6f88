"""Clusters of variables: what is stable stays together, and odd graphs do no harm."""

import numpy as np
import pytest
import torch
from bench.builtin.methods.graph_ood._clusters import clusters, instability


def planted(graphs=60, seed=0):
    """Variables 0-2 and 3-5 are tied within, in every graph alike; how the
    two groups go together differs from graph to graph.
    """
    generator = np.random.default_rng(seed)
    parts, numbers = [], []
    for g in range(graphs):
        n = int(generator.integers(6, 20))
        first = generator.standard_normal((n, 1))
        second = first * generator.choice([-1, 1]) + 0.1 * generator.standard_normal((n, 1))
        parts.append(
            np.concatenate([first.repeat(3, 1), second.repeat(3, 1)], 1)
            + 0.3 * generator.standard_normal((n, 6))
        )
        numbers.append(np.full(n, g))
    return torch.tensor(np.concatenate(parts), dtype=torch.float32), torch.from_numpy(
        np.concatenate(numbers)
    )


def slow(h, graph, size):
    """The same by NumPy, a graph and a pair at a time."""
    d = h.shape[1]
    found = np.full((d, d), np.nan)
    for i in range(d):
        for j in range(d):
            values = []
            for g in range(size):
                a, b = (h[graph == g][:, k].double().numpy() for k in (i, j))
                if len(a) >= 3 and a.std() > 1e-5 and b.std() > 1e-5:
                    values.append(np.corrcoef(a, b)[0, 1])
            if len(values) >= 2:
                found[i, j] = np.std(values, ddof=1)
    return found


def test_the_batched_instability_is_the_loop_over_graphs_and_pairs():
    h, graph = planted(12)
    np.testing.assert_allclose(instability(h, graph, 12).numpy(), slow(h, graph, 12), atol=2e-4)


def test_planted_blocks_are_recovered():
    h, graph = planted()
    found = clusters(instability(h, graph, 60), 2)
    assert found[:3].unique().numel() == found[3:].unique().numel() == 1
    assert found[0] != found[3]


def test_a_constant_variable_and_graphs_of_one_node_leave_no_nan():
    h, graph = planted(10)
    h[:, 2] = 1.0
    h[graph == 3, 1] = 5.0
    h, graph = torch.cat([h, torch.randn(3, 6)]), torch.cat([graph, torch.tensor([10, 11, 11])])
    found = instability(h, graph, 12)
    assert found.isfinite().all()
    expected = slow(h, graph, 12)
    np.testing.assert_allclose(
        found.numpy()[~np.isnan(expected)], expected[~np.isnan(expected)], atol=2e-4
    )
    assert clusters(found, 3).max() <= 2


@pytest.mark.parametrize("graph", [[0, 1, 2], [0, 0, 1]])
def test_graphs_too_small_to_correlate_give_clusters_all_the_same(graph):
    found = instability(torch.randn(3, 4), torch.tensor(graph), 3)
    assert found.equal(torch.zeros(4, 4))
    assert len(clusters(found, 2)) == 4


def test_there_are_at_most_as_many_clusters_as_asked_for():
    h, graph = planted()
    for count in (1, 2, 4, 6, 50):
        assert int(clusters(instability(h, graph, 60), count).max()) + 1 <= count
    assert clusters(torch.zeros(1, 1), 8).tolist() == [0]
