"""Edges with weights and parts of graphs, against dense matrices and loops; with everything kept at
weight 1, DIR, GSAT and CIGA are the baseline.
"""

import copy

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.graph_ood._rationales import (
    part,
    reverse,
    strongest,
    untracked,
    weighted,
)
from bench.builtin.methods.graph_ood.ciga import CausalInvariance
from bench.builtin.methods.graph_ood.dir import InvariantRationales
from bench.builtin.methods.graph_ood.erm import EmpiricalRisk
from bench.builtin.methods.graph_ood.gsat import StochasticAttention

from bench.tracks.graph_ood import Training, graph_losses
from bench.training.gnn import GNN
from bench.training.graphs import Graphs

SURE = 40.0
"""A score whose sigmoid is 1 in single precision."""


@pytest.fixture
def batch(graphs_of):
    return graphs_of(12).batch()


def chains(count):
    """Chains with chords, in which every node has an edge."""
    generator = np.random.default_rng(1)

    def one():
        n = int(generator.integers(2, 10))
        chain, chords = np.arange(n - 1), generator.integers(0, n, (2, 3))
        edges = np.concatenate([[chain, chain + 1], chords[:, chords[0] != chords[1]]], 1)
        return generator.standard_normal((n, 3)), edges

    return Graphs.pack([one() for _ in range(count)])


def one_for_both(batch, values):
    """The same figure for both directions of each edge."""
    first, second = batch.edge_index
    low, high = torch.minimum(first, second), torch.maximum(first, second)
    return values[(low * len(batch.x) + high).unique(return_inverse=True)[1]]


def test_reverse_names_the_other_direction_of_each_edge(batch):
    assert torch.equal(batch.edge_index[:, reverse(batch)], batch.edge_index.flip(0))


@pytest.mark.parametrize("operator", ["closed", "normalised"])
def test_weighted_messages_and_their_slopes_are_those_of_a_dense_matrix(batch, operator):
    n = len(batch.x)
    values = torch.rand(batch.edge_index.shape[1], requires_grad=True)
    x = torch.randn(n, 4, requires_grad=True)
    pull = torch.randn(n, 4)
    found = getattr(weighted(batch, one_for_both(batch, values)), operator)() @ x
    slopes = torch.autograd.grad((found * pull).sum(), [x, values])
    dense = torch.zeros(n, n).index_put(tuple(batch.edge_index), one_for_both(batch, values))
    if operator == "closed":
        dense = dense + torch.eye(n)
    else:
        scale = ((dense != 0).sum(1) + 1.0).rsqrt()
        dense = scale[:, None] * (dense + torch.eye(n)) * scale
    torch.testing.assert_close(found, dense @ x)
    expected = torch.autograd.grad((dense @ x * pull).sum(), [x, values])
    for ours, plain in zip(slopes, expected, strict=True):
        torch.testing.assert_close(ours, plain)


@pytest.mark.parametrize("ratio", [0.25, 0.7, 1.0])
def test_the_strongest_edges_are_the_first_of_each_graph_when_sorted(batch, ratio):
    first, second = batch.edge_index.tolist()
    score = one_for_both(batch, torch.randn(len(first)))
    kept = strongest(score, batch, reverse(batch), ratio)
    for graph in range(batch.size):
        mine = [
            (float(score[e]), e)
            for e in range(len(first))
            if first[e] < second[e] and int(batch.graph[first[e]]) == graph
        ]
        count = -(-round(100 * ratio) * len(mine) // 100)
        expected = {e for _, e in sorted(mine, reverse=True)[:count]}
        assert {e for _, e in mine if kept[e]} == expected
    assert torch.equal(kept, kept[reverse(batch)])


def test_a_part_holds_the_kept_edges_and_their_ends_or_a_graph_s_nodes_where_none_is_kept(batch):
    first, second = batch.edge_index.tolist()
    kept = one_for_both(batch, torch.rand(len(first))) < 0.3
    weights = one_for_both(batch, torch.rand(len(first)))
    found = part(batch, weights, kept)
    nodes = {first[e] for e in range(len(first)) if kept[e]}
    filled = {int(batch.graph[node]) for node in nodes}
    nodes |= {node for node in range(len(batch.x)) if int(batch.graph[node]) not in filled}
    order = sorted(nodes)
    assert len(filled) < batch.size
    assert torch.equal(found.x, batch.x[order])
    assert torch.equal(found.graph, batch.graph[order])
    assert found.counts.tolist() == [
        sum(int(batch.graph[node]) == graph for node in order) for graph in range(batch.size)
    ]
    ends = [(order[a], order[b]) for a, b in found.edge_index.T.tolist()]
    assert dict(zip(ends, found.weights.tolist(), strict=True)) == {
        (first[e], second[e]): float(weights[e]) for e in range(len(first)) if kept[e]
    }


@pytest.mark.parametrize("protocol", [{}, {"backbone": "gcn", "virtual_node": True}])
def test_a_net_says_the_same_of_edges_of_weight_one(protocol):
    batch, net = chains(12).batch(), GNN(3, 2, hidden=8, **protocol).eval()
    ones = torch.ones(batch.edge_index.shape[1])
    for same in (weighted(batch, ones), part(batch, ones, ones > 0)):
        torch.testing.assert_close(net(same).logits, net(batch).logits)


def test_an_untracked_pass_leaves_the_statistics_of_batch_norm_alone(batch):
    net = GNN(3, 2, hidden=8)
    before = {name: value.clone() for name, value in net.named_buffers()}
    with untracked(net):
        net(batch)
    for name, value in net.named_buffers():
        if "running" in name:
            assert torch.equal(value, before[name])
    net(batch)
    assert not torch.equal(net.norms[0].running_mean, before["norms.0.running_mean"])


@pytest.mark.parametrize("kind", ["classes", "binary", "numbers"])
@pytest.mark.parametrize(
    "method",
    [
        InvariantRationales(ratio=1.0, alpha=0.0),
        CausalInvariance(ratio=1.0, contrast=0.0, hinge=0.0),
        StochasticAttention(info=0.0),
    ],
    ids=lambda method: method.card.name,
)
def test_with_all_edges_at_weight_one_the_net_learns_as_the_baseline_does(
    toy, run_of, method, kind
):
    problem = msgspec.structs.replace(toy(kind=kind), graphs=chains(70))
    training, plain = (Training(problem, run_of()) for _ in range(2))
    batch = next(training.epoch(3))
    state = method.start(training)
    net = plain.net
    model = training.net
    last = model.last if isinstance(method, StochasticAttention) else model.scores.layers[-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.fill_(SURE)
    method.loss(state, batch, model).backward()
    EmpiricalRisk().loss(None, batch, net).backward()
    for ours, expected in zip(model.net.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, expected.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "method",
    [InvariantRationales(), CausalInvariance(), StochasticAttention()],
    ids=lambda method: method.card.name,
)
@pytest.mark.parametrize("count", [1, 30])
def test_graphs_without_edges_and_single_graphs_train(toy, run_of, method, count):
    problem = toy(count=count, epochs=2)
    model = method.solve(problem, run_of()).model
    assert all(value.isfinite().all() for value in model.parameters())
    with torch.no_grad():
        again = [copy.deepcopy(model).eval()(problem.graphs.batch()).logits for _ in range(2)]
    assert torch.equal(*again)  # in use nothing is drawn
    assert graph_losses(again[0], problem.y).isfinite().all()
