"""Denoisers of clean and noisy rows against limits in which two coincide, and slow formulas."""

import math

import msgspec
import pytest
import torch
from bench.builtin.methods.synthetic_data.ambient_diffusion import AmbientDiffusion
from bench.builtin.methods.synthetic_data.diffusion_clean import DiffusionClean
from bench.builtin.methods.synthetic_data.diffusion_noisy import DiffusionNoisy
from bench.builtin.methods.synthetic_data.diffusion_pooled import DiffusionPooled
from bench.builtin.methods.synthetic_data.diffusion_wiener import DiffusionWiener
from bench.builtin.methods.synthetic_data.gaussian_moments import GaussianMoments
from bench.builtin.methods.synthetic_data.wiener import Wiener
from poisoning_small import run_of

from bench.errors import InvalidRun
from bench.tracks.synthetic_diffusion import Denoisers, Draws, Noised, learn, sigma_law

METHODS = (DiffusionClean, DiffusionNoisy, DiffusionPooled, DiffusionWiener, AmbientDiffusion)


def noised(noise=1.0, clean=24, noisy=40, steps=6, **protocol):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(clean + noisy, 3, generator=generator) * torch.tensor([1.5, 1.0, 0.5])
    sigma = torch.tensor([0.0] * clean + [noise] * noisy)
    x = x + sigma[:, None] * torch.randn(x.shape, generator=generator)
    small = {"samples": 5, "widths": (8,), "batch_size": 8, **protocol}
    return Noised(x=x, sigma=sigma, steps=steps, **small)


def rows(method, problem, folder):
    return method.solve(problem, run_of(folder, track="synthetic-data")).rows


def nets_of(folder, count=1):
    run = run_of(folder, track="synthetic-data")
    return Denoisers(3, (8,), [run.seeded("init", k) for k in range(count)], run.device)


def test_without_noise_all_rows_are_clean_ones_of_their_union(tmp_path):
    problem = noised(noise=0.0)
    expected = rows(DiffusionClean(), problem, tmp_path)
    for method in (AmbientDiffusion(), AmbientDiffusion(compat=True), DiffusionPooled()):
        assert torch.equal(rows(method, problem, tmp_path), expected)


def test_every_method_learns_something_else_from_noisy_rows(tmp_path):
    problem = noised(steps=20)
    found = [rows(kind(), problem, tmp_path) for kind in METHODS]
    found.append(rows(AmbientDiffusion(compat=True), problem, tmp_path))
    assert len({tuple(one.flatten().tolist()) for one in found}) == len(found)
    assert all(one.isfinite().all() and one.shape == (5, 3) for one in found)


@pytest.mark.parametrize("clamp", [False, True])
def test_raised_draws_teach_nothing_below_the_noise_of_a_row_and_the_law_above_it_all(
    clamp, tmp_path
):
    nets = nets_of(tmp_path)
    levels = torch.ones(1, 64)
    chosen = torch.linspace(0.01, 0.99, 64, dtype=torch.float64)[None]
    sigma = sigma_law(chosen, levels, clamp)
    data = torch.randn(1, 64, 3, generator=torch.Generator().manual_seed(0))
    losses = nets.loss(data, levels[..., None], sigma[..., None], torch.ones_like(data))[0]
    below = chosen[0] < torch.special.ndtr(torch.tensor(1.2 / 1.2, dtype=torch.float64))
    taught = [
        any(
            bool(part.abs().max() > 0)
            for part in torch.autograd.grad(loss, list(nets.nets.parameters()), retain_graph=True)
        )
        for loss in losses
    ]
    if clamp:
        assert torch.equal(sigma[0][below], torch.ones(int(below.sum())))
        assert (losses[below] == 0).all()
        assert taught == (~below).tolist()
    else:
        assert (sigma[0] >= 1).all()
        assert all(taught)


def test_the_law_is_the_log_normal_one_given_that_it_is_above_the_level():
    chosen = torch.rand(200_000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    free = sigma_law(chosen, torch.zeros(200_000)).double().log()
    assert float(free.mean()) == pytest.approx(-1.2, abs=0.02)
    assert float(free.std()) == pytest.approx(1.2, abs=0.02)
    above = free[free > math.log(0.5)]
    bound = sigma_law(chosen, torch.full((200_000,), 0.5)).double().log()
    for share in (0.1, 0.5, 0.9):
        assert float(bound.quantile(share)) == pytest.approx(float(above.quantile(share)), abs=0.03)


def test_the_loss_of_a_row_is_the_papers_formula(tmp_path):
    nets = nets_of(tmp_path)
    generator = torch.Generator().manual_seed(1)
    y, noise = (torch.randn(1, 4, 3, generator=generator) for _ in range(2))
    c, sigma = torch.tensor([0.0, 0.5, 0.5, 1.0]), torch.tensor([0.3, 0.6, 2.0, 1.5])
    found = nets.loss(y, c[None, :, None], sigma[None, :, None], noise)[0]
    for row in range(4):
        s, own = float(sigma[row]), float(c[row])
        x = y[0, row] + math.sqrt(s**2 - own**2) * noise[0, row]
        inside = torch.cat([x / math.sqrt(s**2 + 1), torch.tensor([math.log(s) / 4])])
        said = nets.nets.member(0)(inside[None])[0]
        clean = x / (s**2 + 1) + s / math.sqrt(s**2 + 1) * said
        estimate = own**2 / s**2 * x + (1 - own**2 / s**2) * clean
        slow = (s**2 + 1) / s**2 * ((estimate - y[0, row]) ** 2).mean()
        assert float(found[row].detach()) == pytest.approx(float(slow.detach()), rel=1e-4)


def best_of_normal_rows(folder):
    """D = x / (1 + sigma^2), the best denoiser of the standard normal law."""
    nets = nets_of(folder)
    for part in nets.nets.parameters():
        part.data.zero_()
    return nets


def test_the_best_denoiser_of_clean_rows_leaves_the_least_loss_of_noisy_rows_too(tmp_path):
    c, s = 0.5, 1.2
    generator = torch.Generator().manual_seed(0)
    y = math.sqrt(1 + c**2) * torch.randn(1, 40_000, 3, generator=generator)
    noise = torch.randn(y.shape, generator=generator)
    level, sigma = (torch.full((1, 40_000, 1), one) for one in (c, s))
    found = best_of_normal_rows(tmp_path).loss(y, level, sigma, noise).detach().mean()
    # the variance of y given x, and the weight
    least = (1 + c**2) - (1 + c**2) ** 2 / (1 + s**2)
    assert float(found) == pytest.approx((s**2 + 1) / s**2 * least, rel=0.02)


def test_samples_of_a_normal_law_have_its_spread(tmp_path):
    nets = best_of_normal_rows(tmp_path)
    start = torch.randn(1, 4000, 3, generator=torch.Generator().manual_seed(0))
    found = nets.sample(start, 24)[0]
    # of the path's exact solution x0 / sqrt(1 + sigma^2) Heun's steps are off by a little
    assert float(found.std()) == pytest.approx(1, abs=0.05)


def test_a_member_learns_from_its_own_rows_alone(tmp_path):
    problem, found = noised(), []
    for other in (problem.x[:20], problem.x[20:60] + 1):
        nets, run = nets_of(tmp_path, 2), run_of(tmp_path, track="synthetic-data")
        sets = [(one, torch.zeros(len(one))) for one in (problem.x[:30], other)]
        learn(nets, sets, problem, Draws([run, run]))
        found.append([part.detach()[0] for part in nets.nets.parameters()])
    for first, second in zip(*found, strict=True):
        assert torch.equal(first, second)


def test_filtered_rows_are_those_of_the_filter_of_centres():
    problem = noised()
    found, levels = DiffusionWiener().rows(problem.x, problem.sigma)
    expected, _ = Wiener().rows(problem.x.double(), problem.sigma.double())
    torch.testing.assert_close(found, expected.float())
    assert (levels == 0).all()


def test_moments_are_those_of_the_rows_before_the_noise(tmp_path):
    problem = noised(clean=4000, noisy=16000, samples=20000)
    found = rows(GaussianMoments(), problem, tmp_path)
    spread = torch.tensor([1.5, 1.0, 0.5])
    torch.testing.assert_close(found.std(0), spread, atol=0.06, rtol=0)


def test_missing_needs_and_no_rows_end_in_a_sentence(tmp_path):
    bare = msgspec.structs.replace(noised(), sigma=None)
    for kind in (*METHODS, GaussianMoments):
        with pytest.raises(InvalidRun, match="does not need 'sigma'"):
            rows(kind(), bare, tmp_path)
    with pytest.raises(InvalidRun, match="leaves no row"):
        rows(DiffusionNoisy(), noised(noise=0.0), tmp_path)
