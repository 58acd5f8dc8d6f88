"""The plain baselines of the track: figures counted slowly, forests of scikit-learn, and the limit
in which nets together are the null.
"""

import itertools

import numpy as np
import pytest
import torch
from bench.builtin.methods.graph_ood.erm import EmpiricalRisk
from bench.builtin.methods.graph_ood.erm_ensemble import Ensemble, mean_of
from bench.builtin.methods.graph_ood.forest import Forest, figures

KINDS = ["classes", "binary", "numbers"]


def slow_figures(x, edges):
    """Return the figures of one graph, counted one by one."""
    n, pairs = len(x), {tuple(sorted(pair)) for pair in edges.T.tolist()}
    beside = [
        {other for pair in pairs for other in pair if v in pair and other != v} for v in range(n)
    ]
    triangles = sum(
        all(tuple(sorted(two)) in pairs for two in itertools.combinations(three, 2))
        for three in itertools.combinations(range(n), 3)
    )
    squares = sum(
        {tuple(sorted((ring[k], ring[(k + 1) % 4]))) for k in range(4)} <= pairs
        for four in itertools.combinations(range(n), 4)
        for ring in (
            (four[0], *rest) for rest in itertools.permutations(four[1:]) if rest[0] < rest[2]
        )
    )
    counts = [len(pairs), triangles, squares]
    degrees = [sum(min(len(own), 8) == d for own in beside) / n for d in range(9)]
    return [n, *counts, *(count / n for count in counts), *degrees, *x.mean(0).tolist()]


def test_the_figures_of_a_graph_are_those_counted_one_by_one(graphs_of):
    graphs = graphs_of(40)
    parts = zip(
        graphs.x.double().split(graphs.nodes.tolist()),
        graphs.edges.split(graphs.sizes.tolist(), 1),
        strict=True,
    )
    expected = np.array([slow_figures(x, edges) for x, edges in parts])
    np.testing.assert_allclose(figures(graphs.batch()), expected, atol=1e-12)
    assert (expected[:, 2:4].max(0) > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_forest_says_of_each_graph_what_scikit_learn_s_says_of_its_figures(toy, run_of, kind):
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    problem, asked = toy(kind=kind), toy(1, kind=kind).graphs.batch()
    if kind == "numbers":
        problem.y[:20, 1] = torch.nan
    said = Forest(trees=30).solve(problem, run_of()).model(asked).logits.double()
    draws = run_of().numpy_generator("method").integers(2**31, size=1 if kind == "classes" else 2)
    x, y, theirs = figures(problem.graphs.batch()), problem.y.numpy(), figures(asked)
    if kind == "classes":
        shares = (
            RandomForestClassifier(30, random_state=int(draws[0])).fit(x, y).predict_proba(theirs)
        )
        torch.testing.assert_close(
            said.softmax(1), torch.from_numpy((shares * 30 + 1) / 33), rtol=0, atol=1e-6
        )
    for place, draw in enumerate(draws if kind != "classes" else ()):
        known = y[:, place] >= 0 if kind == "binary" else np.isfinite(y[:, place])
        assert 0 < known.sum() < len(y) or (kind == "numbers" and place == 0)
        grown = (RandomForestClassifier if kind == "binary" else RandomForestRegressor)(
            30, random_state=int(draw)
        ).fit(x[known], y[known, place])
        if kind == "binary":
            yes = torch.from_numpy(
                (grown.predict_proba(theirs)[:, list(grown.classes_).index(1)] * 30 + 1) / 32
            )
            torch.testing.assert_close(said[:, place].sigmoid(), yes, rtol=0, atol=1e-6)
        else:
            np.testing.assert_allclose(said[:, place].numpy(), grown.predict(theirs), atol=1e-6)


def test_a_question_that_no_graph_answers_and_one_that_all_answer_alike_are_said_so(toy, run_of):
    problem = toy(kind="binary")
    problem.y[:, 0] = -1
    problem.y[:, 1] = 1
    said = Forest(trees=10).solve(problem, run_of()).model(problem.graphs.batch()).logits
    assert (said[:, 0] == 0).all()
    torch.testing.assert_close(said[:, 1].sigmoid(), torch.full((70,), 11 / 12))


@pytest.mark.parametrize("kind", KINDS)
def test_one_net_alone_is_the_null_bit_for_bit(toy, run_of, kind):
    problem = toy(kind=kind)
    nets = [
        method.solve(problem, run_of()).model.eval()
        for method in (Ensemble(members=1), EmpiricalRisk())
    ]
    with torch.no_grad():
        assert torch.equal(*(net(problem.graphs.batch()).logits for net in nets))


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_of_several_nets_is_the_null_s_and_they_predict_with_the_mean(toy, run_of, kind):
    problem, run = toy(kind=kind), run_of()
    together, null = (
        Ensemble(members=3).solve(problem, run).model.eval(),
        EmpiricalRisk().solve(problem, run_of()).model.eval(),
    )
    batch = problem.graphs.batch()
    with torch.no_grad():
        said = torch.stack([net(batch).logits for net in together.nets])
        torch.testing.assert_close(said[0], null(batch).logits, rtol=0, atol=1e-5)
        found = together(batch).logits
    assert (said[0] - said[1]).abs().max() > 1e-3
    if kind == "classes":
        torch.testing.assert_close(found.softmax(-1), said.softmax(-1).mean(0))
    elif kind == "binary":
        torch.testing.assert_close(found.sigmoid(), said.sigmoid().mean(0))
    else:
        torch.testing.assert_close(found, said.mean(0))
    assert (
        run._counts == {"forward": 3 * 3 * 70, "backward": 3 * 3 * 70}
        or run._counts["forward"] == 3 * 3 * 64
    )


def test_nets_that_are_quite_sure_stay_finite_together():
    sure = torch.tensor([[[300.0, -300.0]], [[-300.0, 300.0]]])
    assert all(mean_of(sure, kind).isfinite().all() for kind in KINDS)
