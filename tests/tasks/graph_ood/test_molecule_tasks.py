"""Molecules: splits that no scaffold crosses, no molecule twice, scores in the target's unit."""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.datasets._molecules import Molecules
from bench.builtin.tasks.graph_ood._molecule_task import split_rows, without_repeats
from bench.builtin.tasks.graph_ood.moleculeace import ActivityShift
from bench.builtin.tasks.graph_ood.solubility import SolubilityShift

from bench.contracts import Outcome
from bench.tracks.graph_ood import GraphMethod
from bench.training.graphs import Graphs

NAMES = ("train", "id_val", "id_test", "ood_val", "ood_test")


def made(count=200, seed=0):
    """Chains whose target is their length, in scaffolds of unequal size;
    some molecules occur twice.
    """
    generator = np.random.default_rng(seed)
    key = generator.integers(0, count, count)
    sizes = 3 + key % 17
    graphs = Graphs.pack(
        [
            (np.eye(15)[np.arange(n) % 15], np.stack([np.arange(n - 1), np.arange(1, n)]))
            for n in sizes
        ]
    )
    scaffold = (key**2 % 31).astype(np.int64)
    y = torch.from_numpy(sizes.astype(np.float32) * 10 + 100)[:, None]
    return Molecules(
        graphs, y, torch.from_numpy(key), torch.from_numpy(scaffold), torch.from_numpy(key % 3 == 0)
    )


@pytest.mark.parametrize("seed", range(5))
def test_no_scaffold_is_both_in_the_pool_and_out_of_distribution(seed):
    scaffold = made(seed=seed).scaffold.numpy()
    rows = split_rows(scaffold, "scaffold", np.random.default_rng(seed))
    assert sorted(np.concatenate(list(rows.values())).tolist()) == list(range(200))
    pool = set(scaffold[np.concatenate([rows[name] for name in NAMES[:3]])])
    assert not pool & set(scaffold[rows["ood_val"]])
    assert not pool & set(scaffold[rows["ood_test"]])
    assert not set(scaffold[rows["ood_val"]]) & set(scaffold[rows["ood_test"]])
    assert 0.7 * 200 <= sum(len(rows[name]) for name in NAMES[:3]) <= 160


def test_the_largest_scaffold_comes_first_and_of_equals_the_one_that_appears_first():
    scaffold = np.array([5, 1, 1, 1, 2, 2, 5, 3, 4, 0])  # sizes 3, 2, 2, 1, 1, 1
    rows = split_rows(scaffold, "scaffold", np.random.default_rng(0))
    pool = sorted(np.concatenate([rows[name] for name in NAMES[:3]]).tolist())
    # 1, then 5 (appears before 2), 2, and 3, which appears before 4 and 0
    assert pool == [0, 1, 2, 3, 4, 5, 6, 7]
    assert rows["ood_val"].tolist() == [8]
    assert rows["ood_test"].tolist() == [9]


def test_by_size_every_ood_molecule_is_at_least_as_large_as_any_of_the_pool():
    nodes = made().graphs.nodes.numpy()
    rows = split_rows(nodes, "size", np.random.default_rng(0))
    pool = np.concatenate([rows[name] for name in NAMES[:3]])
    assert (
        nodes[pool].max()
        <= nodes[rows["ood_val"]].min()
        <= nodes[rows["ood_val"]].max()
        <= nodes[rows["ood_test"]].min()
    )
    assert [len(rows[name]) for name in NAMES] == [120, 20, 20, 20, 20]


def test_repeats_are_left_out_and_contradictions_in_training_altogether():
    key = np.array([0, 0, 1, 1, 2, 3, 2, 0, 4, 4])
    y = np.array([1.0, 1.0, 1.0, 2.0, 5.0, 6.0, 5.0, 1.0, 7.0, 8.0])
    rows = {"train": np.arange(5), "id_test": np.array([5, 6]), "ood_test": np.array([7, 8, 9])}
    kept = without_repeats(rows, key, y)
    assert {name: part.tolist() for name, part in kept.items()} == {
        "train": [0, 4],
        "id_test": [5],
        "ood_test": [8],
    }


@pytest.mark.parametrize("split", ["scaffold", "size"])
def test_a_molecule_is_in_one_split_once_and_the_score_counts_those_left_out(bench, split):
    data = made()
    tools = bench(SolubilityShift(split=split, epochs=2, hidden=8), data=data)
    total = sum(len(part.y) for part in tools.case.hidden.splits.values())
    assert total == len(data.key.unique())
    assert tools.case.hidden.dropped == 200 - total
    problem = tools.case.problems[0]
    assert float(problem.y.mean()) == pytest.approx(0, abs=1e-5)
    assert float(problem.y.std(correction=0)) == pytest.approx(1, abs=1e-5)
    solution = GraphMethod().solve(problem, tools.run)
    found = tools.task.evaluate(
        tools.case,
        [Outcome(solution=solution, curve=[], kept=tools.run._kept, cost={}, counters={})],
        tools.setup,
    ).metrics
    test, train = (tools.case.hidden.splits[name] for name in ("ood_test", "train"))
    assert found["mean_only"] == pytest.approx(
        float((test.y - train.y.mean()).square().mean().sqrt()), rel=1e-5
    )
    assert found["gap"] == pytest.approx(found["ood_test"] - found["id_test"])
    assert found["dropped"] == 200 - total
    assert "seen" not in found
    with torch.no_grad():
        guess = (
            tools.run._kept["id_val"].eval()(test.graphs.batch()).logits * train.y.std(correction=0)
            + train.y.mean()
        )
    assert found["ood_test"] == pytest.approx(
        float((guess - test.y).square().mean().sqrt()), rel=1e-4
    )


def test_activity_cliffs_have_a_score_of_their_own_and_the_target_is_asked_for(bench):
    tools = bench(ActivityShift(epochs=1, hidden=8, target="CHEMBL1_Ki"), data=made())
    assert tools.asked == [{"target": "CHEMBL1_Ki"}] * 2
    solution = GraphMethod().solve(tools.case.problems[0], tools.run)
    found = tools.task.evaluate(
        tools.case,
        [Outcome(solution=solution, curve=[], kept={}, cost={}, counters={})],
        tools.setup,
    ).metrics
    assert found["ood_cliff"] > 0
    assert found["ood_cliff"] != found["ood_test"]


TARGETS = [
    (name, variant)
    for preset in ("default", "more")
    for name, variant in ActivityShift.card.presets[preset].variants.items()
]


def test_the_presets_name_three_targets():
    assert {name for name, _ in TARGETS} == {"chembl234", "chembl2147", "chembl204"}


@pytest.mark.parametrize(("name", "variant"), TARGETS, ids=[name for name, _ in TARGETS])
def test_every_target_of_the_presets_is_asked_for_and_judged_in_its_unit(bench, name, variant):
    """The error of a net is that of its guesses in the unit of the activities, not of the
    standardised ones: twice the activities, twice the error.
    """
    errors = []
    for data in (made(), doubled(made())):
        tools = bench(ActivityShift(epochs=1, hidden=8, **variant), data=data)
        assert tools.asked == [{"target": f"{name.upper()}_Ki"}] * 2
        problem = tools.case.problems[0]
        assert float(problem.y.std(correction=0)) == pytest.approx(1, abs=1e-5)
        solution = GraphMethod().solve(problem, tools.run)
        outcome = Outcome(solution=solution, curve=[], kept=tools.run._kept, cost={}, counters={})
        found = tools.task.evaluate(tools.case, [outcome], tools.setup).metrics
        test, train = (tools.case.hidden.splits[name] for name in ("ood_test", "train"))
        with torch.no_grad():
            said = tools.run._kept["id_val"].eval()(test.graphs.batch()).logits[:, 0].double()
        y, known = test.y[:, 0].double(), train.y[:, 0].double()
        guess = said * known.std(correction=0) + known.mean()
        squares = [(float(g) - float(t)) ** 2 for g, t in zip(guess, y, strict=True)]
        assert found["ood_test"] == pytest.approx((sum(squares) / len(squares)) ** 0.5, rel=1e-4)
        errors.append(found["ood_test"])
    assert errors[1] == pytest.approx(2 * errors[0], rel=1e-4)


def doubled(data):
    """Return the molecules with twice the activity."""
    return msgspec.structs.replace(data, y=2 * data.y)
