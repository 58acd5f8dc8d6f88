"""Methods of several stages and methods with environments, against slow computations and limits."""

import copy
import itertools

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.group_shift.dfr import STRENGTHS, DeepFeatureReweighting, last_layer
from bench.builtin.methods.group_shift.erm import EmpiricalRisk
from bench.builtin.methods.group_shift.erm_early import EarlyStopping
from bench.builtin.methods.group_shift.irm import InvariantRisk, scale_slopes
from bench.builtin.methods.group_shift.mat import MemorisationAware, Twins, _Twins, shifts
from bench.builtin.methods.group_shift.mixup import Mixup
from bench.builtin.methods.group_shift.pde import ProgressiveExpansion
from bench.builtin.methods.group_shift.random_forest import RandomForest
from bench.builtin.methods.group_shift.selecmix import SelecMix, contradicting, contrastive
from bench.builtin.methods.group_shift.vrex import RiskExtrapolation
from shift_helpers import batch_of, shown_to, trained
from torch.nn import functional as F

from bench.errors import InvalidRun
from bench.tracks.group_shift import Seeds, cross_entropy


def draw(seed=0, shape=(2, 6, 3), scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(*shape, generator=generator, dtype=torch.float64)
    return logits, torch.randint(shape[-1], shape[:-1], generator=generator)


# Memorisation-aware training ----------------------------------------------------------


def test_uniform_held_out_predictions_shift_logits_by_the_log_of_the_class_prior():
    y = torch.tensor([[0, 0, 0, 1, 2, 2], [0, 1, 1, 1, 1, 2]])
    found = shifts(torch.zeros(2, 6, 3, dtype=torch.float64), y, 0.1)
    priors = torch.tensor([[3, 1, 2], [1, 4, 1]], dtype=torch.float64) / 6
    torch.testing.assert_close(found, priors.log()[:, None].expand(2, 6, 3), rtol=0, atol=1e-5)


def test_uniform_predictions_on_balanced_classes_leave_cross_entropy_as_it_is():
    y = torch.arange(6)[None] % 3
    logits, _ = draw(shape=(1, 6, 3))
    shifted = logits + shifts(torch.zeros_like(logits), y, 0.1)
    torch.testing.assert_close(
        cross_entropy(shifted, y), cross_entropy(logits, y), rtol=0, atol=1e-9
    )


def test_shifts_are_those_of_loops_over_rows_and_classes():
    held_out, y = draw(3)
    found = shifts(held_out, y, 0.5)
    for k in range(2):
        p = (held_out[k] / 0.5).softmax(-1)
        joint = torch.zeros(3, 3, dtype=torch.float64)
        for row in range(6):
            for said in range(3):
                joint[said, y[k, row]] += p[row, said] / 6
        table = joint / joint.sum(1, keepdim=True)
        for row in range(6):
            mixed = sum(p[row, said] * table[said] for said in range(3))
            torch.testing.assert_close(found[k, row], (mixed + 1e-6).log())


def test_a_row_is_judged_by_the_twin_that_was_not_trained_on_it(toy, run_of):
    seeds = Seeds([toy(0), toy(1)], [run_of(0), run_of(1)])
    twins = _Twins(seeds)
    logits = draw(1, (2, 2, 96, 2))[0].float()
    loss = Twins().loss(twins, batch_of(seeds.y), logits.requires_grad_())
    loss.sum().backward()
    moved = logits.grad.abs().sum(-1) > 0
    assert torch.equal(moved[0], twins.own == 0)
    assert torch.equal(moved[1], twins.own == 1)


def test_a_label_flips_to_what_the_held_out_twin_says_the_more_often_the_surer_it_is(toy, run_of):
    seeds = Seeds([toy(rows=4000)], [run_of(0)])
    twins = _Twins(seeds)
    rows = torch.arange(4000)[None]
    sure = 0.8
    logits = torch.tensor([0.0, np.log(sure / (1 - sure))]).expand(1, 4000, 2)
    before = twins.labels.clone()
    twins.flip(rows, logits)
    zeros = before == 0
    share = float((twins.labels[zeros] == 1).double().mean())
    # (p - 1/C) C / (C - 1) = .6
    assert share == pytest.approx(0.6, abs=0.03)
    assert bool((twins.labels[~zeros] == 1).all())
    twins.flip(rows, torch.zeros(1, 4000, 2))
    assert float((twins.labels[zeros] == 1).double().mean()) == share


def test_mat_finds_rows_that_contradict_the_shortcut(toy, run_of):
    problem = toy(rows=400, rho=0.95, epochs=6)
    (solution,) = MemorisationAware().solve_stacked(
        [shown_to(MemorisationAware(), problem)], [run_of(0)]
    )
    conflict = problem.train_groups // 2 != problem.train_groups % 2
    found = solution.minority
    assert float(found[conflict].double().mean()) > float(found[~conflict].double().mean()) + 0.5


# A new last layer ---------------------------------------------------------------------


def test_the_last_layer_is_the_mean_of_scikit_learn_s_fits_on_balanced_rows():
    generator = np.random.default_rng(0)
    y, a = generator.integers(0, 2, 200), generator.integers(0, 2, 200)
    features = generator.standard_normal((200, 5)) + np.stack([y, a, y, 0 * y, 0 * y], 1)

    class Two:
        n_classes = 2

    weight, bias = last_layer(features, y, 2 * y + a, Two(), 3, np.random.default_rng(1))
    assert not weight[0].any()
    assert bias[0] == 0
    assert weight[1, 0] > abs(weight[1, 1])
    right = (features @ weight.T + bias).argmax(1) == y
    assert right.mean() > 0.75
    assert len(STRENGTHS) == 7


def test_dfr_keeps_the_features_of_erm_and_reads_them_in_its_own_way(toy, run_of):
    problem = toy(rows=200)
    (dfr,) = DeepFeatureReweighting().solve_stacked([problem], [run_of(0)])
    (erm,) = EmpiricalRisk().solve_stacked([problem], [run_of(0)])
    torch.testing.assert_close(dfr.model.features(problem.x), erm.model.features(problem.x))
    val = problem.val_groups
    right = dfr.model(val.x).argmax(-1) == val.y
    assert float(right.double().mean()) > float(
        (erm.model(val.x).argmax(-1) == val.y).double().mean()
    )


# Data expansion -----------------------------------------------------------------------


def test_rows_join_in_steps_after_the_warm_up_up_to_the_cap(toy, run_of):
    method = ProgressiveExpansion(joins=7, interval=2, warm_up=0.5, cap=0.1)
    joined = [method.joined(epoch, 10, 200) for epoch in range(10)]
    assert joined == [0, 0, 0, 0, 0, 7, 7, 14, 14, 20]
    problem = toy(rows=200, epochs=10)
    state = method.start(Seeds([problem], [run_of(0)]))
    first = 4 * int(problem.train_groups.bincount().min())
    orders = torch.arange(200)[None]
    seen = [set(method.rows(state, epoch, orders)[0].tolist()) for epoch in range(10)]
    assert [len(rows) for rows in seen] == [min(200, first + more) for more in joined]
    assert all(before <= after for before, after in itertools.pairwise(seen))


class Spied:
    """What an optimiser had before and after each of its steps.

    Attributes:
        rates: the learning rates of all its groups, before each step.
        counts: Adam's own count of steps, after each.
    """

    def __init__(self, monkeypatch, kind):
        self.rates, self.counts = [], []
        made = kind.optimiser

        def optimiser(method, seeds):
            found = made(method, seeds)
            found.register_step_pre_hook(lambda one, *_: self.rates.append(self.rates_of(one)))
            found.register_step_post_hook(lambda one, *_: self.counts.append(self.steps_of(one)))
            return found

        monkeypatch.setattr(kind, "optimiser", optimiser)

    @staticmethod
    def rates_of(optimiser):
        return {group["lr"] for group in optimiser.param_groups}

    @staticmethod
    def steps_of(optimiser):
        return {int(state["step"]) for state in optimiser.state.values()}


def test_the_rate_of_an_expansion_is_a_hundredth_after_the_warm_up(toy, run_of, monkeypatch):
    spied = Spied(monkeypatch, ProgressiveExpansion)
    method = ProgressiveExpansion(warm_up=0.5)
    trained(method, [toy(epochs=4, lr=2e-3)], [run_of(0)])
    # three steps an epoch
    assert [rate for (rate,) in spied.rates] == pytest.approx([2e-3] * 6 + [2e-5] * 6)


def test_an_expansion_without_rows_to_join_is_training_on_balanced_rows(toy, run_of):
    method = ProgressiveExpansion(joins=0)
    problem = toy(rows=200)
    state = method.start(Seeds([problem], [run_of(0)]))
    rows = method.rows(state, 3, torch.arange(200)[None])[0]
    counts = problem.train_groups[rows.unique()].bincount(minlength=4)
    assert len(set(counts.tolist())) == 1


# SelecMix -----------------------------------------------------------------------------


def test_partners_are_those_of_a_search_over_all_pairs():
    generator = torch.Generator().manual_seed(0)
    similar = torch.randn(2, 9, 9, generator=generator)
    y = torch.randint(0, 3, (2, 9), generator=generator)
    found = contradicting(similar, y, torch.tensor([True, False]))
    for k, same in enumerate((True, False)):
        for row in range(9):
            allowed = [j for j in range(9) if (y[k, j] == y[k, row]) == same]
            values = similar[k, row, allowed]
            assert int(found[k, row]) == allowed[int(values.argmin() if same else values.argmax())]


def test_a_masked_row_never_wins_even_where_all_similarities_are_negative():
    similar = torch.full((1, 4, 4), -0.5)
    y = torch.tensor([[0, 0, 1, 1]])
    found = contradicting(similar, y, torch.tensor([False]))
    assert bool((y.gather(1, found) != y).all())


def test_rows_of_one_label_alone_are_their_own_partners():
    found = contradicting(torch.rand(1, 3, 3), torch.zeros(1, 3).long(), torch.tensor([False]))
    assert found.tolist() == [[0, 1, 2]]


def test_the_contrastive_loss_is_that_of_loops_over_pairs():
    seen = F.normalize(draw(4, (2, 7, 5))[0], dim=-1)
    y = torch.tensor([[0, 0, 1, 1, 1, 2, 0], [1, 1, 0, 0, 2, 2, 2]])
    found = contrastive(seen, y, 0.2, 0.7)
    for k in range(2):
        for i in range(7):
            others = [j for j in range(7) if j != i]
            p = {
                j: float(
                    (seen[k, i] @ seen[k, j] / 0.2).exp()
                    / sum((seen[k, i] @ seen[k, m] / 0.2).exp() for m in others)
                )
                for j in others
            }
            pairs = [j for j in others if y[k, j] == y[k, i]]
            terms = [-0.7 * p[j] ** 0.7 * np.log(p[j]) for j in pairs]
            assert float(found[k, i]) == pytest.approx(np.mean(terms) if terms else 0.0, rel=1e-6)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_step_of_selecmix_descends_on_mixtures_with_the_partner_s_label(classes, toy, run_of):
    problem = toy(rows=24, classes=classes, rho=0.7)
    method, seeds = SelecMix(), Seeds([problem], [run_of(0)])
    seeds.nets = seeds.build()
    state, net = method.start(seeds), copy.deepcopy(seeds.nets)
    state.same[0, 0], lam = True, state.lam[0].clone()
    batch = next(iter(seeds.epoch(0)))
    x, y = batch.x[0], batch.y[0]
    with torch.no_grad():
        seen = F.normalize(state.encoders.features(batch.x)[0], dim=-1)
    optimiser = torch.optim.SGD(seeds.nets.parameters(), lr=1.0)
    method.step(state, seeds.nets, optimiser, batch)

    assert 0 <= float(lam.min()) < float(lam.max()) <= 0.5
    mixed, labels = [], []
    for row in range(24):
        alike = [other for other in range(24) if y[other] == y[row]]
        partner = min(alike, key=lambda other: float(seen[row] @ seen[other]))
        weight = float(lam[batch.rows[0, row]])
        mixed.append(weight * x[row] + (1 - weight) * x[partner])
        labels.append(int(y[partner]))
    loss = F.cross_entropy(net(torch.stack(mixed)[None])[0], torch.tensor(labels))
    if classes == 2:
        loss = loss + F.cross_entropy(net(x[None])[0], y)
    loss.backward()
    for before, after in zip(net.parameters(), seeds.nets.parameters(), strict=True):
        torch.testing.assert_close(before - after, before.grad, rtol=1e-3, atol=1e-5)


def test_a_mixture_of_two_labels_has_that_of_the_row_that_weighs_more(toy, run_of):
    problem = toy(rows=24, classes=3, rho=0.7)
    method, seeds = SelecMix(), Seeds([problem], [run_of(0)])
    seeds.nets = seeds.build()
    state, net = method.start(seeds), copy.deepcopy(seeds.nets)
    state.same[0, 0] = False
    state.lam.zero_()  # nothing of the row itself is left
    batch = next(iter(seeds.epoch(0)))
    with torch.no_grad():
        seen = F.normalize(state.encoders.features(batch.x), dim=-1)
    partner = contradicting(seen @ seen.mT, batch.y, torch.tensor([False]))[0]
    assert bool((batch.y[0, partner] != batch.y[0]).all())
    method.step(state, seeds.nets, torch.optim.SGD(seeds.nets.parameters(), lr=1.0), batch)
    F.cross_entropy(net(batch.x[:, partner])[0], batch.y[0, partner]).backward()
    for before, after in zip(net.parameters(), seeds.nets.parameters(), strict=True):
        torch.testing.assert_close(before - after, before.grad, rtol=1e-3, atol=1e-5)


def test_selecmix_counts_the_passes_of_its_encoder_and_of_the_rows_themselves(toy, run_of):
    for classes, times in ((2, 3), (3, 2)):
        run = run_of(classes)
        problem = toy(rows=90, classes=classes, epochs=2)
        SelecMix().solve_stacked([problem], [run])
        assert run._counts["backward"] == times * 2 * 90


# Environments -------------------------------------------------------------------------


def test_the_slope_of_a_row_is_autograd_s_derivative_for_the_scale_of_its_logits():
    logits, y = draw(2)
    scale = torch.ones(2, 6, 1, dtype=torch.float64, requires_grad=True)
    cross_entropy(scale * logits, y).sum().backward()
    torch.testing.assert_close(scale_slopes(logits, y), scale.grad[..., 0])


def penalised(method, toy, run_of):
    problem = toy(rows=12)
    seeds = Seeds([problem, problem], [run_of(0), run_of(1)])
    logits = draw(7, (2, 12, 2))[0]
    return method.start(seeds), batch_of(seeds.y), logits, problem


def test_the_penalty_of_irm_is_the_product_of_slopes_on_two_halves(toy, run_of):
    state, batch, logits, problem = penalised(InvariantRisk(), toy, run_of)
    risk, penalty = InvariantRisk().penalty(state, batch, logits)
    slopes, losses = scale_slopes(logits, batch.y), cross_entropy(logits, batch.y)
    for k in range(2):
        products, means = [], []
        for env in (0, 1):
            mine = problem.env == env
            halves = [mine & (torch.arange(12) % 2 == half) for half in (0, 1)]
            products.append(np.prod([float(slopes[k][half].mean()) for half in halves]))
            means.append(float(losses[k][mine].mean()))
        assert float(penalty[k]) == pytest.approx(np.mean(products), rel=1e-6)
        assert float(risk[k]) == pytest.approx(np.mean(means), rel=1e-6)


def test_the_penalty_of_vrex_is_the_variance_of_the_risks(toy, run_of):
    state, batch, logits, problem = penalised(RiskExtrapolation(), toy, run_of)
    risk, penalty = RiskExtrapolation().penalty(state, batch, logits)
    losses = cross_entropy(logits, batch.y)
    for k in range(2):
        means = [float(losses[k][problem.env == env].mean()) for env in (0, 1)]
        assert float(penalty[k]) == pytest.approx(np.var(means), rel=1e-6)
        assert float(risk[k]) == pytest.approx(np.mean(means), rel=1e-6)


@pytest.mark.parametrize("kind", [InvariantRisk, RiskExtrapolation])
def test_the_weight_jumps_and_the_loss_is_divided_by_it(kind, toy, run_of):
    method = kind(lam=50.0, lam_before=2.0, share=0.5)
    state, batch, logits, _ = penalised(method, toy, run_of)
    risk, penalty = method.penalty(state, batch, logits)
    # four epochs of one step
    for epoch, lam in ((0, 2.0), (1, 2.0), (2, 50.0), (3, 50.0)):
        found = method.loss(state, batch_of(batch.y, epoch=epoch), logits)
        torch.testing.assert_close(found[:, 0], (risk + lam * penalty) / lam)


@pytest.mark.parametrize("kind", [InvariantRisk, RiskExtrapolation])
def test_the_optimiser_begins_anew_where_the_weight_jumps(kind, toy, run_of, monkeypatch):
    spied = Spied(monkeypatch, kind)
    trained(kind(share=0.5), [toy(epochs=4)], [run_of(0)])
    # three steps an epoch, and a jump after two epochs
    assert [count for (count,) in spied.counts] == [1, 2, 3, 4, 5, 6] * 2


@pytest.mark.parametrize("kind", [InvariantRisk, RiskExtrapolation])
def test_without_a_penalty_and_with_one_environment_it_is_erm(kind, toy, run_of):
    one = torch.zeros(96, dtype=torch.int64)
    problems = [msgspec.structs.replace(toy(seed), env=one) for seed in range(2)]
    method = kind(lam=0.0, lam_before=0.0, share=0.0)
    erm = trained(EmpiricalRisk(), problems, [run_of(0), run_of(1)])
    own = trained(method, problems, [run_of(0), run_of(1)])
    torch.testing.assert_close(own[0], erm[0], rtol=0, atol=1e-5)


# mixup and plain baselines ------------------------------------------------------------


def test_mixup_mixes_inputs_and_losses_by_one_weight_a_step(toy, run_of):
    method, seeds = Mixup(), Seeds([toy(0), toy(1)], [run_of(0), run_of(1)])
    state = method.start(seeds)
    batch = next(iter(seeds.epoch(0)))
    lam, partner = state.step(batch)
    mixed = method.inputs(state, batch)
    logits = draw(0, (2, 32, 2))[0].float()
    losses = method.loss(state, batch, logits)
    for k in range(2):
        for row in range(0, 32, 7):
            other, weight = int(partner[k, row]), float(lam[k, 0])
            expected = weight * batch.x[k, row] + (1 - weight) * batch.x[k, other]
            torch.testing.assert_close(mixed[k, row], expected)
            pair = torch.stack([batch.y[k, row], batch.y[k, other]])
            both = cross_entropy(logits[k, row].expand(1, 2, 2), pair[None])[0]
            torch.testing.assert_close(losses[k, row], weight * both[0] + (1 - weight) * both[1])


def test_early_stopping_trains_on_rows_that_it_does_not_hold_out(toy, run_of):
    problem = toy(rows=100, epochs=3)
    run = run_of(0)
    EarlyStopping(share=0.2).solve_stacked([problem], [run])
    assert run._counts == {"forward": 3 * 80 + 3 * 20, "backward": 3 * 80}


def test_early_stopping_refuses_to_hold_out_every_row(toy, run_of):
    with pytest.raises(InvalidRun, match=r"share 0\.999 holds out all of the 20 training rows"):
        EarlyStopping(share=0.999).solve_stacked([toy(rows=20)], [run_of(0)])


def test_the_forest_is_scikit_learn_s_where_all_classes_are_there(toy, run_of):
    problem = toy(rows=150, classes=3)
    model = RandomForest(trees=20).solve(problem, run_of(0)).model
    shares = (model(problem.x).double().exp() * (20 + 3) - 1) / 20
    expected = model.forest.predict_proba(problem.x.numpy())
    np.testing.assert_allclose(shares.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("method", [EmpiricalRisk(), EarlyStopping(share=0.2)])
def test_problems_of_several_protocols_train_each_by_its_own(method, toy, run_of):
    problems = [toy(seed) for seed in range(2)]
    other = [
        msgspec.structs.replace(problem, lr=problem.lr / 2, epochs=2, widths=(5,))
        for problem in problems[:2]
    ]
    mixed = [problems[0], other[0], problems[1], other[1]]
    together = method.solve_stacked(
        [shown_to(method, problem) for problem in mixed], [run_of(seed) for seed in (0, 0, 1, 1)]
    )
    apart = [
        method.solve_stacked(
            [shown_to(method, problem) for problem in part], [run_of(seed) for seed in (0, 1)]
        )
        for part in (problems[:2], other)
    ]
    for solution, place in zip(together, ((0, 0), (1, 0), (0, 1), (1, 1)), strict=True):
        expected = apart[place[0]][place[1]]
        x = problems[0].x
        assert torch.equal(solution.model(x), expected.model(x))
