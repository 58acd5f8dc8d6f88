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
from bench.builtin.methods.condensation.dm_soft import DistributionMatchingSoft
from bench.builtin.methods.condensation.dsa import SiameseMatching
from bench.builtin.methods.condensation.dsac import SiameseContrastiveMatching
from bench.builtin.methods.condensation.ift import ImplicitCondensation
from bench.builtin.methods.condensation.krr_st import (
    KernelSelfSupervised,
    _Aging,
    barlow_twins,
    ridge,
)
from bench.builtin.methods.condensation.mdt import MaskedDistillation
from bench.builtin.methods.condensation.mts import MaskedTemperature
from bench.builtin.methods.condensation.mtt import TrajectoryMatching
from bench.builtin.methods.condensation.ncfm import (
    CharacteristicMatching,
    _Frequencies,
    characteristic_distance,
)
from bench.builtin.methods.condensation.temperature import Temperature
from bench.builtin.methods.condensation.temperature_real import TemperatureReal
from bench.builtin.methods.selection.random import Random
from bench.builtin.tasks.condensation.condense_cifar10 import CondenseCifar10
from bench.builtin.tasks.condensation.condense_mnist import CondenseMnist

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
    TemperatureReal(),
    CharacteristicMatching(pool=1, pool_epochs=1, frequencies=16),
    KernelSelfSupervised(teacher_epochs=1, batch=16, pool=2),
    TrajectoryMatching(experts=1, expert_epochs=1, latest=1, span=1, steps=2),
    ImplicitCondensation(changes=3, first_steps=3, steps=1, terms=2),
    DistributionMatchingSoft(teachers=1, teacher_epochs=1),
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


MATCHING = (
    GradientMatchingDC,
    SiameseMatching,
    ContrastiveMatching,
    SiameseContrastiveMatching,
)


@pytest.mark.parametrize("ipc", [1, 3, 10, 50])
@pytest.mark.parametrize("inner", [1, 10])
def test_methods_that_match_gradients_run_the_same_loops(ipc, inner):
    problem = problem_of(ipc=ipc, rows=60, updates=120, inner=inner, net_epochs=5)
    assert {method().plan(problem) for method in MATCHING} == {(120 // inner, inner, 5)}


def test_loops_of_a_method_s_own_take_the_place_of_the_problem_s():
    assert GradientMatchingDC(outer=3, inner=2, net_epochs=9).plan(problem_of()) == (3, 2, 9)
    assert GradientMatchingDC(inner=1).plan(problem_of(updates=120)) == (120, 1, 1)
    # a net is left when the changes are spent
    assert GradientMatchingDC().plan(problem_of(updates=6, inner=10)) == (1, 6, 1)


def test_the_settings_named_after_the_papers_have_the_authors_loops():
    for method, ipc1 in (
        (GradientMatchingDC, (1000, 1, 1)),
        (SiameseMatching, (1000, 1, 1)),
        (ContrastiveMatching, (1000, 10, 5)),
    ):
        for name, loops in (
            ("paper-ipc1", ipc1),
            ("paper-ipc10", (1000, 10, 50)),
            ("paper-ipc50", (1000, 50, 10)),
        ):
            assert method(**method.settings[name]).plan(problem_of()) == loops
    for setting in GradientMatchingDC.settings.values():  # SiameseMatching's begin with real images
        assert GradientMatchingDC(**setting).init == "noise"


@pytest.mark.parametrize("task", [CondenseCifar10, CondenseMnist])
def test_the_preset_paper_gives_all_methods_the_loops_of_dc_s_repository(task):
    preset = task.card.presets["paper"]
    loops = {1: (1000, 1, 1), 10: (1000, 10, 50), 50: (1000, 50, 10)}
    for variant in preset.variants.values():
        own = task(**(preset.params | variant))
        assert (own.updates // own.inner, own.inner, own.net_epochs) == loops[own.ipc]


def test_dcc_differs_from_dc_in_the_loss_alone(run_of):
    # with DC's loss put in its place, every image update is DC's to the bit
    class Plain(ContrastiveMatching):
        def loss(self, *given):
            return GradientMatchingDC.loss(self, *given)

    problem = problem_of(updates=12, inner=3, net_epochs=2)
    dc, plain, dcc = (
        method.solve(problem, run_of()).x
        for method in (GradientMatchingDC(), Plain(), ContrastiveMatching())
    )
    assert torch.equal(dc, plain)
    assert not torch.allclose(dc, dcc)


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
    real = TemperatureReal().solve(problem, run_of())
    for small, wish in (
        (dm, (None, 0.0)),
        (plain, ("set", 0.0)),
        (scaled, ("set", MaskedTemperature().masked)),
        (real, ("validation", 0.0)),
    ):
        assert torch.equal(small.x, dm.x)
        assert (small.temperature, small.masked) == wish
    assert MaskedTemperature().masked > 0


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


def test_the_first_step_of_the_images_is_the_rate_in_pixels_between_black_and_white(run_of):
    # AdamW's first step has the size of the rate, whatever the gradient; decay takes 5e-4 of it
    problem, rate = problem_of(updates=1, noise=0.0), 0.01
    method = CharacteristicMatching(pool=1, pool_epochs=1, frequencies=16, lr_img=rate)
    start = Random().solve(problem, run_of()).x
    small = method.solve(problem, run_of())
    before, after = (part * problem.std.item() + problem.mean.item() for part in (start, small.x))
    inside = (before > 2 * rate) & (before < 1 - 2 * rate)
    assert inside.double().mean() > 0.5
    moved = (after - before)[inside].abs()
    assert moved.max().item() == pytest.approx(rate, rel=0.01)
    assert moved.median().item() == pytest.approx(rate, rel=0.01)
    assert CharacteristicMatching.settings["code"]["lr_img"] == 0.001


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


def test_the_first_step_of_krr_st_is_adam_s_without_decay(run_of):
    # Adam's first step has the size of the rate, whatever the gradient; a decay would lengthen it
    problem = problem_of(ipc=1, rows=8, updates=1)
    method = KernelSelfSupervised(teacher_epochs=1, batch=16, pool=2)
    moved = (method.solve(problem, run_of()).x - Random().solve(problem, run_of()).x).abs()
    assert moved.median().item() == pytest.approx(method.lr, rel=1e-3)
    assert moved.max().item() <= method.lr * (1 + 1e-4)


def test_nets_of_krr_st_s_pool_are_trained_up_to_their_age_and_drawn_anew_after_it(run_of):
    problem = problem_of(rows=8)
    net = problem.net()
    x, answers = problem.x[::8], torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
    aging = _Aging(net, torch.Generator().manual_seed(0), CPU, lr=0.1, life=2)
    fresh = [tensor.detach().clone() for tensor in aging.params]

    def loss():
        return (net.logits(aging.params, x[None])[0] - answers).square().mean().item()

    reached = [loss()]
    for _ in range(2):
        aging.train(x, answers)
        reached.append(loss())
    assert reached[2] < reached[1] < reached[0]
    aging.train(x, answers)  # old: another net, which nothing was trained on
    assert aging.age == 0
    assert not torch.equal(aging.params[0], fresh[0])
    drawn = net.init([generator := torch.Generator().manual_seed(0)])
    assert torch.equal(drawn[0], fresh[0])
    assert torch.equal(aging.params[0], net.init([generator])[0])


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


@pytest.mark.parametrize("name", ["dc", "dcc", "dsa", "dsac", "dm", "mdt", "ncfm", "mtt", "ift"])
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
