"""The methods: their formulas against plain ones, what they ignore, limits where they coincide."""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.node_graphs.fairgnn import FairGNN, covariance
from bench.builtin.methods.node_graphs.forest import Forest
from bench.builtin.methods.node_graphs.gat import GraphAttention
from bench.builtin.methods.node_graphs.gat_sep import SeparateAttention
from bench.builtin.methods.node_graphs.gcn import GraphConvolution
from bench.builtin.methods.node_graphs.gcn_plain import PlainConvolution
from bench.builtin.methods.node_graphs.h2gcn_lite import NearAndFar, beyond
from bench.builtin.methods.node_graphs.label_propagation import LabelPropagation
from bench.builtin.methods.node_graphs.mlp import NoEdges
from bench.builtin.methods.node_graphs.neighbour_lists import NeighbourLists
from bench.builtin.methods.node_graphs.sage import SampleAndAggregate
from bench.builtin.methods.node_graphs.sgc import SmoothedFeatures
from node_small import Noting, blocks, joined, node_run
from sklearn.ensemble import RandomForestClassifier

from bench.errors import InvalidRun
from bench.tracks.node_graphs import Members
from bench.training.node_graph import NodeGraph
from bench.training.node_mixers import Attention, EgoAndMean, Symmetric

NETS = (
    NoEdges(),
    GraphConvolution(),
    PlainConvolution(),
    SampleAndAggregate(),
    GraphAttention(),
    SeparateAttention(),
    SmoothedFeatures(),
    NearAndFar(),
)
ALL = (*NETS, LabelPropagation(), NeighbourLists(), Forest(trees=5))


def logits_of(method, problem, folder, seed=0):
    solution = method.solve(problem, node_run(folder, seed, method.card.name))
    with torch.no_grad():
        return solution.model(problem.graph())


def dense(problem):
    """Return the adjacency matrix (n, n), row i the neighbours of i."""
    matrix = torch.zeros(len(problem.x), len(problem.x))
    matrix[problem.edges[1], problem.edges[0]] = 1
    return matrix


def test_the_three_sums_over_neighbours_are_those_of_dense_matrices():
    problem, _ = blocks()
    graph, a, x = problem.graph(), dense(blocks()[0]), torch.randn(40, 3)
    degrees = a.sum(1)
    scale = degrees.clamp_min(1).rsqrt()
    torch.testing.assert_close(graph.symmetric() @ x, scale[:, None] * a @ (scale[:, None] * x))
    torch.testing.assert_close(graph.mean() @ x, a @ x / degrees.clamp_min(1)[:, None])
    loops, scale = a + torch.eye(40), (degrees + 1).rsqrt()
    torch.testing.assert_close(
        graph.symmetric(loops=True) @ x, scale[:, None] * loops @ (scale[:, None] * x)
    )
    torch.testing.assert_close(
        graph.mean().T @ x, (a / degrees.clamp_min(1)[:, None]).T @ x, rtol=1e-5, atol=1e-6
    )
    assert int(degrees[-1]) == 0, "the node without neighbours is what clamps are for"


@pytest.mark.parametrize("separate", [False, True])
def test_attention_is_that_of_a_plain_loop_over_nodes_and_heads(separate):
    problem, _ = blocks()
    mixer = Attention(1, 8, 2, separate)
    for part in (mixer.values, mixer.receiver, mixer.sender):
        part.draw(0)
    x = torch.randn(1, 40, 8)
    found = mixer(x, problem.graph())[0]
    values = mixer.values(x)
    u, v, values = mixer.receiver(values)[0], mixer.sender(values)[0], values[0]
    wanted = torch.zeros(40, 8)
    for i in range(40):
        near = problem.edges[0][problem.edges[1] == i]
        for head in range(2):
            if len(near):
                score = torch.nn.functional.leaky_relu(u[i, head] + v[near, head], 0.2)
                own = slice(4 * head, 4 * head + 4)
                wanted[i, own] = score.softmax(0) @ values[near, own]
    torch.testing.assert_close(found[:, -8:], wanted, rtol=1e-5, atol=1e-6)
    assert found.shape[1] == 8 * (1 + separate)
    if separate:
        torch.testing.assert_close(found[:, :8], values)


def test_a_layer_adds_what_a_plain_formula_says():
    problem, _ = blocks(layers=1, dropout=0.0)
    members = Members([problem], [node_run(None)])
    for method, mix in ((GraphConvolution(), Symmetric()), (SampleAndAggregate(), EgoAndMean(16))):
        net = method.net(members)
        net.draw([node_run(None).seeded("init")])
        gelu, norm = torch.nn.functional.gelu, torch.nn.functional.layer_norm
        h = gelu(problem.x @ net.inner.weight[0].T + net.inner.bias[0])
        mixed = mix(norm(h, (16,))[None], problem.graph())[0]
        h = h + gelu(mixed @ net.linears[0].weight[0].T + net.linears[0].bias[0])
        wanted = norm(h, (16,)) @ net.outer.weight[0].T + net.outer.bias[0]
        torch.testing.assert_close(net(members.x, members.graph)[0], wanted, rtol=1e-4, atol=1e-5)


def test_the_plain_net_is_two_products_with_the_normalised_matrix():
    problem, _ = blocks(dropout=0.0)
    members = Members([problem], [node_run(None)])
    net = PlainConvolution().net(members)
    net.draw([node_run(None).seeded("init")])
    loops = dense(problem) + torch.eye(40)
    scale = loops.sum(1).rsqrt()
    a = scale[:, None] * loops * scale[None]
    inner = (a @ problem.x @ net.inner.weight[0].T + net.inner.bias[0]).relu()
    wanted = a @ inner @ net.outer.weight[0].T + net.outer.bias[0]
    torch.testing.assert_close(net(members.x, members.graph)[0], wanted, rtol=1e-4, atol=1e-5)


def test_a_net_that_looks_two_edges_away_is_that_of_dense_matrices():
    problem, _ = blocks(dropout=0.0)
    members = Members([problem], [node_run(None)])
    method = NearAndFar()
    net = method.net(members)
    net.draw([node_run(None).seeded("init")])
    near = dense(problem)
    far = ((near @ near > 0) & (near == 0)).float().fill_diagonal_(0)
    assert 0 < int(far.sum()) < 40 * 39 - int(near.sum()), "some nodes are neither near nor far"

    def normal(matrix):
        scale = matrix.sum(1).clamp_min(1).rsqrt()
        return scale[:, None] * matrix * scale[None]

    own = (problem.x @ net.inner.weight[0].T + net.inner.bias[0]).relu()
    one = torch.cat([normal(near) @ own, normal(far) @ own], 1)
    two = torch.cat([normal(near) @ one, normal(far) @ one], 1)
    wanted = torch.cat([own, one, two], 1) @ net.outer.weight[0].T + net.outer.bias[0]
    torch.testing.assert_close(net(members.x, members.graph)[0], wanted, rtol=1e-4, atol=1e-5)
    # training, which finds the far nodes once, minimises what these logits say
    entropy = torch.nn.functional.cross_entropy(wanted[problem.train], problem.y[problem.train])
    found = method.loss(method.start(members, net), members, net)[0]
    torch.testing.assert_close(found, entropy, rtol=1e-4, atol=1e-5)


def test_two_edges_away_are_nodes_with_a_common_neighbour_and_no_edge():
    # a path of three, a triangle, a lone node
    edges = joined([[0, 1, 3, 4, 5], [1, 2, 4, 5, 3]], 7)
    far = beyond(NodeGraph(torch.zeros(7, 1), edges))
    assert far.edges.T.tolist() == [[2, 0], [0, 2]]


# a forest draws rows by their numbers
@pytest.mark.parametrize(
    "method", [*NETS, LabelPropagation(), NeighbourLists()], ids=lambda method: method.card.name
)
def test_logits_follow_nodes_that_get_other_numbers(method, tmp_path):
    problem, _ = blocks(dropout=0.0)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    place = order.argsort()
    other = msgspec.structs.replace(
        problem,
        x=problem.x[order],
        y=problem.y[order],
        train=problem.train[order],
        edges=place[problem.edges],
    )
    torch.testing.assert_close(
        logits_of(method, other, tmp_path),
        logits_of(method, problem, tmp_path)[order],
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize("neighbours", [True, False])
def test_a_forest_reads_a_node_and_the_mean_over_its_neighbours_and_no_hidden_label(
    neighbours, tmp_path
):
    problem, _ = blocks(classes=3)
    # no training node is of the second class
    y = torch.where(problem.y == 1, 2, problem.y)
    problem = msgspec.structs.replace(problem, y=y)
    rows = []
    for node in range(40):
        near = problem.edges[0][problem.edges[1] == node].tolist()
        mean = np.mean([problem.x[other].numpy() for other in near], 0) if near else np.zeros(5)
        rows.append(
            np.concatenate(
                [problem.x[node].numpy(), mean] if neighbours else [problem.x[node].numpy()]
            )
        )
    method = Forest(trees=7, leaf=2, neighbours=neighbours)
    drawn = node_run(tmp_path, 0, "forest").numpy_generator("method", "forest")
    plain = RandomForestClassifier(
        7, min_samples_leaf=2, random_state=int(drawn.integers(2**31))
    ).fit(np.float32(rows)[::2], y[::2])
    wanted = plain.predict_proba(np.float32(rows))
    found = logits_of(method, problem, tmp_path)
    assert problem.train.tolist() == [True, False] * 20
    np.testing.assert_allclose(found[:, [0, 2]], wanted, atol=1e-6)
    assert not bool(found[:, 1].any())


def test_a_net_without_edges_ignores_them_and_smoothing_no_times_is_that_net(tmp_path):
    problem, _ = blocks()
    empty = msgspec.structs.replace(problem, edges=torch.zeros(2, 0, dtype=torch.int64))
    found = logits_of(NoEdges(), problem, tmp_path)
    assert torch.equal(found, logits_of(NoEdges(), empty, tmp_path))
    assert torch.equal(found, logits_of(SmoothedFeatures(rounds=0), problem, tmp_path))
    assert not torch.equal(found, logits_of(SmoothedFeatures(), problem, tmp_path))


def test_labels_and_lists_of_neighbours_spread_without_features(tmp_path):
    problem, _ = blocks()
    other = msgspec.structs.replace(problem, x=problem.x.flip(0))
    for method in (LabelPropagation(), NeighbourLists()):
        found = logits_of(method, problem, tmp_path)
        assert torch.equal(found, logits_of(method, other, tmp_path))


def test_labels_that_spread_for_long_reach_the_solution_of_the_linear_system(tmp_path):
    problem, _ = blocks()
    a = dense(problem)
    scale = a.sum(1).clamp_min(1).rsqrt()
    start = torch.nn.functional.one_hot(problem.y.clamp_min(0), 2) * problem.train[:, None]
    wanted = torch.linalg.solve(
        torch.eye(40) - 0.5 * scale[:, None] * a * scale[None], 0.5 * start.float()
    )
    found = logits_of(LabelPropagation(alpha=0.5, rounds=60), problem, tmp_path)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-6)


def test_a_node_whose_list_of_neighbours_was_trained_on_gets_its_class(tmp_path):
    edges = joined([[0, 0, 1, 1, 4, 4], [2, 3, 2, 3, 2, 5]], 6)
    problem, _ = blocks(nodes=6)
    y = torch.tensor([1, -1, 0, -1, 0, -1])
    problem = msgspec.structs.replace(problem, edges=edges, y=y, train=y >= 0)
    assert logits_of(NeighbourLists(), problem, tmp_path)[1].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("method", [*NETS, LabelPropagation()], ids=lambda one: one.card.name)
def test_a_member_has_the_same_bits_in_whatever_company(method, tmp_path):
    problems = [blocks(seed)[0] for seed in range(3)]
    runs = [[node_run(tmp_path, seed, method.card.name) for seed in range(3)] for _ in range(2)]
    three = method.solve_stacked(problems, runs[0])
    two = method.solve_stacked(problems[:2], runs[1][:2])
    with torch.no_grad():
        for one, other, problem in zip(three, two, problems, strict=False):
            assert torch.equal(one.model(problem.graph()), other.model(problem.graph()))


def test_reports_are_copies_and_the_last_one_is_the_solution(tmp_path):
    problem, _ = blocks(steps=40)
    tools = Noting()
    solution = GraphConvolution().solve(problem, node_run(tmp_path, tools=tools))
    assert [step for step, _ in tools.reports] == list(range(2, 41, 2))
    with torch.no_grad():
        said = [model(problem.graph()) for _, model in tools.reports]
        assert torch.equal(said[-1], solution.model(problem.graph()))
    assert not torch.equal(said[0], said[-1])


def test_graph_nets_learn_what_features_alone_do_not_say(tmp_path):
    problem, y = blocks(nodes=120, steps=60, dropout=0.0)
    problem = msgspec.structs.replace(problem, x=torch.randn(120, 5))
    hidden = ~problem.train
    for method in (SampleAndAggregate(), GraphAttention(), LabelPropagation()):
        assert logits_of(method, problem, tmp_path).shape == (120, 2)
    spread = logits_of(LabelPropagation(), problem, tmp_path).argmax(1) == y
    alone = logits_of(NoEdges(), problem, tmp_path).argmax(1) == y
    assert float(spread[hidden].float().mean()) > float(alone[hidden].float().mean()) + 0.15


def test_fairgnn_without_penalties_is_the_graph_net_bit_for_bit(tmp_path):
    problem, _ = blocks(sensitive=True)
    found = logits_of(FairGNN(alpha=0.0, beta=0.0), problem, tmp_path)
    assert torch.equal(found, logits_of(GraphConvolution(), problem, tmp_path))
    assert not torch.equal(found, logits_of(FairGNN(), problem, tmp_path))


def test_the_objective_of_fairgnn_is_that_of_a_plain_computation(tmp_path):
    problem, _ = blocks(sensitive=True, dropout=0.0)
    method = FairGNN(alpha=3.0, beta=0.5)
    members = Members([problem], [node_run(tmp_path)])
    nets = method.net(members)
    nets.draw([node_run(tmp_path).seeded("init")])
    state = method.start(members, nets)
    known = problem.sensitive >= 0
    assert torch.equal(state.told[0][known], problem.sensitive[known].float())
    assert torch.equal(state.told[0][~known], state.estimate[0][~known])
    logits, s = nets(members.x, members.graph)[0], state.told[0]
    train, p = problem.train, logits.softmax(1)[:, 1]
    entropy = torch.nn.functional.cross_entropy(logits[train], problem.y[train])
    cov = sum((s[i] - s.mean()) * (p[i] - p.mean()) for i in range(40)) / 40
    guess = state.adversary(nets.features(members.x, members.graph))[0, :, 0].sigmoid()
    against = -(s * guess.log() + (1 - s) * (1 - guess).log()).mean()
    wanted = entropy + 3 * cov.abs() - 0.5 * against
    torch.testing.assert_close(method.loss(state, members, nets)[0], wanted, rtol=1e-4, atol=1e-5)
    assert float(covariance(state.told, state.told)) > 0


def test_a_shuffled_second_label_has_the_same_values_at_other_nodes(tmp_path):
    problem, _ = blocks(sensitive=True)
    states = []
    for shuffled in (False, True):
        method = FairGNN(shuffled=shuffled)
        members = Members([problem], [node_run(tmp_path, method="fairgnn")])
        states.append(method.start(members, method.net(members)))
    plain, shuffled = (state.told[0] for state in states)
    assert not torch.equal(plain, shuffled)
    assert torch.equal(plain.sort().values, shuffled.sort().values)


def test_what_a_method_cannot_do_is_refused_in_a_sentence(tmp_path):
    problem, _ = blocks(sensitive=True, classes=3)
    with pytest.raises(InvalidRun, match="fairgnn is for two classes"):
        FairGNN().solve(problem, node_run(tmp_path))
    unknown = msgspec.structs.replace(
        blocks(sensitive=True)[0], sensitive=torch.full((40,), -1, dtype=torch.int64)
    )
    with pytest.raises(InvalidRun, match="no second label is known"):
        FairGNN().solve(unknown, node_run(tmp_path))
    with pytest.raises(InvalidRun, match="take a divisor"):
        GraphAttention(heads=3).solve(blocks()[0], node_run(tmp_path))


def test_a_graph_that_is_wiped_holds_nothing():
    graph = blocks()[0].graph().copy()
    operator = graph.symmetric()
    graph.wipe()
    assert not graph.x.any()
    assert not operator.matrix.values().any()
    assert len(NodeGraph.beside([graph, graph])) == 80
