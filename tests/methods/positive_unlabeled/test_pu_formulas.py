"""Risks against plain loops and scikit-learn, and the limits in which two methods are one."""

import importlib
import math
import pkgutil

import bench.builtin.methods.positive_unlabeled as home
import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.positive_unlabeled._logistic import design, em, fit
from bench.builtin.methods.positive_unlabeled.abs_pu import AbsoluteRisk
from bench.builtin.methods.positive_unlabeled.assume_negative_smoothed import SmoothedNegatives
from bench.builtin.methods.positive_unlabeled.em_apl import AsymmetricPseudoLabels
from bench.builtin.methods.positive_unlabeled.em_spml import MaximumEntropy
from bench.builtin.methods.positive_unlabeled.known_only import KnownOnly
from bench.builtin.methods.positive_unlabeled.nnpu import NonNegativeRisk
from bench.builtin.methods.positive_unlabeled.sar_e import KnownPropensity
from bench.builtin.methods.positive_unlabeled.scar_c import ConstantPropensity
from bench.builtin.methods.positive_unlabeled.taylor_vpu import TaylorRisk
from bench.builtin.methods.positive_unlabeled.un_early import EarlyStopping
from bench.builtin.methods.positive_unlabeled.un_prior import PriorThreshold
from bench.builtin.methods.positive_unlabeled.un_twice import MoreSteps
from bench.builtin.methods.positive_unlabeled.unlabeled_negative import UnlabeledNegative
from bench.builtin.methods.positive_unlabeled.upu import UnbiasedRisk
from bench.builtin.methods.positive_unlabeled.vpu import VariationalRisk
from bench.builtin.methods.positive_unlabeled.weighted_un import WeightedNegative
from positive_small import blobs, pu_run
from sklearn.linear_model import LogisticRegression

from bench.contracts import Method
from bench.errors import InvalidRun
from bench.tracks.positive_unlabeled import Batch, Members
from bench.training.state import predict


def every_method():
    """Return one of each method, with its defaults."""
    modules = [
        importlib.import_module(f"{home.__name__}.{found.name}")
        for found in pkgutil.iter_modules(home.__path__)
        if found.name[0] != "_"
    ]
    kinds = {
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, Method)
        and kind.__module__ == module.__name__
    }
    return sorted((kind() for kind in kinds), key=lambda method: method.card.name)


EVERY = every_method()


@pytest.fixture
def scores():
    """Return scores and marks of two members, three columns."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(2, 7, 3, generator=generator, dtype=torch.float64)
    known = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    s = (torch.rand(2, 7, 3, generator=generator) < 0.4).double()
    s_known = (torch.rand(2, 4, 3, generator=generator) < 0.6).double()
    s_known[:, :, 2] = 0  # a column that nobody knows
    prior = torch.tensor([[0.3, 0.6, 0.5], [0.9, 0.2, 0.5]], dtype=torch.float64)
    return z, known, s, s_known, prior


def batch_of(s, s_known):
    rows = torch.arange(s.shape[1]).expand(len(s), -1)
    return Batch(0, rows, rows[:, :4], torch.zeros(len(s), 11, 1).double(), s, s_known)


def sigma(value):
    return 1 / (1 + math.exp(-value))


def plain_nnpu(z, known, marks, prior, beta, gamma):
    """Return what a step of nnPU descends for one column, as its algorithm says."""
    mine = [float(value) for value, mark in zip(known, marks, strict=True) if mark]
    count = max(1, len(mine))
    positive = prior * sum(sigma(-value) for value in mine) / count
    rest = sum(sigma(float(value)) for value in z) / len(z)
    rest -= prior * sum(sigma(value) for value in mine) / count
    return positive + rest if rest >= -beta else -gamma * rest


@pytest.mark.parametrize(("beta", "gamma"), [(0.0, 1.0), (0.02, 0.5)])
def test_nnpu_is_the_plain_loss_of_its_algorithm_on_both_sides_of_zero(scores, beta, gamma):
    z, known, s, s_known, prior = scores
    z = z - torch.tensor([3.0, 0.0, 0.0])  # the first column is below zero for one member
    method = NonNegativeRisk(beta=beta, gamma=gamma)
    found = method.risk(prior, batch_of(s, s_known), z, known)
    wanted = [
        [
            plain_nnpu(
                z[k, :, at], known[k, :, at], s_known[k, :, at], float(prior[k, at]), beta, gamma
            )
            for at in range(3)
        ]
        for k in range(2)
    ]
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64), rtol=0, atol=1e-12)
    rest = z.sigmoid().mean(1) - prior * (known.sigmoid() * s_known).sum(1) / s_known.sum(
        1
    ).clamp_min(1)
    assert bool((rest < -beta).any())
    assert bool((rest >= -beta).any())


def test_a_step_back_of_nnpu_follows_the_negative_part_alone():
    known = torch.tensor([[[2.0]]]).double().requires_grad_()
    z = torch.full((1, 4, 1), -5.0).double().requires_grad_()
    batch = batch_of(torch.zeros(1, 4, 1).double(), torch.ones(1, 1, 1).double())
    NonNegativeRisk().risk(torch.tensor([[0.5]]).double(), batch, z, known).sum().backward()
    slope = sigma(2.0) * (1 - sigma(2.0))
    assert float(known.grad) == pytest.approx(0.5 * slope)
    assert bool((z.grad < 0).all())


def test_nnpu_is_upu_while_the_negative_part_is_one_and_abs_pu_is_both_there(scores):
    z, known, s, s_known, prior = scores
    batch = batch_of(s, s_known)
    z = z + 6  # r above 0 everywhere
    both = NonNegativeRisk(loss="logistic").risk(prior, batch, z, known)
    torch.testing.assert_close(UnbiasedRisk().risk(prior, batch, z, known), both)
    torch.testing.assert_close(
        AbsoluteRisk().risk(prior, batch, z, known), NonNegativeRisk().risk(prior, batch, z, known)
    )
    low = z - 14
    gap = UnbiasedRisk().risk(prior, batch, low, known) - NonNegativeRisk(loss="logistic").risk(
        prior, batch, low, known
    )
    assert bool((gap[:, :2].abs() > 1e-3).any())


def test_weights_of_known_and_unlabelled_rows_are_the_priors(scores):
    z, known, s, s_known, prior = scores
    found = WeightedNegative().risk(prior, batch_of(s, s_known), z, known)
    k, at = 1, 0
    marked = [value for value, mark in zip(known[k, :, at], s_known[k, :, at], strict=True) if mark]
    positive = sum(math.log1p(math.exp(-float(value))) for value in marked) / len(marked)
    negative = sum(math.log1p(math.exp(float(value))) for value in z[k, :, at]) / 7
    pi = float(prior[k, at])
    assert float(found[k, at]) == pytest.approx(pi * positive + (1 - pi) * negative)


def test_one_propensity_for_all_rows_is_the_unbiased_risk_and_what_sar_e_makes_of_it(scores):
    z, _, s, _, _ = scores
    share = s.mean(1)
    c = torch.full_like(share, 0.7)
    batch = batch_of(s, s)  # the known rows are those of the same sample
    upu = UnbiasedRisk().risk(share / c, batch, z, z)
    scar = ConstantPropensity().risk(1 / c, batch, z, z)
    torch.testing.assert_close(scar, upu)
    sar = KnownPropensity().risk((1 / c)[:, None].expand_as(s), batch, z, z)
    assert torch.equal(sar, scar)
    uneven = KnownPropensity().risk(
        (1 / c)[:, None] * torch.linspace(1, 2, 7)[:, None], batch, z, z
    )
    assert not torch.allclose(uneven, upu)


def test_many_terms_of_the_taylor_loss_are_vpu_and_two_are_what_the_series_says(scores):
    z, known, s, s_known, _ = scores
    z = z + 1
    batch = batch_of(s, s_known)
    vpu = VariationalRisk(mix=0).risk(None, batch, z, known)
    taylor = TaylorRisk(order=40, calibration=0).risk(None, batch, z, known)
    torch.testing.assert_close(taylor, vpu, rtol=0, atol=1e-6)
    away = 1 - z.sigmoid().mean(1)
    two = TaylorRisk(order=2, calibration=0).risk(None, batch, z, known)
    one = TaylorRisk(order=1, calibration=0).risk(None, batch, z, known)
    torch.testing.assert_close(two - one, -(away**2) / 2)


def test_mixtures_of_vpu_are_those_of_a_plain_loop(tmp_path):
    pairs = [blobs(seed, net="linear", labels=1) for seed in range(2)]
    members = Members([problem for problem, _ in pairs], [pu_run(tmp_path, s) for s in range(2)])
    members.nets = members.build()
    state = VariationalRisk().start(members)
    batch = next(iter(members.batches()))
    z = members.nets(batch.x).detach()
    size = batch.rows.shape[1]
    found = VariationalRisk(mix=1.0).risk(state, batch, z[:, :size], z[:, size:])
    plain = VariationalRisk(mix=0.0).risk(state, batch, z[:, :size], z[:, size:])
    for k in range(2):
        generator = pu_run(tmp_path, k).numpy_generator("method", "mixtures")
        lam = generator.beta(0.3, 0.3)
        partner = generator.integers(0, 8, size)
        total = 0.0
        for row in range(size):
            x = lam * batch.x[k, row] + (1 - lam) * batch.x[k, size + int(partner[row])]
            target = lam * sigma(float(z[k, row, 0])) + 1 - lam
            score = float(members.nets.member(k)(x[None])[0, 0])
            total += (math.log(target) - math.log(sigma(score))) ** 2
        assert float((found - plain).detach()[k, 0]) == pytest.approx(total / size, abs=1e-5)


def test_a_gradient_longer_than_the_bound_is_cut_to_it_net_by_net(tmp_path):
    pairs = [blobs(seed) for seed in range(2)]
    members = Members([problem for problem, _ in pairs], [pu_run(tmp_path, s) for s in range(2)])
    members.nets = members.build()
    for own in members.nets.parameters():
        own.grad = torch.ones_like(own)
        own.grad[0] *= 0.01
    TaylorRisk(clip=0.5).before_step(None, members)
    norms = sum(own.grad.flatten(1).square().sum(1) for own in members.nets.parameters()).sqrt()
    assert float(norms[0]) == pytest.approx(0.01 * math.sqrt(6))
    assert float(norms[1]) == pytest.approx(0.5, rel=1e-4)


def trained(method, problems, folder):
    if hasattr(method, "rounds"):
        method = msgspec.structs.replace(method, rounds=15)
    runs = [pu_run(folder, seed, "same") for seed in range(len(problems))]
    return [
        predict(solution.model, problem.x)
        for solution, problem in zip(
            method.solve_stacked(problems, runs)
            if method.card.stacked
            else [method.solve(*pair) for pair in zip(problems, runs, strict=True)],
            problems,
            strict=True,
        )
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (MaximumEntropy(alpha=0), KnownOnly()),
        (AsymmetricPseudoLabels(warm_up=1), MaximumEntropy()),
        (SmoothedNegatives(smoothing=0), UnlabeledNegative()),
        (MoreSteps(times=1), UnlabeledNegative()),
    ],
    ids=lambda method: method.card.name,
)
def test_in_a_limit_a_method_is_another_bit_for_bit(one, other, tmp_path):
    problems = [blobs(seed, labels=2)[0] for seed in range(2)]
    for mine, theirs in zip(
        trained(one, problems, tmp_path), trained(other, problems, tmp_path), strict=True
    ):
        assert torch.equal(mine, theirs)


def test_pseudo_labels_are_the_lowest_probabilities_and_stay(tmp_path):
    problem, _ = blobs(labels=2, steps=40, batch_size=20)  # three steps an epoch
    members = Members([problem], [pu_run(tmp_path)])
    members.nets = members.build()
    method = AsymmetricPseudoLabels(warm_up=0.5)
    state = method.start(members)
    assert (state.first, state.left) == (6, 7)
    method.after_step(state, members, 18)
    assert not bool(state.marked.any())
    p = members.nets(members.x)[0].sigmoid()
    method.after_step(state, members, 21)
    for at in range(2):
        unknown = (members.s[0, :, at] == 0).nonzero()[:, 0]
        count = int(0.9 * len(unknown) / 7)
        lowest = unknown[p[unknown, at].argsort()[:count]]
        assert set(state.marked[0, :, at].nonzero()[:, 0].tolist()) == set(lowest.tolist())
        torch.testing.assert_close(state.soft[0, lowest, at], p[lowest, at])
    before = state.soft.clone()
    with torch.no_grad():
        for own in members.nets.parameters():
            own.mul_(-1)
    method.after_step(state, members, 24)
    assert int(state.marked.sum()) == 2 * int((before > 0).sum())
    assert torch.equal(state.soft[before > 0], before[before > 0])


def test_the_threshold_of_un_prior_lets_the_prior_through(tmp_path):
    problem, _ = blobs(rows=200, steps=30)
    (z,) = trained(PriorThreshold(), [problem], tmp_path)
    assert float((z > 0).float().mean()) == pytest.approx(float(problem.prior), abs=0.01)


def test_early_stopping_holds_out_known_rows_in_proportion_and_equally_many_of_all_seeds(tmp_path):
    problems = [blobs(seed, rows=103)[0] for seed in range(3)]
    assert len({int(problem.s.sum()) for problem in problems}) > 1
    assert len(trained(EarlyStopping(), problems, tmp_path)) == 3


# Propensities -----------------------------------------------------------------------------------


def test_a_fit_is_that_of_scikit_learn_and_above_one_it_is_where_the_gradient_is_zero():
    problem, y = blobs(rows=80)
    x, generator = design(problem.x[None]), np.random.default_rng(0)
    weight = generator.random(80)
    label = y[:, 0].double()
    tensor = torch.from_numpy(weight)
    found, _ = fit(
        x, tensor[None, None], (tensor * label)[None, None], torch.zeros(1, 1, 6).double()
    )
    sklearn = LogisticRegression(tol=1e-10, max_iter=1000).fit(
        problem.x.double().numpy(), label.numpy(), sample_weight=weight
    )
    np.testing.assert_allclose(found[0, 0, :5], sklearn.coef_[0], atol=1e-4)
    assert float(found[0, 0, 5]) == pytest.approx(float(sklearn.intercept_[0]), abs=1e-4)
    target = problem.s[:, 0].double() / 0.3
    beyond, _ = fit(x, torch.ones(1, 1, 80).double(), target[None, None], found)
    gradient = ((x[0] @ beyond[0, 0]).sigmoid() - target) @ x[0]
    gradient[:5] += beyond[0, 0, :5]
    assert float(gradient.abs().max()) < 1e-5


def test_a_curvature_that_is_kept_ends_where_newton_steps_end_and_inactive_columns_stay():
    problem, _ = blobs(rows=200, labels=3, seed=5)
    x, s = design(problem.x[None]), problem.s.T[None].double()
    ones, start = torch.ones_like(s), torch.zeros(1, 3, x.shape[-1]).double()
    near, held = fit(x, ones, s, start)
    target = (s + 0.2).clamp(max=1.0)
    newton, _ = fit(x, ones, target, start)
    active = torch.tensor([[True, False, True]])
    kept, again = fit(x, ones, target, near, held, active)
    torch.testing.assert_close(kept[:, active[0]], newton[:, active[0]], rtol=0, atol=1e-7)
    assert torch.equal(kept[:, 1], near[:, 1])
    assert torch.equal(again[0][:, 1], held[0][:, 1])


@pytest.mark.parametrize("constant", [True, False])
def test_a_round_of_em_is_that_of_a_plain_loop_over_scikit_learn(tmp_path, constant):
    problem, _ = blobs(rows=150, seed=3)
    x, s = problem.x.double().numpy(), problem.s[:, 0].numpy().astype(float)

    def model(weight, label):
        fitted = LogisticRegression(tol=1e-10, max_iter=2000).fit(x, label, sample_weight=weight)
        return fitted.predict_proba(x)[:, 1]

    def chance(weight):
        if constant:
            return np.full(len(s), (s * weight).sum() / weight.sum())
        return model(weight, s)

    share = s.mean()
    f = model(s * (1 - share) + (1 - s) * share, s)
    e = chance(s + (1 - s) * f)
    w = s + (1 - s) * f * (1 - e) / (1 - f * e)
    e = chance(w)
    both = LogisticRegression(tol=1e-10, max_iter=2000).fit(
        np.concatenate([x, x]),
        np.repeat([1, 0], len(s)),
        sample_weight=np.concatenate([w, 1 - w]),
    )
    (found,) = em([problem], [pu_run(tmp_path)], "sar-em", constant=constant, rounds=1, least=0.02)
    np.testing.assert_allclose(found.propensity[:, 0], e, atol=1e-3)
    # the last fit is that of sar-e; where the propensities are 1 it is the one before
    e = np.maximum(e, 0.02)
    z = predict(found.model, problem.x)[:, 0].double()
    last, _ = fit(
        design(problem.x[None]),
        torch.ones(1, 1, 150).double(),
        torch.from_numpy(s / e)[None, None],
        torch.from_numpy(np.append(both.coef_[0], both.intercept_))[None, None],
    )
    torch.testing.assert_close(z, design(problem.x[None])[0] @ last[0, 0], rtol=0, atol=0.02)


# Every method -----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", EVERY, ids=lambda method: method.card.name)
def test_a_member_has_the_same_bits_whoever_stands_beside_it(method, tmp_path):
    if not method.card.stacked:
        pytest.skip("it runs seed by seed")
    problems = [blobs(seed, rows=48, labels=2, net="mlp", widths=(16,))[0] for seed in range(3)]
    two = trained(method, problems[:2], tmp_path)
    three = trained(method, problems, tmp_path)
    assert all(torch.equal(*pair) for pair in zip(two, three, strict=False))
    assert not torch.equal(two[0], two[1])


@pytest.mark.parametrize("method", EVERY, ids=lambda method: method.card.name)
def test_one_known_row_and_a_column_that_nobody_knows_give_a_result(method, tmp_path):
    problem, y = blobs(rows=40, labels=2)
    s = torch.zeros_like(problem.s)
    s[int(y[:, 0].int().argmax()), 0] = True

    told = msgspec.structs.replace(problem, s=s)
    (z,) = trained(method, [told], tmp_path)
    assert z.shape == (40, 2)
    assert bool(z.isfinite().all())


@pytest.mark.parametrize(
    "method", [method for method in EVERY if method.card.name in ("scar-c", "sar-e", "sar-em")]
)
def test_methods_that_read_how_many_are_known_refuse_case_control_in_a_sentence(method, tmp_path):
    problem, _ = blobs(scheme="case-control")
    with pytest.raises(InvalidRun, match="take scheme=single"):
        method.solve(problem, pu_run(tmp_path))


def test_all_rows_known_is_refused_where_no_unlabelled_row_is_left_and_else_a_result(tmp_path):
    problem, _ = blobs()

    every = msgspec.structs.replace(problem, s=torch.ones_like(problem.s))
    every.validate()
    assert bool(trained(NonNegativeRisk(), [every], tmp_path)[0].isfinite().all())
    with pytest.raises(InvalidRun, match="no unlabelled sample is left"):
        msgspec.structs.replace(every, scheme="case-control").validate()
    with pytest.raises(InvalidRun, match="no label is known"):
        msgspec.structs.replace(problem, s=torch.zeros_like(problem.s)).validate()
