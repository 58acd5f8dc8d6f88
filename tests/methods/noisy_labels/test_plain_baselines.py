"""The plain baselines: formulas against slow ones, and the limits in which
they are cross entropy.
"""

import warnings

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.noisy_labels import ce_early
from bench.builtin.methods.noisy_labels.ce import CrossEntropy
from bench.builtin.methods.noisy_labels.ce_average import WeightAverage
from bench.builtin.methods.noisy_labels.ce_early import EarlyStopping
from bench.builtin.methods.noisy_labels.ce_ensemble import Ensemble
from bench.builtin.methods.noisy_labels.knn import NearestNeighbours
from bench.builtin.methods.noisy_labels.random_forest import RandomForest
from noisy_helpers import trained
from torch.nn import functional as F


@pytest.mark.parametrize("k", [1, 20, 500])
def test_nearest_neighbours_are_those_of_scikit_learn(toy, run_of, k):
    from sklearn.neighbors import KNeighborsClassifier

    problem, asked = toy(rows=90), toy(1, rows=40).x
    said = NearestNeighbours(k=k).solve(problem, run_of()).model(asked)
    theirs = KNeighborsClassifier(min(k, 90)).fit(problem.x.numpy(), problem.y.numpy())
    assert said.argmax(1).tolist() == theirs.predict(asked.numpy()).tolist()
    counted = theirs.predict_proba(asked.numpy()) * min(k, 90) + 1
    torch.testing.assert_close(
        said.softmax(1), torch.tensor(counted / counted.sum(1, keepdims=True)).float()
    )


def test_pictures_are_neighbours_by_their_pixels_and_a_class_without_rows_gets_no_vote(toy, run_of):
    flat, pictures = toy(rows=50), toy(rows=50, shape=(1, 2, 3))
    for problem in (flat, pictures):
        problem.y[problem.y == 3] = 0
    one, other = (
        NearestNeighbours().solve(problem, run_of()).model(problem.x)
        for problem in (flat, pictures)
    )
    assert torch.equal(one, other)
    assert (one.argmax(1) != 3).all()


def test_a_forest_is_that_of_scikit_learn_and_trusts_a_row_as_far_as_the_trees_that_did_not_see_it(
    toy, run_of
):
    problem, asked = toy(rows=120), toy(1, rows=40).x
    problem.y[problem.y == 1] = 2  # no row of class 1
    found = RandomForest(trees=60).solve(problem, run_of(3))
    forest = found.model.forest
    shares = np.mean([tree.predict_proba(asked.numpy()) for tree in forest.estimators_], 0)
    expected = torch.zeros(40, 4, dtype=torch.float64)
    expected[:, [0, 2, 3]] = torch.from_numpy(shares)
    torch.testing.assert_close(found.model(asked).softmax(1), ((expected * 60 + 1) / 64).float())
    unseen = np.zeros((120, 3))
    for tree, drawn in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        out = np.setdiff1d(np.arange(120), drawn)
        unseen[out] += tree.predict_proba(problem.x.numpy()[out])
    unseen /= unseen.sum(1, keepdims=True)
    own = np.searchsorted([0, 2, 3], problem.y.numpy())
    np.testing.assert_allclose(found.clean_score.numpy(), unseen[np.arange(120), own], atol=1e-12)
    assert found.kept.tolist() == (unseen.max(1) <= unseen[np.arange(120), own]).tolist()
    assert torch.equal(
        RandomForest(trees=60).solve(problem, run_of(3)).model(asked), found.model(asked)
    )
    assert not torch.equal(
        RandomForest(trees=60).solve(problem, run_of(4)).model(asked), found.model(asked)
    )


def test_the_fewest_trees_that_are_allowed_leave_every_row_out_once(toy, run_of):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert RandomForest(trees=50).solve(toy(rows=2000), run_of()).clean_score.isfinite().all()


LIMITS = [EarlyStopping(share=0.0), Ensemble(members=1), WeightAverage(memory=0.0)]


@pytest.mark.parametrize("method", LIMITS, ids=lambda method: method.card.name)
@pytest.mark.parametrize(
    "net",
    [{}, {"net": "cnn", "widths": (4, 4, 4), "shape": (1, 8, 8), "rows": 40}],
    ids=["mlp", "cnn"],
)
def test_in_its_limit_a_baseline_is_cross_entropy_bit_for_bit(method, net, run_of, toy):
    problems = [_pictured(toy, seed, net) for seed in range(2)]
    for mine, other in zip(
        trained(method, problems, [run_of(0), run_of(1)]),
        trained(CrossEntropy(), problems, [run_of(0), run_of(1)]),
        strict=True,
    ):
        assert torch.equal(mine, other)


def _pictured(toy, seed, net):
    problem = toy(
        seed,
        rows=net.get("rows", 70),
        **{name: value for name, value in net.items() if name in ("net", "widths")},
    )
    if "shape" not in net:
        return problem
    return msgspec.structs.replace(
        problem,
        x=torch.randn(len(problem.y), *net["shape"], generator=torch.Generator().manual_seed(seed)),
    )


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_stopping_early_hands_over_the_epoch_that_fits_the_held_out_rows_best_and_trains_on_none_of_them(
    kind, toy, run_of, tmp_path, monkeypatch
):
    problem = _pictured(
        toy,
        0,
        {}
        if kind == "mlp"
        else {"net": "cnn", "widths": (4, 4, 4), "shape": (1, 8, 8), "rows": 60},
    )
    problem = msgspec.structs.replace(problem, epochs=8, lr=0.2)
    noted, looks = [], []

    class Looking(ce_early._State):
        def look(self):
            noted.append((self.held.clone(), self.seeds._rows.clone()))
            said = self.seeds.logits(self.seeds.nets, self.held)[0]
            everything = torch.cat([self.seeds.logits(self.seeds.nets)[0]])
            looks.append(
                (float((said.argmax(-1) == problem.y[self.held[0]]).double().mean()), everything)
            )
            super().look()

    monkeypatch.setattr(ce_early, "_State", Looking)
    solution = EarlyStopping(share=0.3).solve(problem, run_of())
    (held,), (kept,) = noted[0]
    assert sorted([*held.tolist(), *kept.tolist()]) == list(range(len(problem.y)))
    assert len(held) == round(0.3 * len(problem.y))
    scores = [score for score, _ in looks]
    best = scores.index(max(scores))
    assert len(set(scores)) > 1
    torch.testing.assert_close(solution.model(problem.x), looks[best][1], rtol=0, atol=1e-6)


def test_nets_that_predict_together_give_the_mean_of_their_probabilities_and_the_first_is_that_of_cross_entropy(
    toy, run_of
):
    problems = [toy(seed) for seed in range(2)]
    for seed, problem in enumerate(problems):
        found = Ensemble(members=3).solve_stacked(problems, [run_of(0), run_of(1)])[seed].model
        members = next(
            cell.cell_contents for cell in found.__closure__ if isinstance(cell.cell_contents, list)
        )
        said = torch.stack([F.softmax(member(problem.x), -1) for member in members])
        torch.testing.assert_close(found(problem.x).softmax(-1), said.mean(0))
        torch.testing.assert_close(
            members[0](problem.x),
            trained(CrossEntropy(), problems, [run_of(0), run_of(1)])[seed],
            rtol=0,
            atol=1e-5,
        )
        assert (said[0] - said[1]).abs().max() > 1e-3


def test_three_nets_visit_as_many_rows_as_elr_plus(toy, run_of):
    from bench.builtin.methods.noisy_labels.elr_plus import EarlyLearningRegularisationPlus

    runs = [run_of(), run_of()]
    for method, run in zip((Ensemble(), EarlyLearningRegularisationPlus()), runs, strict=True):
        method.solve(toy(), run)
    assert sum(runs[0]._counts.values()) == sum(runs[1]._counts.values()) > 0


def test_averaged_weights_follow_every_step(toy, run_of, monkeypatch):
    problem, passed, nets = toy(), [], []
    step = torch.optim.SGD.step

    def noting(optimiser, *given, **named):
        step(optimiser, *given, **named)
        passed.append([tensor.detach().clone() for tensor in nets[0].parameters()])

    monkeypatch.setattr(torch.optim.SGD, "step", noting)
    state = {}
    start = WeightAverage.start

    def starting(method, seeds):
        nets.append(seeds.nets)
        return state.setdefault("it", start(method, seeds))

    monkeypatch.setattr(WeightAverage, "start", starting)
    WeightAverage(memory=0.75).solve(problem, run_of())
    assert len(passed) == 4 * 5
    average = [tensor.clone() for tensor in passed[0]]
    for count, weights in enumerate(passed[1:], 2):
        share = max(1 / count, 0.25)
        average = [
            share * new + (1 - share) * old for new, old in zip(weights, average, strict=True)
        ]
    for mine, expected in zip(state["it"].nets.parameters(), average, strict=True):
        torch.testing.assert_close(mine, expected, rtol=0, atol=1e-6)
