"""Packed graphs and the nets that read them: batches are what
torch-geometric would collate, layers are its layers.
"""

import copy
import sys

import numpy as np
import pytest
import torch

from bench.training.gnn import GNN
from bench.training.graphs import Graphs


def odd_graphs():
    """A triangle, one node alone, a path given in both directions and
    twice, a graph without edges, a star.
    """
    none = np.zeros((2, 0), dtype=int)
    star = np.array([[0, 0, 0, 0], [1, 2, 3, 4]])
    path = np.array([[0, 1, 1, 0, 1], [1, 0, 2, 1, 2]])
    shapes = [(3, np.array([[0, 1, 2], [1, 2, 0]])), (1, none), (3, path), (4, none), (5, star)]
    generator = np.random.default_rng(0)
    return [(generator.standard_normal((n, 2)), edges) for n, edges in shapes]


@pytest.fixture
def packed():
    return Graphs.pack(odd_graphs())


def test_packing_stores_every_edge_once_in_each_direction(packed):
    assert len(packed) == 5
    assert packed.nodes.tolist() == [3, 1, 3, 4, 5]
    assert packed.sizes.tolist() == [6, 0, 4, 0, 8]
    path = packed.data()[2]
    assert sorted(map(tuple, path.edge_index.T.tolist())) == [(0, 1), (1, 0), (1, 2), (2, 1)]
    assert all(graph.is_undirected() for graph in packed.data())


@pytest.mark.parametrize(
    ("nodes", "edges", "words"),
    [
        (0, [[], []], "0 nodes"),
        (2, [[0], [2]], "between 0 and 2"),
        (2, [[-1], [1]], "between -1"),
        (2, [[1], [1]], "to itself"),
    ],
)
def test_a_graph_that_is_none_is_refused(nodes, edges, words):
    with pytest.raises(ValueError, match=words):
        Graphs.pack([(np.ones((nodes, 1)), np.array(edges))])


@pytest.mark.parametrize("size", [1, 2, 5, 9])
def test_batches_of_taken_graphs_are_what_torch_geometric_collates(packed, graph_library, size):
    rows = torch.tensor([4, 1, 0, 3, 2, 0, 4])
    taken, data = packed.take(rows), packed.data()
    parts = list(taken.batches(size))
    assert [part.size for part in parts] == [len(part) for part in rows.split(size)]
    for part, own in zip(parts, rows.split(size), strict=True):
        expected = graph_library.data.Batch.from_data_list([data[row] for row in own])
        assert torch.equal(part.x, expected.x)
        assert torch.equal(part.graph, expected.batch)
        assert torch.equal(part.edge_index, expected.edge_index)
        assert torch.equal(part.counts, expected.ptr.diff().float())


def test_sums_over_neighbours_and_pools_are_the_dense_products(packed):
    batch = packed.batch()
    n, x = len(batch.x), torch.randn(len(packed.x), 3)
    adjacency = torch.zeros(n, n)
    adjacency[batch.edge_index[1], batch.edge_index[0]] = 1
    membership = torch.zeros(5, n)
    membership[batch.graph, torch.arange(n)] = 1
    looped = adjacency + torch.eye(n)
    scale = looped.sum(1).rsqrt()
    for operator, dense in [
        (batch.neighbours(), adjacency),
        (batch.closed(), looped),
        (batch.normalised(), scale[:, None] * looped * scale),
        (batch.pool(), membership),
    ]:
        torch.testing.assert_close(operator @ x, dense @ x)
        x_of_graphs = torch.randn(dense.shape[0], 3)
        torch.testing.assert_close(operator.T @ x_of_graphs, dense.T @ x_of_graphs)


def test_an_operator_has_the_right_derivatives_both_ways_and_twice(packed):
    graphs = Graphs(packed.x.double(), packed.edges, packed.nodes, packed.degrees)
    batch = graphs.batch()
    x = torch.randn(len(batch.x), 2, dtype=torch.float64, requires_grad=True)
    for operator in (batch.neighbours(), batch.closed(), batch.normalised(), batch.pool()):
        assert torch.autograd.gradcheck(lambda x, operator=operator: (operator @ x).sin(), x)
        assert torch.autograd.gradgradcheck(lambda x, operator=operator: (operator @ x).sin(), x)


@pytest.mark.parametrize("backbone", ["gin", "gcn"])
def test_a_layer_is_torch_geometric_s(packed, graph_library, backbone):
    from torch_geometric.nn import GCNConv, GINConv

    batch = packed.batch()
    conv = GNN(2, 3, backbone=backbone, hidden=6).convs[0].eval()
    plain = GINConv(conv.nn) if backbone == "gin" else GCNConv(2, 6)
    plain.load_state_dict(conv.state_dict())
    torch.testing.assert_close(conv(batch.x, batch), plain.eval()(batch.x, batch.edge_index))


def test_building_a_net_makes_torch_geometric_generate_no_module(packed):
    for backbone in ("gin", "gcn"):
        GNN(2, 3, backbone=backbone, virtual_node=True)(packed.batch())
    assert [
        name for name in sys.modules if name.startswith("bench.training") and "propagate" in name
    ] == []


@pytest.mark.parametrize("backbone", ["gin", "gcn"])
@pytest.mark.parametrize("virtual_node", [False, True])
@pytest.mark.parametrize("readout", ["mean", "add"])
def test_a_net_judges_each_graph_by_itself_in_eval_mode(packed, backbone, virtual_node, readout):
    torch.manual_seed(0)
    net = GNN(2, 3, backbone=backbone, hidden=6, virtual_node=virtual_node, readout=readout)
    if virtual_node:
        torch.nn.init.normal_(net.virtual)
    for _ in range(3):
        net(packed.batch())
    net.eval()
    together = net(packed.batch())
    assert (together.logits.shape, together.z.shape, together.h.shape) == ((5, 3), (5, 6), (16, 6))
    for row in range(5):
        torch.testing.assert_close(
            net(packed.take(torch.tensor([row])).batch()).logits[0],
            together.logits[row],
            rtol=1e-4,
            atol=1e-5,
        )
    pooled = torch.zeros(5, 6).index_add_(0, packed.batch().graph, together.h)
    torch.testing.assert_close(
        together.z, pooled / packed.nodes[:, None] if readout == "mean" else pooled
    )


def test_a_virtual_node_lets_nodes_without_a_path_between_them_know_each_other(packed):
    torch.manual_seed(0)
    x = packed.x.clone()
    x[7 + 3] += 10  # the last of the four nodes without edges
    moved = Graphs(x, packed.edges, packed.nodes, packed.degrees)
    for virtual_node in (False, True):
        net = GNN(2, 3, hidden=6, virtual_node=virtual_node).eval()
        change = (net(packed.batch()).h - net(moved.batch()).h).abs().sum(1)
        assert bool(change[7:10].max() > 1e-6) == virtual_node
        assert change[:7].max() < 1e-6


def test_one_graph_and_graphs_of_one_node_train(packed):
    net = GNN(2, 3, hidden=6)
    for rows in ([2], [1, 1], [1, 3]):
        net.zero_grad()
        net(packed.take(torch.tensor(rows)).batch()).logits.sum().backward()
        assert all(parameter.grad.isfinite().all() for parameter in net.parameters())


def test_a_pass_forth_and_back_gives_the_same_bits_again(packed):
    torch.manual_seed(0)
    net = GNN(2, 3, hidden=32, virtual_node=True)
    graphs = packed.take(torch.randint(0, 5, (200,)))

    def gradients():
        twin = copy.deepcopy(net)
        twin(graphs.batch()).logits.square().sum().backward()
        return torch.cat([parameter.grad.flatten() for parameter in twin.parameters()])

    assert torch.equal(gradients(), gradients())
