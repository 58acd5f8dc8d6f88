"""Tasks on graphs from files: official parts, sizes, answers,
environments; and noisy superpixels.
"""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.datasets._graph_sets import GraphSet
from bench.builtin.tasks.graph_ood.digits75sp import Digits75sp
from bench.builtin.tasks.graph_ood.good import GoodMotif
from bench.builtin.tasks.graph_ood.ogb import OgbAnswers, OgbNumbers
from bench.builtin.tasks.graph_ood.tu import TuSize

from bench.contracts import Outcome
from bench.tracks.graph_ood import GraphMethod
from bench.training.graphs import Graphs

COUNT = 120
TINY = {"epochs": 1, "hidden": 4, "layers": 2}


def made(y, parts=3, env=None):
    """Paths of 2 to 13 nodes."""
    sizes = 2 + np.random.default_rng(0).integers(0, 12, COUNT)
    graphs = Graphs.pack(
        [(np.ones((n, 3)), np.stack([np.arange(n - 1), np.arange(1, n)])) for n in sizes]
    )
    return GraphSet(graphs=graphs, y=y, part=torch.arange(COUNT) % parts, env=env)


def figures(tools):
    solution = GraphMethod().solve(tools.case.problems[0], tools.run)
    return tools.task.evaluate(
        tools.case,
        [Outcome(solution=solution, curve=[], kept=tools.run._kept, cost={}, counters={})],
        tools.setup,
    )


def test_ogb_s_training_part_is_carved_and_its_answers_have_a_roc_auc(bench):
    y = torch.from_numpy(np.random.default_rng(1).integers(-1, 2, (COUNT, 3)).astype(np.int8))
    tools = bench(OgbAnswers(**TINY), data=made(y))
    assert tools.asked == [{"subset": "bace"}]
    splits, problem = tools.case.hidden.splits, tools.case.problems[0]
    assert [
        len(splits[name].y) for name in ("train", "id_val", "id_test", "ood_val", "ood_test")
    ] == [30, 5, 5, 40, 40]
    assert torch.equal(splits["ood_test"].y, y[2::3])
    assert (problem.kind, problem.outputs) == ("binary", 3)
    found = figures(tools)
    assert 0 <= found.metrics["ood_test"] <= 100
    assert found.metrics["gap"] == pytest.approx(
        found.metrics["id_test"] - found.metrics["ood_test"]
    )
    assert set(found.metrics) <= {metric.name for metric in OgbAnswers.card.metrics}


def test_ogb_s_numbers_are_standardised_target_by_target(bench):
    y = (
        torch.randn(COUNT, 2, generator=torch.Generator().manual_seed(0))
        * torch.tensor([1.0, 50.0])
        + 7
    )
    tools = bench(OgbNumbers(**TINY), data=made(y))
    problem = tools.case.problems[0]
    assert problem.kind == "numbers"
    torch.testing.assert_close(problem.y.std(0, correction=0), torch.ones(2))
    assert set(figures(tools).metrics) <= {metric.name for metric in OgbNumbers.card.metrics}


def test_tu_s_graphs_are_split_by_size(bench):
    tools = bench(TuSize(**TINY), data=made(torch.arange(COUNT) % 2, parts=1))
    splits = tools.case.hidden.splits
    assert (
        splits["train"].graphs.nodes.max()
        <= splits["ood_val"].graphs.nodes.min()
        <= splits["ood_test"].graphs.nodes.min()
    )
    assert sum(len(split.y) for split in splits.values()) == COUNT
    assert set(figures(tools).metrics) <= {metric.name for metric in TuSize.card.metrics}


def test_good_s_parts_are_taken_as_they_are_and_training_graphs_keep_their_environments(bench):
    env = torch.arange(COUNT) // 5 % 4
    tools = bench(
        GoodMotif(domain="size", shift="concept", **TINY),
        data=made(torch.arange(COUNT) % 3, parts=5, env=env),
    )
    assert tools.asked == [{"subset": "GOODMotif", "domain": "size", "shift": "concept"}]
    assert torch.equal(tools.case.problems[0].env, env[::5])
    assert all(
        split.env is None for name, split in tools.case.hidden.splits.items() if name != "train"
    )
    assert [len(split.y) for split in tools.case.hidden.splits.values()] == [24] * 5
    assert set(figures(tools).metrics) <= {metric.name for metric in GoodMotif.card.metrics}


def test_superpixels_are_noisy_out_of_distribution_alone_and_only_in_their_intensity(bench):
    data = made(torch.arange(COUNT) % 10)
    tools = bench(Digits75sp(noise=0.4, **TINY), data=data)
    splits = tools.case.hidden.splits
    assert [len(split.y) for split in splits.values()] == [60, 12, 18, 12, 18]
    for name, split in splits.items():
        noise = split.graphs.x[:, 0] - 1
        if name.startswith("ood"):
            assert 0.3 < noise.std() < 0.5
        else:
            assert not noise.any()
        assert (split.graphs.x[:, 1:] == 1).all()
    before = msgspec.structs.asdict(splits["id_test"])["y"]
    tools.task.train_unbiased(tools.case.problems[0], tools.case.hidden, tools.run)
    assert tools.case.hidden.splits["id_val"].graphs.x[:, 0].std() > 0.3
    assert torch.equal(before, tools.case.hidden.splits["id_test"].y)
