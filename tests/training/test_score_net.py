"""The net of scores: the process, what it learns of rows whose score is known, and its artifact."""

import pytest
import torch

from bench.runs.context import Run
from bench.training.score_net import ScoreRecipe, scales, score_net


def run_of(folder):
    return Run(seed=0, task="x/toy", method="x/x", device=torch.device("cpu"), workdir=folder)


def test_signal_and_noise_keep_the_variance_and_pass_from_all_signal_to_all_noise():
    time = torch.linspace(0, 1, 101, dtype=torch.float64)
    signal, noise = scales(time)
    assert torch.allclose(signal**2 + noise**2, torch.ones_like(time))
    assert float(signal[0]) == 1
    assert float(signal[-1]) < 0.01
    # in small steps a row loses half of the rate
    step = torch.tensor([0.5, 0.5 + 1e-6], dtype=torch.float64)
    log = scales(step)[0].log()
    assert float((log[1] - log[0]) / 1e-6) == pytest.approx(-0.5 * (0.1 + 0.5 * 19.9), rel=1e-3)


def test_of_rows_that_are_all_alike_the_score_points_back_to_them(tmp_path):
    x = torch.full((40, 1, 2, 2), 0.75)
    net = score_net(x, ScoreRecipe(width=32, steps=800, lr=3e-3), run_of(tmp_path))
    assert torch.equal(net.centred(x), torch.full((40, 4), 0.5))
    signal, noise = scales(torch.tensor(0.1))
    z = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
    rows = signal * 0.5 + noise * z
    # of one point the noisy rows are normal, and their score is known
    known = -(rows - signal * 0.5) / noise**2
    found = net(rows, 0.1)
    assert float((found - known).norm() / known.norm()) < 0.35


def test_the_same_seed_and_rows_give_the_same_net(tmp_path):
    x = torch.rand(30, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    recipe = ScoreRecipe(width=8, steps=3)
    first, again = (score_net(x, recipe, run_of(tmp_path)) for _ in range(2))
    assert all(torch.equal(first.weights[name], again.weights[name]) for name in first.weights)
    rows = first.centred(x)
    assert torch.allclose(first(rows, 0.05)[:3], first(rows[:3], 0.05), atol=1e-5)
