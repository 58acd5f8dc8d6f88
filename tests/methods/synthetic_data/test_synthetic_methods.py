"""Ways to fit a chain and a mixture against limits in which two coincide, and slow formulas."""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.synthetic_data.accumulate import Accumulate
from bench.builtin.methods.synthetic_data.ambient_mix import AmbientMix
from bench.builtin.methods.synthetic_data.clean_only import CleanOnly
from bench.builtin.methods.synthetic_data.first_only import FirstOnly
from bench.builtin.methods.synthetic_data.mix_real import MixReal
from bench.builtin.methods.synthetic_data.noisy_only import NoisyOnly
from bench.builtin.methods.synthetic_data.ols import LeastSquares
from bench.builtin.methods.synthetic_data.pooled import Pooled
from bench.builtin.methods.synthetic_data.ridge import Ridge
from bench.builtin.methods.synthetic_data.ridge_adaptive import AdaptiveRidge
from bench.builtin.methods.synthetic_data.wiener import Wiener
from poisoning_small import run_of

from bench.errors import BenchError, InvalidRun
from bench.tracks.synthetic_data import Chain, Mixed, Rows, expectation_maximisation, ridge

CHAINS = (LeastSquares, FirstOnly, Ridge, AdaptiveRidge, Accumulate, MixReal)


def chain(seed=0, generations=4, rows=12, size=3, sd=0.5):
    draw = np.random.default_rng(seed)
    x = torch.tensor(draw.standard_normal((generations, rows, size)))
    true = torch.tensor(draw.standard_normal(size))
    real = torch.tensor(draw.standard_normal((generations, 4, size + 1)))
    real[..., -1] = real[..., :-1] @ true
    return Chain(
        x=x,
        y=x[0] @ true + sd * torch.tensor(draw.standard_normal(rows)),
        noise=sd * torch.tensor(draw.standard_normal((generations - 1, rows))),
        real=real,
        sd=sd,
    )


def weights(method, problem, folder):
    return method.solve(problem, run_of(folder)).weights


def test_ridge_without_a_penalty_is_least_squares(tmp_path):
    expected = weights(LeastSquares(), chain(), tmp_path)
    for method in (Ridge(lam=0.0), AdaptiveRidge(factor=0.0)):
        assert torch.equal(weights(method, chain(), tmp_path), expected)


@pytest.mark.parametrize("kind", CHAINS)
def test_the_first_generation_does_not_depend_on_the_noise_of_later_ones(kind, tmp_path):
    problem = chain()
    found = weights(kind(), problem, tmp_path)
    other = weights(kind(), msgspec.structs.replace(problem, noise=problem.noise + 1), tmp_path)
    assert torch.equal(found[0], other[0])
    assert torch.equal(found[1:], other[1:]) == (kind is FirstOnly)


def test_least_squares_is_numpys_on_answers_of_the_generation_before(tmp_path):
    problem = chain()
    found, mine = weights(LeastSquares(), problem, tmp_path), None
    for n in range(4):
        x = problem.x[n].numpy()
        y = problem.y.numpy() if mine is None else x @ mine + problem.noise[n - 1].numpy()
        mine = np.linalg.lstsq(x, y, rcond=None)[0]
        np.testing.assert_allclose(found[n].numpy(), mine, atol=1e-9)


def test_without_noise_nothing_collapses(tmp_path):
    for kind in (LeastSquares, FirstOnly, Accumulate, MixReal):
        found = weights(kind(), chain(sd=0.0), tmp_path)
        torch.testing.assert_close(found, found[:1].expand_as(found))


def test_a_penalty_is_that_of_its_normal_equations():
    rows = Rows(x=chain().x[0], y=chain().y)
    x, y = rows.x.numpy(), rows.y.numpy()
    padded = np.concatenate([x / np.sqrt(12), np.sqrt(0.3) * np.eye(3)])
    slow = np.linalg.lstsq(padded, np.append(y / np.sqrt(12), np.zeros(3)), rcond=None)[0]
    np.testing.assert_allclose(ridge(rows, 0.3).numpy(), slow, atol=1e-9)


def test_an_adapted_penalty_grows_with_the_generation_and_falls_with_the_rows(tmp_path):
    problem = chain()
    seen = []

    def fit(at):
        found = AdaptiveRidge(factor=2.0).fit(problem, at)
        seen.append(torch.equal(found, ridge(at.rows, 2 * (at.n + 1) / 12)))
        return found

    problem.generations(fit)
    assert seen == [True] * 4


def test_accumulation_and_real_rows_are_least_squares_on_what_they_say(tmp_path):
    problem, seen = chain(), []

    def fit(at):
        x = torch.cat([*[rows.x for rows in at.earlier], at.rows.x])
        y = torch.cat([*[rows.y for rows in at.earlier], at.rows.y])
        mixed_x = torch.cat([at.rows.x[:8], at.real.x])
        mixed_y = torch.cat([at.rows.y[:8], at.real.y])
        for method, rows in (
            (Accumulate(), Rows(x=x, y=y)),
            (MixReal(), Rows(x=mixed_x, y=mixed_y)),
        ):
            slow = np.linalg.lstsq(rows.x.numpy(), rows.y.numpy(), rcond=None)[0]
            seen.append(np.abs(method.fit(problem, at).numpy() - slow).max())
        return Accumulate().fit(problem, at)

    problem.generations(fit)
    assert max(seen) < 1e-9


def test_least_squares_on_fewer_rows_than_inputs_ends_in_a_sentence():
    with pytest.raises(InvalidRun, match="2 rows of 3 inputs"):
        ridge(Rows(x=chain().x[0, :2], y=chain().y[:2]), 0.0)


# Mixtures ----------------------------------------------------------------------------------


def mixture(noise=1.0, clean=60, noisy=240, seed=0):
    draw = np.random.default_rng(seed)
    centres = 3 * np.eye(3, 4)
    x = centres[draw.integers(3, size=clean + noisy)]
    x = x + draw.standard_normal(x.shape)
    levels = np.repeat([0.0, noise], [clean, noisy])
    x = x + levels[:, None] * draw.standard_normal(x.shape)
    return Mixed(x=torch.tensor(x), levels=torch.tensor(levels), k=3)


def centres(method, problem, folder):
    return method.solve(problem, run_of(folder, track="synthetic-data")).centres


def test_without_noise_all_rows_are_clean_whatever_is_said_of_them(tmp_path):
    problem = mixture(noise=0.0)
    expected = centres(CleanOnly(), problem, tmp_path)
    for method in (AmbientMix(), Pooled()):
        assert torch.equal(centres(method, problem, tmp_path), expected)
    x, variance = Wiener().rows(problem.x, problem.levels)
    torch.testing.assert_close(x, problem.x)
    assert (variance == 1).all()


def test_a_level_of_its_own_for_each_row_is_what_each_part_alone_has():
    problem = mixture()
    x, variance = AmbientMix().rows(problem.x, problem.levels)
    clean, noisy = (kind().rows(problem.x, problem.levels) for kind in (CleanOnly, NoisyOnly))
    assert torch.equal(torch.cat([clean[0], noisy[0]]), x)
    assert torch.equal(torch.cat([clean[1], noisy[1]]), variance)
    assert set(variance.tolist()) == {1.0, 2.0}


def test_a_round_of_expectation_maximisation_is_the_sum_over_rows(monkeypatch):
    from bench.tracks import synthetic_data

    monkeypatch.setattr(synthetic_data, "STARTS", 1)
    monkeypatch.setattr(synthetic_data, "ROUNDS", 1)
    problem = mixture(clean=6, noisy=10)
    variance = 1 + problem.levels**2
    found = expectation_maximisation(
        problem.x, variance, 3, torch.Generator().manual_seed(0)
    ).numpy()
    keys = torch.rand(1, 16, generator=torch.Generator().manual_seed(0))
    x, v = problem.x.numpy(), variance.numpy()
    start = x[keys.argsort(-1)[0, :3].numpy()]
    top, bottom = np.zeros((3, 4)), np.zeros(3)
    for row in range(16):
        share = np.exp(-((x[row] - start) ** 2).sum(1) / (2 * v[row]))
        share /= share.sum()
        for c in range(3):
            top[c] += share[c] / v[row] * x[row]
            bottom[c] += share[c] / v[row]
    np.testing.assert_allclose(found, top / bottom[:, None], atol=1e-9)


def test_one_centre_is_the_mean_weighed_by_precision():
    problem = mixture()
    variance = 1 + problem.levels**2
    found = expectation_maximisation(problem.x, variance, 1, torch.Generator().manual_seed(0))
    expected = np.average(problem.x.numpy(), axis=0, weights=1 / variance.numpy())
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-9)


def test_the_filter_is_the_linear_estimate_of_least_error(tmp_path):
    problem = mixture(noise=2.0)
    x, _ = Wiener().rows(problem.x, problem.levels)
    clean = problem.x[:60].numpy()
    spread, mean = np.cov(clean.T), clean.mean(0)
    gain = spread @ np.linalg.inv(spread + 4 * np.eye(4))
    slow = mean + (problem.x[60:].numpy() - mean) @ gain.T
    np.testing.assert_allclose(x[60:].numpy(), slow, atol=1e-9)
    torch.testing.assert_close(x[:60], problem.x[:60])


def test_fewer_rows_than_centres_and_missing_needs_end_in_a_sentence(tmp_path):
    with pytest.raises(InvalidRun, match="2 rows are fewer than the 3 centres"):
        expectation_maximisation(
            torch.zeros(2, 4).double(), torch.ones(2).double(), 3, torch.Generator()
        )
    bare = Mixed(x=mixture().x, k=3)
    with pytest.raises(InvalidRun, match="does not need 'levels'"):
        centres(Pooled(), bare, tmp_path)
    problem = chain()
    with pytest.raises(InvalidRun, match="does not need 'noise'"):
        weights(LeastSquares(), Chain(x=problem.x, y=problem.y), tmp_path)
    with pytest.raises(BenchError, match="lam"):
        Ridge(lam=-1.0)
