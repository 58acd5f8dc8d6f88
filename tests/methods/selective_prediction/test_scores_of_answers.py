"""Scores of answers: formulas by hand, Bayes' rule of the rejector, and what is fitted."""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.ood_detection.msp import MaximumProbability
from bench.builtin.methods.ood_detection.sage_score import SageScore
from bench.builtin.methods.selective_prediction.correctness import Correctness
from bench.builtin.methods.selective_prediction.entropy import Entropy
from bench.builtin.methods.selective_prediction.fixed_reject import FixedReject, surrogate
from bench.builtin.methods.selective_prediction.margin import Margin
from torch.nn import functional as F

from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.tracks.selective_prediction import Problem
from bench.training.fixed_net import Recipe, fixed_net


def run_of(folder):
    return Run(seed=0, task="x/toy", method="x/x", device=torch.device("cpu"), workdir=folder)


def rows(n, generator):
    """Pictures whose bright row says the class; of every second one pixels are lost."""
    y = torch.arange(n) % 3
    x = 0.3 * torch.rand(n, 1, 6, 6, generator=generator)
    x[torch.arange(n), 0, y] += 0.6
    return x, y


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    generator = torch.Generator().manual_seed(0)
    x, y = rows(120, generator)
    x_val, y_val = rows(200, generator)
    x_val[1::2] = torch.rand(100, 1, 6, 6, generator=generator)
    net = fixed_net(
        x, y, 3, Recipe(widths=(24, 12), epochs=12, lr=5e-3), run_of(tmp_path_factory.mktemp("r"))
    )
    return Problem(model=net, x=x, y=y, x_val=x_val, y_val=y_val, n_classes=3, cost=0.2)


def score(method, problem, shown, folder):
    return method.solve(problem, run_of(folder)).score(shown)[:, 0].double()


def test_margin_and_entropy_are_their_formulas(problem, tmp_path):
    shown = problem.x_val[:20]
    p = problem.model(shown).softmax(1).double().sort(1, descending=True).values
    found = score(Margin(), problem, shown, tmp_path)
    assert torch.allclose(found, p[:, 0] - p[:, 1], atol=1e-6)
    found = score(Entropy(), problem, shown, tmp_path)
    assert torch.allclose(found, (p * p.clamp_min(1e-30).log()).sum(1), atol=1e-5)


def test_with_two_classes_margin_entropy_and_maximum_probability_order_rows_alike(tmp_path):
    generator = torch.Generator().manual_seed(1)
    x, y = torch.rand(60, 1, 4, 4, generator=generator), torch.arange(60) % 2
    net = fixed_net(x, y, 2, Recipe(widths=(8,), epochs=4), run_of(tmp_path))
    problem = Problem(model=net, x=x, y=y, x_val=x, y_val=y, n_classes=2)
    first, *others = (
        score(method(), problem, x, tmp_path) for method in (MaximumProbability, Margin, Entropy)
    )
    for other in others:
        ordered = other[first.argsort()]
        assert bool((ordered.diff() >= -1e-6).all())


@pytest.mark.parametrize("eta", [0.05, 0.2, 0.6])
def test_the_rejector_is_least_at_half_the_logarithm_of_cost_over_error(eta):
    cost, r = 0.2, torch.linspace(-3, 3, 6001, dtype=torch.float64)
    mean = eta * surrogate(r, torch.ones_like(r), cost) + (1 - eta) * surrogate(
        r, torch.zeros_like(r), cost
    )
    best = float(r[mean.argmin()])
    assert best == pytest.approx(0.5 * np.log(cost / eta), abs=2e-3)
    assert (best > 1e-3) == (eta < cost)


def test_the_rejector_keeps_rows_like_those_that_the_net_gets_right(problem, tmp_path):
    found = FixedReject(steps=300, lr=1e-2).solve(problem, run_of(tmp_path))
    assert found.threshold == 0
    r = found.score(problem.x_val)[:, 0]
    wrong = problem.model(problem.x_val).argmax(1) != problem.y_val
    assert r[~wrong].mean() > r[wrong].mean()
    own = float(torch.where(r >= 0, wrong.float(), torch.tensor(0.2)).mean())
    assert own < min(0.2, float(wrong.float().mean()))


def test_correctness_is_the_regression_of_scikit_learn_on_its_columns(problem, tmp_path):
    from sklearn.linear_model import LogisticRegression

    net = problem.model
    h = net.features(problem.x_val)
    logits = net(problem.x_val)
    far = (F.normalize(h)[:, None] - F.normalize(net.features(problem.x))).norm(dim=2)
    columns = torch.cat(
        [logits.sort(1).values, logits.logsumexp(1)[:, None], far.sort(1).values[:, 9:10]], 1
    ).numpy()
    columns = (columns - columns.mean(0)) / columns.std(0, ddof=1)
    right = (logits.argmax(1) == problem.y_val).numpy()
    by_hand = LogisticRegression(max_iter=1000).fit(columns, right).decision_function(columns)
    found = score(Correctness(), problem, problem.x_val, tmp_path).numpy()
    assert np.allclose(found, by_hand, atol=1e-2)


def test_correctness_of_a_net_that_is_always_right_cannot_be_fitted(problem, tmp_path):
    said = problem.model(problem.x_val).argmax(1)
    easy = msgspec.structs.replace(problem, y_val=said)
    with pytest.raises(InvalidRun, match="nothing to fit"):
        Correctness().solve(easy, run_of(tmp_path))


def test_sage_gives_rows_of_training_high_ranks_and_strange_ones_none(problem, tmp_path):
    method = SageScore(k=5, latents=8, width=32, epochs=60)
    scorer = method.scorer(problem, run_of(tmp_path))
    own, strange = scorer(problem.x), scorer(3 * problem.x_val[1::2])
    assert 0 <= float(own.min()) <= float(own.max()) <= 1
    assert own.mean() > 0.3
    assert strange.mean() < 0.05
    with pytest.raises(InvalidRun, match="take fewer neighbours"):
        SageScore(k=120).solve(problem, run_of(tmp_path))
