"""Graphs of bases and motifs: they are what their names say, the bias is
what it is said to be, and what must be hidden is.
"""

import msgspec
import numpy as np
import pytest
import scipy.sparse as sparse
import torch
from bench.builtin.tasks.graph_ood import _motif_task as motifs
from bench.builtin.tasks.graph_ood import _scores as figures
from bench.builtin.tasks.graph_ood import _shapes as shapes
from bench.builtin.tasks.graph_ood import _task as common
from bench.builtin.tasks.graph_ood.motif_basis import MotifBasis
from bench.builtin.tasks.graph_ood.motif_size import MotifSize
from bench.builtin.tasks.graph_ood.spmotif import SpuriousMotif
from scipy.sparse.csgraph import connected_components

from bench.contracts import Outcome
from bench.runs.guard import leaves
from bench.tracks.graph_ood import GraphMethod, Solution
from bench.training.graphs import Graphs


def solved(tools, method=None):
    solution = (method or GraphMethod()).solve(tools.case.problems[0], tools.run)
    outcome = Outcome(
        solution=solution, curve=tools.run._curve, kept=tools.run._kept, cost={}, counters={}
    )
    return tools.task.evaluate(tools.case, [outcome], tools.setup)


# Shapes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edges", "nodes", "count"),
    [
        (shapes.tree(2, 0), 1, 0),
        (shapes.tree(2, 2), 7, 6),
        (shapes.tree(3, 2), 13, 12),
        (shapes.ladder(8), 16, 3 * 8 - 2),
        (shapes.wheel(15), 15, 2 * 14),
        (shapes.star(6), 6, 5),
        (shapes.path(9), 9, 8),
    ],
)
def test_a_base_has_its_nodes_and_edges(edges, nodes, count):
    assert edges.shape == (2, count)
    assert len(set(map(frozenset, edges.T.tolist()))) == count
    assert edges.max(initial=0) + 1 == nodes


def test_a_wheel_has_one_hub_and_a_ring_of_degree_three():
    assert sorted(np.bincount(shapes.wheel(10).flatten()).tolist()) == [3] * 9 + [9]


def test_motifs_have_five_six_and_seven_edges_and_differ_in_degrees():
    degrees = {
        name: sorted(np.bincount(np.array(edges).flatten()).tolist())
        for name, edges in shapes.SPURIOUS_MOTIFS.items()
    }
    assert degrees == {"cycle": [2] * 5, "house": [2, 2, 2, 3, 3], "crane": [2, 2, 3, 3, 4]}
    assert {name: len(edges) for name, edges in shapes.SPURIOUS_MOTIFS.items()} == {
        "cycle": 5,
        "house": 6,
        "crane": 7,
    }
    assert {name: len(edges) for name, edges in shapes.GOOD_MOTIFS.items()} == {
        "house": 6,
        "cycle": 5,
        "crane": 6,
    }


def components(graphs):
    batch = graphs.batch()
    adjacency = sparse.coo_matrix(
        (np.ones(batch.edge_index.shape[1]), batch.edge_index.numpy()), (len(batch.x),) * 2
    )
    return connected_components(adjacency, directed=False)[0]


def test_every_graph_is_connected_and_stored_in_both_directions(bench):
    for split in bench(SpuriousMotif(per_class=20)).case.hidden.splits.values():
        assert components(split.graphs) == len(split.graphs)
        assert all(graph.is_undirected() for graph in split.graphs.data())


def test_without_noise_a_graph_is_its_motif_its_base_and_one_edge_between():
    generator = np.random.default_rng(0)
    motif, base = np.repeat([0, 1, 2], 3), np.tile([0, 1, 2], 3)
    bases = (lambda g: shapes.tree(2, 1), lambda g: shapes.ladder(8), lambda g: shapes.wheel(15))
    drawn = shapes.draw(generator, list(shapes.SPURIOUS_MOTIFS.values()), bases, motif, base)
    assert (drawn.graphs.sizes // 2).tolist() == [m + b + 1 for m in (5, 6, 7) for b in (2, 22, 28)]
    assert drawn.graphs.nodes.tolist() == [5 + b for _ in range(3) for b in (3, 16, 15)]
    assert drawn.given.tolist() == motif.tolist()


def test_noise_adds_the_stated_share_of_edges_none_within_the_motif():
    bases = (lambda g: shapes.wheel(15),)
    motif, base = np.zeros(50, dtype=int), np.zeros(50, dtype=int)
    drawn = shapes.draw(
        np.random.default_rng(0), [shapes.SPURIOUS_MOTIFS["cycle"]], bases, motif, base, perturb=0.1
    )
    # 5 + 28 + 1 edges and a tenth of them
    assert (drawn.graphs.sizes // 2).tolist() == [34 + 3] * 50
    for graph in drawn.graphs.data():
        inside = graph.edge_index[:, (graph.edge_index < 5).all(0)]
        assert inside.shape[1] == 10


def test_the_small_and_large_bases_have_the_sizes_of_the_original():
    generator = np.random.default_rng(0)

    def sizes(bases):
        return [{int(base(generator).max(initial=0)) + 1 for _ in range(400)} for base in bases]

    assert sizes(shapes.SMALL) == [{1, 3, 4, 7, 13}, {16, 18, 20, 22}, {15, 16, 17, 18, 19}]
    tree, ladder, wheel = sizes(shapes.LARGE)
    assert tree == {15, 31, 63, 40, 121, 364}
    assert (min(ladder), max(ladder), min(wheel), max(wheel)) == (60, 98, 60, 79)


# The splits ---------------------------------------------------------------------


def groups(split):
    return (split.group // 3).numpy(), (split.group % 3).numpy()  # true label, base


def test_the_bias_is_as_stated_in_training_and_absent_out_of_distribution(bench):
    bias = 0.9
    splits = bench(SpuriousMotif(bias=bias)).case.hidden.splits
    for name in ("train", "id_val", "id_test"):
        motif, base = groups(splits[name])
        assert abs((motif == base).mean() - bias) < 3 * (bias * (1 - bias) / len(motif)) ** 0.5
    for name in ("ood_val", "ood_test", "ood_large"):
        motif, base = groups(splits[name])
        assert abs((motif == base).mean() - 1 / 3) < 3 * (2 / 9 / len(motif)) ** 0.5
        assert np.bincount(base).min() > len(base) / 5
    for split in splits.values():
        assert np.bincount(groups(split)[0]).tolist() == [len(split.y) // 3] * 3


def test_labels_are_noisy_in_training_and_validation_and_true_in_tests(bench):
    splits = bench(SpuriousMotif()).case.hidden.splits
    for name, split in splits.items():
        wrong = (split.y.numpy() != groups(split)[0]).mean()
        if name in ("train", "id_val", "ood_val"):
            # a tenth is drawn anew, a third of these hits the true one
            assert abs(wrong - 0.1 * 2 / 3) < 3 * (0.067 * 0.933 / len(split.y)) ** 0.5
        else:
            assert wrong == 0


def test_the_concept_shift_has_three_environments_with_their_own_bias(bench):
    tools = bench(SpuriousMotif(shift="concept"))
    train = tools.case.hidden.splits["train"]
    motif, base = groups(train)
    env = tools.case.problems[0].env.numpy()
    for number, forced in enumerate((0.99, 0.97, 0.95)):
        share = (motif == base)[env == number].mean()
        expected = forced + (1 - forced) / 3
        assert (
            abs(share - expected) < 3 * (expected * (1 - expected) / (env == number).sum()) ** 0.5
        )
    motif, base = groups(tools.case.hidden.splits["ood_test"])
    assert abs((motif == base).mean() - 1 / 3) < 3 * (2 / 9 / len(motif)) ** 0.5


def test_the_three_environments_of_a_bias_differ_in_its_strength_and_change_no_graph(bench):
    tools = bench(SpuriousMotif(bias=0.9, per_class=2000))
    motif, base = groups(tools.case.hidden.splits["train"])
    env = tools.case.problems[0].env.numpy()
    for number, bias in enumerate((0.9 + 0.2 / 3, 0.9, 0.9 - 0.2 / 3)):
        inside = env == number
        assert abs(inside.mean() - 1 / 3) < 3 * (2 / 9 / len(env)) ** 0.5
        share = (motif == base)[inside].mean()
        assert abs(share - bias) < 3 * (bias * (1 - bias) / inside.sum()) ** 0.5
    assert all(tools.case.hidden.splits[name].env is None for name in ("ood_val", "ood_test"))

    class Without(SpuriousMotif, frozen=True, kw_only=True):
        def draw(self, run, name, inside, stream=""):
            split = super().draw(run, name, inside, stream)
            return msgspec.structs.replace(split, env=None)

    plain, asked = bench(Without(per_class=10)).case, bench(SpuriousMotif(per_class=10)).case
    assert plain.problems[0].env is None is not asked.problems[0].env
    assert equal(plain.hidden.splits["train"].graphs, asked.hidden.splits["train"].graphs)


@pytest.mark.parametrize("rate", [0.0, 1 / 3, 0.5, 0.9, 1.0])
def test_environments_have_three_rates_around_the_stated_one(rate):
    generator = np.random.default_rng(0)
    follows = generator.random(30000) < rate
    env = motifs.environments(follows, rate, generator)
    spread = 2 / 3 * min(rate, 1 - rate)
    for number, expected in enumerate((rate + spread, rate, rate - spread)):
        assert follows[env == number].mean() == pytest.approx(expected, abs=0.015)
        assert (env == number).mean() == pytest.approx(1 / 3, abs=0.015)


def equal(a, b):
    return all(
        x.equal(y) if isinstance(x, torch.Tensor) else x == y
        for (_, x), (_, y) in zip(leaves(a), leaves(b), strict=True)
    )


def test_a_seed_gives_the_same_tensors_again_and_another_seed_others(bench):
    task = SpuriousMotif(per_class=10)
    first, second, other = bench(task).case, bench(task).case, bench(task, 1).case
    assert equal(first.hidden.splits, second.hidden.splits)
    assert not equal(first.hidden.splits["train"].y, other.hidden.splits["train"].y)


def test_the_size_of_one_split_leaves_the_others_alone(bench):
    class Bigger(SpuriousMotif, frozen=True, kw_only=True):
        def count(self, name):
            return 3 * 20 if name == "ood_test" else super().count(name)

    plain, bigger = (
        bench(SpuriousMotif(per_class=10)).case.hidden.splits,
        bench(Bigger(per_class=10)).case.hidden.splits,
    )
    assert len(bigger["ood_test"].y) == 60
    assert all(equal(plain[name], bigger[name]) for name in plain if name != "ood_test")


def test_a_method_sees_training_graphs_and_given_labels_alone(bench):
    tools = bench(SpuriousMotif(per_class=10))
    seen = dict(leaves(tools.case.problems[0]))
    assert {path for path, value in seen.items() if isinstance(value, torch.Tensor)} == {
        "env",  # for methods whose card needs it; the harness takes it out for all others
        "graphs.x",
        "graphs.edges",
        "graphs.nodes",
        "graphs.degrees",
        "y",
    }
    assert torch.equal(seen["y"], tools.case.hidden.splits["train"].y)
    assert not any(hasattr(tools.run, name) for name in ("dataset", "case", "hidden"))
    assert tools.case.problems[0].graphs.x.unique().tolist() == [1.0]


def test_the_sizes_of_motif_size_grow_and_their_environments_are_the_widths(bench):
    tools = bench(MotifSize(per_class=100))
    splits, env = tools.case.hidden.splits, tools.case.problems[0].env
    nodes = splits["train"].graphs.nodes.double()
    means = [float(nodes[env == number].mean()) for number in range(3)]
    assert env.bincount().tolist() == [100, 100, 100]
    assert means[0] < means[1] < means[2] < 21
    assert 25 < splits["ood_val"].graphs.nodes.double().mean() < 40
    assert 60 < splits["ood_test"].graphs.nodes.double().mean() < 80
    assert splits["ood_val"].graphs.nodes.min() > splits["train"].graphs.nodes.double().mean()


def test_motif_basis_keeps_star_and_path_out_of_training(bench):
    tools = bench(MotifBasis(per_class=30, perturb=0.0))
    splits, env = tools.case.hidden.splits, tools.case.problems[0].env
    assert env.bincount().tolist() == [30, 30, 30]

    def hubs(split):  # the largest degree of a base node
        return [
            int(graph.edge_index[1][graph.edge_index[1] >= 5].bincount().max())
            for graph in split.graphs.data()
        ]

    assert max(hubs(splits["ood_test"])) <= 3  # a path, and the edge to the motif
    assert min(hubs(splits["ood_val"])) >= 3  # a star
    trees = splits["train"].graphs.take((env == 1).nonzero()[:, 0])
    loops = (trees.sizes // 2 - trees.nodes + 1).tolist()
    assert set(loops) == {1, 2}  # those of the motif alone: GOOD's have one or two


# Selection and scores -----------------------------------------------------------


def corrupted(splits, names):
    return {
        name: msgspec.structs.replace(split, y=split.y.flip(0).roll(1)) if name in names else split
        for name, split in splits.items()
    }


@pytest.mark.parametrize(
    "names", [("id_test", "ood_test", "ood_large"), ("id_test", "ood_test", "ood_large", "ood_val")]
)
def test_the_chosen_epoch_does_not_depend_on_labels_it_must_not_see(bench, names):
    task = SpuriousMotif(per_class=20, epochs=6)
    plain, spoilt = bench(task), bench(task)
    spoilt.case.hidden.splits = corrupted(spoilt.case.hidden.splits, names)
    first, second = solved(plain), solved(spoilt)
    assert first.metrics["epoch"] == second.metrics["epoch"]
    assert first.metrics["ood_test"] != second.metrics["ood_test"]
    if "ood_val" not in names:
        assert plain.case.hidden.chosen == spoilt.case.hidden.chosen


def test_of_equal_validation_scores_the_last_epoch_is_kept_and_scores_are_of_the_kept_nets(bench):
    tools = bench(SpuriousMotif(per_class=10))

    class Constant(torch.nn.Module):
        def __init__(self, label):
            super().__init__()
            self.label = torch.nn.Parameter(torch.tensor(float(label)))

        def forward(self, batch):
            from bench.training.gnn import Output

            return Output(
                torch.nn.functional.one_hot(torch.full((batch.size,), int(self.label)), 3).float(),
                batch.x,
                batch.x,
            )

    split = tools.case.hidden.splits["id_val"]
    tools.case.hidden.splits["id_val"] = msgspec.structs.replace(split, y=torch.ones_like(split.y))
    for step, label in enumerate([0, 1, 2, 1, 0], 1):
        tools.report(tools.run, step, Constant(label))
    assert tools.case.hidden.chosen["id_val"] == 4
    assert int(tools.run._kept["id_val"].label) == 1
    outcome = Outcome(
        solution=Solution(model=Constant(2)), curve=[], kept=tools.run._kept, cost={}, counters={}
    )
    scores = tools.task.evaluate(tools.case, [outcome], tools.setup).metrics
    assert scores["id_test"] == pytest.approx(100 / 3)
    assert scores["epoch"] == 4


def test_scores_are_those_worked_out_by_hand():
    graphs = Graphs.pack([(np.ones((1, 1)), np.zeros((2, 0)))] * 24)
    y = torch.tensor([0] * 12 + [1] * 12)
    group = torch.tensor([0] * 11 + [5] + [1] * 12)
    logits = torch.nn.functional.one_hot(torch.tensor([0] * 9 + [1] * 6 + [1] * 9), 2).float()
    split = common.Split(graphs=graphs, y=y, group=group)
    hidden = common.Hidden(splits={"s": split}, scale=torch.tensor([[0.0], [1.0]]))
    assert hidden.score("s", logits) == pytest.approx(100 * 21 / 24)
    # the group of one graph does not count
    assert figures.worst_group(logits, y, group) == {"worst_group": pytest.approx(100 * 9 / 11)}
    numbers = common.Split(
        graphs=graphs.take(torch.arange(3)), y=torch.tensor([[1.0], [float("nan")], [5.0]])
    )
    hidden = common.Hidden(splits={"s": numbers}, scale=torch.tensor([[1.0], [2.0]]))
    # errors 2 and 0
    assert hidden.score("s", torch.tensor([[1.0], [7.0], [2.0]])) == pytest.approx(2**0.5)


def test_several_targets_have_the_mean_of_their_errors():
    y = torch.tensor([[0.0, 10.0], [0.0, float("nan")], [0.0, 40.0]])
    guess = torch.tensor([[3.0, 10.0], [0.0, 0.0], [3.0, 20.0]])  # errors 3, 0, 3 and 0, 20
    assert figures.rmse(guess, y) == pytest.approx((6**0.5 + 200**0.5) / 2)


def test_the_roc_auc_is_the_share_of_pairs_in_the_right_order_over_targets_with_both_answers():
    y = torch.tensor([[1, 1, -1], [0, 1, 1], [1, 1, 0], [0, -1, 0], [-1, 1, 1]], dtype=torch.int8)
    logits = torch.tensor(
        [[2.0, 0.0, 9.0], [1.0, 0.0, 1.0], [1.0, 0.0, 1.0], [0.0, 0.0, 2.0], [9.0, 0.0, 3.0]]
    )
    # first: pairs (2, 1), (2, 0), (1, 1) a tie, (1, 0); second has no 0; third: (1, 1) a tie, (1,
    # 2) wrong, (3, 1), (3, 2)
    assert figures.roc_auc(logits, y) == pytest.approx((3.5 / 4 + 2.5 / 4) / 2)
    assert figures.score(logits, y, torch.ones(2, 3)) == pytest.approx(75)
    assert figures.roc_auc(logits[:, 1:2], y[:, 1:2]) == 0.5


def test_the_reference_without_the_shift_chooses_its_epoch_by_graphs_without_it(bench):
    task = SpuriousMotif(per_class=40, epochs=3)
    tools = bench(task)
    case, biased = tools.case, tools.case.hidden.splits["id_val"]
    kept = {name: split for name, split in case.hidden.splits.items() if name != "id_val"}
    task.train_unbiased(case.problems[0], case.hidden, tools.run)
    own = case.hidden.splits["id_val"]
    assert biased.conflict.double().mean() < 0.2 < 0.5 < own.conflict.double().mean()
    assert len(own.y) == len(biased.y)
    assert case.hidden.chosen["id_val"] >= 1
    assert all(case.hidden.splits[name] is split for name, split in kept.items())


def test_weight_figures_are_those_worked_out_by_hand():
    nan = float("nan")
    solution = Solution(
        model=None,
        weights=torch.tensor([2.0, 1.0, 1.0, nan]),
        squares=torch.tensor([5.0, 1.0, 1.5, nan]),
    )
    found = figures.weight_figures(solution, torch.tensor([True, False, False, True]))
    assert found == {"ess": pytest.approx((4 / 3) ** 2 / 2.5), "w_ratio": pytest.approx(2.0)}
    assert figures.weight_figures(Solution(model=None, weights=torch.tensor([nan])), None) == {}


def test_the_figures_of_the_weights_can_be_computed_again_from_what_is_stored(bench):
    from bench.builtin.methods.graph_ood.oodgnn import OODGNN

    tools = bench(SpuriousMotif(bias=0.8, per_class=40, epochs=4))
    found = solved(tools, OODGNN(warmup=1))
    weights, squares = (found.arrays[name].astype(float) for name in ("weights", "squares"))
    used = ~np.isnan(weights)
    assert found.metrics["ess"] == pytest.approx(
        weights[used].mean() ** 2 / squares[used].mean(), rel=1e-6
    )
    assert found.metrics["ess"] < 0.9999  # some weigh more than others
    against = tools.case.hidden.splits["train"].conflict.numpy()
    assert found.metrics["w_ratio"] == pytest.approx(
        weights[used & against].mean() / weights[used & ~against].mean(), rel=1e-6
    )


def test_colours_are_equal_for_isomorphic_graphs_and_differ_for_others():
    generator = np.random.default_rng(0)
    cases = [
        shapes.wheel(8),
        shapes.ladder(4),
        shapes.path(8),
        shapes.star(8),
        shapes.tree(2, 2),
        shapes.SPURIOUS_MOTIFS["crane"],
    ]
    cases = [np.array(edges).T if isinstance(edges, list) else edges for edges in cases]
    renamed = []
    for edges in cases:
        order = generator.permutation(edges.max() + 1)
        renamed.append(order[edges][:, generator.permutation(edges.shape[1])])
    first, second = (
        Graphs.pack([(np.ones((edges.max() + 1, 1)), edges) for edges in part])
        for part in (cases, renamed)
    )
    assert torch.equal(figures.colour(first, 3), figures.colour(second, 3))
    assert len(figures.colour(first, 3).unique()) == len(cases)
    assert figures.seen(first, second) == 100
    assert figures.seen(first.take(torch.arange(3)), second) == 50


def test_the_default_of_spmotif_is_the_specification_s():
    found = SpuriousMotif.card.presets["default"]
    task = SpuriousMotif.make({**found.params, **found.variants["b97"]})
    assert (task.bias, task.shift, task.feat, task.perturb, task.label_noise, task.per_class) == (
        0.97,
        "bias",
        "ones",
        0.05,
        0.1,
        300,
    )
    assert (
        task.backbone,
        task.layers,
        task.hidden,
        task.batch_size,
        task.lr,
        task.epochs,
        task.dropout,
    ) == ("gin", 3, 32, 128, 0.003, 40, 0.0)
    assert [
        task.count(name)
        for name in ("train", "id_val", "id_test", "ood_val", "ood_test", "ood_large")
    ] == [900, 300, 600, 300, 600, 600]
