"""The synthesis methods: each formula against a slow one or a limit, the
budget's tables, and what beats random images.
"""

import importlib
import itertools

import pytest
import torch
from answering import answered
from bench.builtin.methods.condensation.dc import GradientMatchingDC
from bench.builtin.methods.condensation.dcc import ContrastiveMatching
from bench.builtin.methods.condensation.dm import DistributionMatching
from bench.builtin.methods.condensation.dsa import SiameseMatching
from bench.builtin.methods.condensation.dsac import SiameseContrastiveMatching
from bench.builtin.methods.condensation.krr_st import KernelSelfSupervised, barlow_twins, ridge
from bench.builtin.methods.condensation.mdt import MaskedDistillation
from bench.builtin.methods.condensation.mts import MaskedTemperature
from bench.builtin.methods.condensation.ncfm import (
    CharacteristicMatching,
    _Frequencies,
    characteristic_distance,
)
from bench.builtin.methods.condensation.temperature import Temperature
from bench.builtin.methods.selection.random import Random

from bench.runs.context import Run
from bench.tracks.condensation import ClassSampler, Problem, decode, labels_of
from bench.tracks.condensation_evaluation import Protocol, accuracies, logits_of, train
from bench.tracks.condensation_gradients import class_loss, sum_loss

CPU = torch.device("cpu")
METHODS = [
    GradientMatchingDC(),
    SiameseMatching(),
    ContrastiveMatching(),
    SiameseContrastiveMatching(),
    DistributionMatching(),
    MaskedDistillation(),
    MaskedTemperature(),
    Temperature(),
    CharacteristicMatching(pool=1, pool_epochs=1, frequencies=16),
    KernelSelfSupervised(teacher_epochs=1, batch=16, pool=2),
]


@pytest.fixture
def run_of(tmp_path):
    def make(seed=0, method="m"):
        return Run(
            seed=seed,
            task="condensation/toy",
            method=f"condensation/{method}",
            device=CPU,
            workdir=tmp_path,
        )

    return make


def problem_of(classes=3, rows=24, ipc=1, noise=0.6, **protocol):
    """Blobs of 8x8: a class is one smooth pattern, an image that pattern
    with noise of another strength each.
    """
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(classes).repeat_interleave(rows)
    patterns = torch.nn.functional.interpolate(
        torch.randn(classes, 1, 3, 3, generator=generator), size=(8, 8), mode="bilinear"
    )
    x = patterns[y] + noise * torch.randn(classes * rows, 1, 8, 8, generator=generator)
    protocol = {"width": 8, "updates": 6, "net_epochs": 1, "batch_real": 8, **protocol}
    return Problem(
        x=x,
        y=y,
        n_classes=classes,
        ipc=ipc,
        mean=torch.tensor([0.5]),
        std=torch.tensor([0.1]),
        **protocol,
    )


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.card.name)
def test_a_method_keeps_to_its_budget_learns_and_repeats_itself(method, run_of):
    problem = problem_of(ipc=2)
    before = problem.x.clone()
    first, again, other = (method.solve(problem, run_of(seed)) for seed in (0, 0, 1))
    answered(first, problem, "condensation")
    assert torch.equal(problem.x, before)
    assert torch.equal(first.x, again.x)
    assert not torch.equal(first.x, other.x)
    start = Random().solve(problem, run_of(0))
    assert torch.equal(first.y, start.y)
    assert not torch.equal(first.x, start.x)  # it moved away from the real images it starts from


# Gradient matching
# ------------------------------------------------------------------------------------


def test_the_tables_of_inner_steps_and_epochs_are_the_authors():
    def plans(method):
        return {
            ipc: method.plan(problem_of(ipc=ipc, rows=60, updates=1000, net_epochs=1000))[1:]
            for ipc in (1, 10, 20, 30, 40, 50)
        }

    shared = {10: (10, 50), 20: (20, 25), 30: (30, 20), 40: (40, 15), 50: (50, 10)}
    assert plans(GradientMatchingDC()) == {1: (1, 1), **shared}
    assert plans(ContrastiveMatching()) == {1: (10, 5), **shared}


def test_the_problem_s_budget_limits_nets_and_epochs():
    assert GradientMatchingDC().plan(problem_of(ipc=10, updates=120, net_epochs=5)) == (12, 10, 5)
    assert GradientMatchingDC(outer=3, inner=2, net_epochs=9).plan(problem_of()) == (3, 2, 9)
    # between two rows the smaller counts
    assert ContrastiveMatching().plan(problem_of(ipc=2, updates=120, net_epochs=1)) == (12, 10, 1)


def test_the_warm_up_of_dcc_is_dc_until_a_quarter_of_the_nets_or_ten_inner_steps():
    problem, method = problem_of(), ContrastiveMatching()
    net = problem.net()
    params = net.init([torch.Generator().manual_seed(0)])
    real, images = problem.x.view(3, 24, 1, 8, 8), problem.x.view(3, 24, 1, 8, 8)[:, :1] + 0.1
    dc, dcc = class_loss(net, params, real, images, "loop"), sum_loss(net, params, real, images)
    assert not torch.isclose(dc, dcc, rtol=0.1)
    for moment, expected in (
        ((0.0, 0), dc),
        ((0.249, 9), dc),
        ((0.25, 0), dcc),
        ((0.0, 10), dcc),
        ((0.9, 3), dcc),
    ):
        torch.testing.assert_close(method.loss(net, params, real, images, moment, "loop"), expected)


def test_dcc_that_never_leaves_its_warm_up_is_dc(run_of):
    problem = problem_of()
    dc = GradientMatchingDC(outer=2, inner=3, net_epochs=1, backend="loop")
    dcc = ContrastiveMatching(
        outer=2, inner=3, net_epochs=1, backend="loop", outer_warmup=1.0, inner_warmup=99
    )
    assert torch.equal(dc.solve(problem, run_of()).x, dcc.solve(problem, run_of()).x)


def test_one_step_of_dc_is_sgd_on_the_images(run_of):
    problem = problem_of(updates=1)
    method = GradientMatchingDC(backend="loop")
    net, start = problem.net(), Random().solve(problem, run_of()).x
    params = net.init([run_of().torch_generator("init", "matching", device="cpu")])
    real = ClassSampler(problem, run_of().torch_generator("order", "matching", device="cpu")).draw(
        problem.batch_real
    )
    images = start.view(3, 1, 1, 8, 8).clone().requires_grad_()
    (gradient,) = torch.autograd.grad(class_loss(net, params, real, images), images)
    torch.testing.assert_close(
        method.solve(problem, run_of()).x, start - 0.1 * gradient.flatten(0, 1)
    )


# Distribution matching
# --------------------------------------------------------------------------------


def test_one_step_of_dm_is_the_gradient_of_the_distance_of_mean_features(run_of):
    problem = problem_of(updates=1)
    start = Random().solve(problem, run_of()).x
    net = problem.net()
    params = net.init([run_of().torch_generator("init", "matching", device="cpu")])
    real = ClassSampler(problem, run_of().torch_generator("order", "matching", device="cpu")).draw(
        problem.batch_real
    )
    images = start.clone().requires_grad_()
    loss = sum(
        (
            net.features(params, real[c][None])[0].mean(0)
            - net.features(params, images[c : c + 1][None])[0].mean(0)
        )
        .square()
        .sum()
        for c in range(3)
    )
    (gradient,) = torch.autograd.grad(loss, images)
    torch.testing.assert_close(
        DistributionMatching(strategy="", lr_img=0.5).solve(problem, run_of()).x,
        start - 0.5 * gradient,
        rtol=1e-4,
        atol=1e-6,
    )


def test_masked_distillation_without_a_mask_is_dm_and_masked_scaling_keeps_its_images(run_of):
    problem = problem_of()
    dm = DistributionMatching().solve(problem, run_of())
    assert torch.equal(MaskedDistillation(masked=0.0).solve(problem, run_of()).x, dm.x)
    assert not torch.equal(MaskedDistillation(masked=0.5).solve(problem, run_of()).x, dm.x)
    scaled, plain = (
        MaskedTemperature().solve(problem, run_of()),
        Temperature().solve(problem, run_of()),
    )
    assert torch.equal(plain.x, dm.x)
    assert plain.masked == 0
    assert torch.equal(scaled.x, dm.x)
    assert (scaled.masked, dm.masked) == (0.1, None)


def test_the_characteristic_distance_is_that_of_complex_means():
    real, synthetic, t = (
        torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        for seed, shape in enumerate([(2, 7, 5), (2, 3, 5), (11, 5)])
    )
    phi_r, phi_s = (
        torch.exp(1j * part @ t.T.to(torch.complex128)).mean(1)
        for part in (real.to(torch.complex128), synthetic.to(torch.complex128))
    )
    torch.testing.assert_close(
        characteristic_distance(real, synthetic, t), (0.5**0.5 * (phi_r - phi_s).abs()).mean(-1)
    )
    amplitudes = ((phi_r.abs() - phi_s.abs()).square()).sqrt().mean(-1)
    torch.testing.assert_close(
        characteristic_distance(real, synthetic, t, amplitude=1.0), amplitudes, atol=1e-6, rtol=1e-6
    )


def test_over_gaussian_frequencies_the_squared_distance_is_the_maximum_mean_discrepancy():
    # E_t |phi_r - phi_s|^2 over t ~ N(0, s^2 I) is the biased MMD^2 of the kernel exp(-s^2 |x -
    # y|^2 / 2).
    generator = torch.Generator().manual_seed(0)
    real, synthetic = (
        torch.randn(1, 6, 4, generator=generator, dtype=torch.float64),
        torch.randn(1, 3, 4, generator=generator, dtype=torch.float64) + 0.5,
    )
    s = 0.7
    t = s * torch.randn(200_000, 4, generator=generator, dtype=torch.float64)
    phi_r, phi_s = (
        torch.complex((part[0] @ t.T).cos().mean(0), (part[0] @ t.T).sin().mean(0))
        for part in (real, synthetic)
    )
    kernel = {
        key: torch.exp(-(s**2) * torch.cdist(a[0], b[0]).square() / 2).mean()
        for key, (a, b) in {
            "rr": (real, real),
            "ss": (synthetic, synthetic),
            "rs": (real, synthetic),
        }.items()
    }
    expected = kernel["rr"] + kernel["ss"] - 2 * kernel["rs"]
    # 200,000 draws
    assert (phi_r - phi_s).abs().square().mean().item() == pytest.approx(expected.item(), rel=0.01)


def test_for_small_frequencies_the_distance_is_that_of_the_means():
    # |phi_r - phi_s| is about |<t, mean_r - mean_s>|, whose mean over t ~ N(0, s^2 I) is s sqrt(2 /
    # pi) |mean_r - mean_s|.
    generator = torch.Generator().manual_seed(0)
    real, synthetic = (
        torch.randn(1, 6, 4, generator=generator, dtype=torch.float64),
        torch.randn(1, 3, 4, generator=generator, dtype=torch.float64) + 0.5,
    )
    s = 1e-3
    t = s * torch.randn(200_000, 4, generator=generator, dtype=torch.float64)
    expected = 0.5**0.5 * (2 / torch.pi) ** 0.5 * (real.mean(1) - synthetic.mean(1)).norm()
    assert characteristic_distance(real, synthetic, t).item() / s == pytest.approx(
        expected.item(), rel=0.01
    )


def test_the_sampling_net_climbs_what_the_images_descend(run_of):
    generator = torch.Generator().manual_seed(0)
    frequencies = _Frequencies(64, 6, True, generator, CPU)
    real, synthetic = (
        torch.randn(2, 8, 6, generator=generator),
        torch.randn(2, 4, 6, generator=generator),
    )
    found = frequencies.draw()
    assert found.shape == (64, 6)
    assert len(found.unique(dim=0)) == 4  # a sixteenth of them are different
    assert found.abs().max() <= 1
    before = [tensor.clone() for tensor in frequencies.net.parameters()]
    loss = characteristic_distance(real, synthetic, found).sum()
    gradients = torch.autograd.grad(loss, list(frequencies.net.parameters()), retain_graph=True)
    loss.backward()
    frequencies.ascend()
    moved = sum(
        ((new - old) * gradient).sum()
        for new, old, gradient in zip(frequencies.net.parameters(), before, gradients, strict=True)
    )
    assert moved > 0
    answered(
        CharacteristicMatching(pool=1, pool_epochs=1, frequencies=16, sampling=True).solve(
            problem_of(), run_of()
        ),
        problem_of(),
        "condensation",
    )


def test_a_mosaic_stores_one_image_and_decodes_to_four(run_of):
    problem = problem_of(ipc=2)
    small = CharacteristicMatching(pool=1, pool_epochs=1, frequencies=16, factor=2).solve(
        problem, run_of()
    )
    answered(small, problem, "condensation")
    x, y = decode(small, (8, 8))
    assert x.shape == (24, 1, 8, 8)
    assert torch.equal(y, labels_of(problem).repeat_interleave(4))
    black, white = problem.pixel_range()
    assert black <= small.x.min()
    assert small.x.max() <= white


# Kernel ridge regression
# ------------------------------------------------------------------------------


def test_the_ridge_prediction_is_that_of_the_weights_in_feature_space():
    generator = torch.Generator().manual_seed(0)
    real, small, answers = (
        torch.randn(*shape, generator=generator, dtype=torch.float64)
        for shape in ((5, 3), (4, 3), (4, 2))
    )
    ones = [
        torch.cat([part, torch.ones(len(part), 1, dtype=torch.float64)], 1)
        for part in (real, small)
    ]
    penalty = 1e-6 * (ones[1] @ ones[1].T).trace()
    weights = torch.linalg.solve(
        ones[1].T @ ones[1] + penalty * torch.eye(4, dtype=torch.float64), ones[1].T @ answers
    )
    torch.testing.assert_close(ridge(real, small, answers), ones[0] @ weights, rtol=1e-6, atol=1e-6)


def test_barlow_twins_is_zero_for_equal_views_without_correlation_and_counts_the_rest():
    # three outputs, uncorrelated
    a = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=3)), dtype=torch.float64)
    assert barlow_twins(a, a).item() == pytest.approx(0, abs=1e-9)
    same = a[:, :1].expand(-1, 3)
    # six correlations of 1 off the diagonal
    assert barlow_twins(same, same).item() == pytest.approx(6 * 5e-3, rel=1e-4)
    assert barlow_twins(a, -a).item() == pytest.approx(3 * 4, rel=1e-4)


def test_krr_st_hands_over_a_target_for_each_image(run_of):
    problem = problem_of(ipc=1, rows=8)
    found = KernelSelfSupervised(teacher_epochs=1, batch=16, pool=2).solve(problem, run_of())
    assert found.targets.shape == (3, problem.net().n_features)


# Against random images
# --------------------------------------------------------------------------------


def accuracy(small, problem, rows=300):
    """Accuracy, on fresh images of the same blobs, of nets trained on a small set."""
    net = problem.net()
    start = net.init([torch.Generator().manual_seed(seed) for seed in range(3)])
    orders = [torch.Generator().manual_seed(seed) for seed in range(3)]
    params = train(net, start, small.x, small.y, Protocol(epochs=100), orders)
    return float(accuracies(logits_of(net, params, problem.x[:rows]), problem.y[:rows]).mean())


@pytest.mark.parametrize("name", ["dc", "dcc", "dsa", "dsac", "dm", "mdt", "ncfm"])
def test_a_synthesis_beats_random_images_where_single_images_are_noisy(name, run_of):
    problem = problem_of(noise=2.0, updates=40, width=8, rows=30)
    module = importlib.import_module(f"bench.builtin.methods.condensation.{name}")
    kind = next(
        item
        for item in vars(module).values()
        if getattr(getattr(item, "card", None), "name", "") == name
    )
    method = kind(pool=1, pool_epochs=3, frequencies=128, lr_img=0.1) if name == "ncfm" else kind()
    assert (
        accuracy(method.solve(problem, run_of(0)), problem)
        - accuracy(Random().solve(problem, run_of(0)), problem)
        >= 5
    )
