"""Losses of one-sided noise: limits in which two are one, and formulas against slow ones."""

import math

import numpy as np
import pytest
import torch
from bench.builtin.methods.noisy_regression.forest_mean import ForestMean
from bench.builtin.methods.noisy_regression.huber import Huber
from bench.builtin.methods.noisy_regression.mae import AbsoluteError
from bench.builtin.methods.noisy_regression.mse import SquaredError
from bench.builtin.methods.noisy_regression.mse_early import SquaredErrorEarly
from bench.builtin.methods.noisy_regression.mse_long import SquaredErrorLong
from bench.builtin.methods.noisy_regression.pinball import Pinball
from bench.builtin.methods.noisy_regression.skew_mixture import SkewMixture, log_density
from bench.builtin.methods.noisy_regression.upper_unlabelled import UpperUnlabelled
from hypothesis import given, settings
from hypothesis import strategies as st
from recipes_small import runs

from bench.errors import ParameterError
from bench.tracks.noisy_regression import Batch, Problem

METHODS = (
    SquaredError(),
    AbsoluteError(),
    Huber(),
    Pinball(),
    SkewMixture(),
    UpperUnlabelled(),
    SquaredErrorEarly(),
    SquaredErrorLong(),
    ForestMean(trees=3),
)


def named(method):
    return method.card.name


def lowered(seed=0, rows=200, **protocol):
    """Return a problem of a line of which half of the targets are too low, and clean targets."""
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((rows, 3))
    clean = x @ [1.0, -0.5, 0.2]
    low = (generator.random(rows) < 0.5) * abs(generator.standard_normal(rows))
    protocol = {"widths": (8,), "epochs": 3, "batch_size": 32, "lr": 0.02, **protocol}
    protocol.setdefault("optimiser", "adam")
    problem = Problem(
        x=torch.from_numpy(x).float(), y=torch.from_numpy(clean - low).float(), **protocol
    )
    return problem, torch.from_numpy(clean).float()


def predicted(method, problem, folder):
    (run,) = runs(folder, 1, track="noisy-regression", method=method.card.name)
    model = method.solve(problem, run).model
    with torch.no_grad():
        return model(problem.x)


def of_step(method, d):
    """Return the gradient of a method's mean loss over a batch by its outputs, for gaps (B,)."""
    rows = len(d)
    f = torch.zeros(1, rows, 1, requires_grad=True)
    x = torch.zeros(1, rows, 1)
    places = torch.arange(rows)[None]
    batch = Batch(epoch=0, step=0, rows=places, flat=places, x=x, y=d[None])
    method.loss(None, batch, f).mean().backward()
    return f.grad.flatten()


@pytest.mark.parametrize(
    ("one", "other"),
    [(Huber(delta=1e6), SquaredError()), (Pinball(q=0.5), AbsoluteError())],
    ids=["huber", "pinball"],
)
def test_in_its_limit_a_loss_is_a_plain_one_bit_for_bit(tmp_path, one, other):
    problem, _ = lowered()
    first, second = (predicted(method, problem, tmp_path) for method in (one, other))
    assert torch.equal(first, second)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=1, max_size=6), st.floats(0.1, 0.9))
def test_losses_are_those_of_a_hand_computation(gaps, q):
    gaps = [gap for gap in gaps if abs(abs(gap) - 1) > 1e-3 and abs(gap) > 1e-3] or [0.5]
    d, rows = torch.tensor(gaps), len(gaps)
    huber = [-2 * max(-1.0, min(1.0, gap)) / rows for gap in gaps]
    torch.testing.assert_close(of_step(Huber(delta=1.0), d), torch.tensor(huber))
    pinball = [(-2 * q if gap > 0 else 2 * (1 - q)) / rows for gap in gaps]
    torch.testing.assert_close(of_step(Pinball(q=q), d), torch.tensor(pinball))


def test_a_lower_target_moves_nothing_but_its_inputs_do():
    gaps = torch.tensor([0.3, 2.0, -0.5, -4.0, -0.1])
    found = of_step(UpperUnlabelled(above=0.4), gaps)
    # pi E_up[-1 - 1] + E_all[1]
    wanted = torch.full((5,), 1 / 5) - 0.4 * 2 * torch.tensor([1.0, 1, 0, 0, 0]) / 2
    torch.testing.assert_close(found, wanted)
    moved = gaps.clone()
    moved[2:] *= 3
    torch.testing.assert_close(of_step(UpperUnlabelled(above=0.4), moved), found)
    nobody = of_step(UpperUnlabelled(), -gaps.abs())
    torch.testing.assert_close(nobody, torch.full((5,), 1 / 5))


@settings(max_examples=15, deadline=None)
@given(st.floats(0.1, 2), st.floats(0.05, 3), st.floats(0.05, 0.95))
def test_the_density_of_the_noise_integrates_to_one_and_has_its_mean(tau, a, p):
    d = torch.linspace(-25, 15, 80_001, dtype=torch.float64)
    tell = torch.tensor([math.log(tau), math.log(a), math.log(p / (1 - p))], dtype=torch.float64)
    density = log_density(d, *tell).exp()
    assert float(torch.trapezoid(density, d)) == pytest.approx(1, abs=1e-4)
    mean = float(torch.trapezoid(density * d, d))
    assert mean == pytest.approx(-p * a * math.sqrt(2 / math.pi), abs=1e-3)


def test_the_noise_that_is_learned_is_near_the_one_that_was_drawn(tmp_path):
    problem, _ = lowered(rows=2000)
    noisy = np.random.default_rng(1).normal(0, 0.2, 2000)
    problem = Problem(
        x=problem.x,
        y=problem.y + torch.from_numpy(noisy).float(),
        widths=(16,),
        epochs=20,
        batch_size=100,
        lr=0.02,
        optimiser="adam",
    )
    (run,) = runs(tmp_path, 1, track="noisy-regression", method="skew-mixture")
    SkewMixture().solve(problem, run)
    told = run._logs[-1]
    assert told["tau"] == pytest.approx(0.2, abs=0.06)
    assert told["a"] == pytest.approx(1.0, abs=0.15)
    assert told["p"] == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize("method", [Pinball(), SkewMixture()], ids=named)
def test_a_method_that_knows_the_side_is_nearer_to_clean_targets_than_the_squared_error(
    tmp_path, method
):
    problem, clean = lowered(rows=400, epochs=12)
    wrong = [
        float((predicted(one, problem, tmp_path)[:, 0] - clean).abs().mean())
        for one in (method, SquaredError())
    ]
    assert wrong[0] < wrong[1] - 0.1


@pytest.mark.parametrize("method", METHODS[:-1], ids=named)
def test_a_seed_learns_the_same_alone_and_in_company(tmp_path, method):
    problems = [lowered(seed, rows=60)[0] for seed in (0, 1)]
    own = runs(tmp_path, 2, track="noisy-regression", method=method.card.name)
    together = method.solve_stacked(problems, own)
    alone = predicted(method, problems[0], tmp_path)
    with torch.no_grad():
        torch.testing.assert_close(together[0].model(problems[0].x), alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("method", METHODS, ids=named)
@pytest.mark.parametrize("case", ["one row", "all the same"])
def test_targets_that_say_little_still_give_a_model(tmp_path, method, case):
    if case == "one row" and method.card.name == "mse-early":
        return  # nothing is left to hold out
    problem, _ = lowered(rows=1 if case == "one row" else 30)
    if case == "all the same":
        problem = Problem(x=problem.x, y=torch.zeros(30), widths=(4,), epochs=2, optimiser="adam")
    assert bool(predicted(method, problem, tmp_path).isfinite().all())


@pytest.mark.parametrize("wrong", [{"tau": 1e-300}, {"a": 1e-300}, {"tau": 1e30}, {"a": 1e30}])
def test_sizes_of_noise_that_float32_does_not_hold_are_refused(wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        SkewMixture(**wrong)
    least, most = torch.tensor(1e-3).log(), torch.tensor(1e3).log()
    d = torch.tensor([-3.0, 0.0, 3.0])
    for tau, a in ((least, least), (least, most), (most, least), (most, most)):
        assert bool(log_density(d, tau, a, torch.tensor(0.0)).isfinite().all())
