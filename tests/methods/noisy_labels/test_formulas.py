"""Each method's objective against a slow computation of its formula, a
limiting case, or a plain training loop.
"""

import math

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.noisy_labels.ce import CrossEntropy
from bench.builtin.methods.noisy_labels.coteaching import CoTeaching
from bench.builtin.methods.noisy_labels.elr import EarlyLearningRegularisation
from bench.builtin.methods.noisy_labels.gce import GeneralisedCrossEntropy
from bench.builtin.methods.noisy_labels.ls import LabelSmoothing
from bench.builtin.methods.noisy_labels.mixup import Mixup
from noisy_helpers import (
    Plain,
    assert_same_member,
    batch_of,
    draw,
    each,
    orders,
    softmax,
    stepped,
    trained,
)
from torch import nn

from bench.tracks.noisy_labels import Seeds

METHODS = [
    CrossEntropy(),
    LabelSmoothing(),
    GeneralisedCrossEntropy(),
    Mixup(),
    EarlyLearningRegularisation(),
    CoTeaching(),
]

# Every method ---------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.card.name)
def test_confident_logits_of_either_sign_give_finite_losses_and_gradients(method, toy, run_of):
    problem = toy(rows=4, batch_size=4, noise_rate=0.25)
    seeds = Seeds([problem], [run_of(0)])
    state = method.start(seeds)
    y = torch.tensor([[0, 1, 2, 3]])
    for scale in (0.0, 20.0, 1e4):
        # two rows sure and right, two sure and wrong
        one = scale * torch.eye(4)[[0, 1, 3, 2]][None]
        logits = (one.expand(2, -1, -1, -1) if method.nets == 2 else one).clone().requires_grad_()
        loss = method.loss(state, batch_of(y), logits)
        assert loss.isfinite().all()
        loss.mean(-1).sum().backward()
        assert logits.grad.isfinite().all()


# Cross entropy and label smoothing ---------------------------------------------------


def test_ce_is_minus_the_log_of_the_label_s_probability():
    logits, y = draw()
    torch.testing.assert_close(
        CrossEntropy().loss(None, batch_of(y), logits),
        each(lambda p, label: -math.log(p[label]), logits, y),
    )


def test_label_smoothing_of_zero_is_cross_entropy():
    logits, y = draw(1)
    torch.testing.assert_close(
        LabelSmoothing(smoothing=0.0).loss(None, batch_of(y), logits),
        CrossEntropy().loss(None, batch_of(y), logits),
        rtol=1e-14,
        atol=1e-14,
    )


@pytest.mark.parametrize("share", [0.1, 0.6])
def test_label_smoothing_is_torch_s(share):
    logits, y = draw(2, scale=3.0)
    expected = nn.functional.cross_entropy(
        logits.flatten(0, 1), y.flatten(), reduction="none", label_smoothing=share
    ).view(2, 6)
    torch.testing.assert_close(
        LabelSmoothing(smoothing=share).loss(None, batch_of(y), logits), expected
    )


def test_label_smoothing_is_cross_entropy_to_the_smoothed_target():
    logits, y = draw(3)
    expected = each(
        lambda p, label: -sum((0.3 / 5 + 0.7 * (c == label)) * math.log(p[c]) for c in range(5)),
        logits,
        y,
    )
    torch.testing.assert_close(
        LabelSmoothing(smoothing=0.3).loss(None, batch_of(y), logits), expected
    )


# Generalised cross entropy -------------------------------------------------------------


@pytest.mark.parametrize("q", [0.2, 0.7, 1.0])
def test_gce_is_one_minus_the_power_of_the_label_s_probability(q):
    logits, y = draw(4)
    torch.testing.assert_close(
        GeneralisedCrossEntropy(q=q).loss(None, batch_of(y), logits),
        each(lambda p, label: (1 - p[label] ** q) / q, logits, y),
    )


def test_gce_approaches_cross_entropy_linearly_as_q_goes_to_zero():
    logits, y = draw(5)
    ce = each(lambda p, label: -math.log(p[label]), logits, y)
    for q in (1e-3, 1e-6, 1e-9):
        gap = (ce - GeneralisedCrossEntropy(q=q).loss(None, batch_of(y), logits)) / q
        # Taylor: (1 - exp(-q l)) / q = l - q l^2 / 2 + ...
        torch.testing.assert_close(gap, ce**2 / 2, rtol=0.01, atol=1e-5)


def test_gce_with_q_one_is_half_the_absolute_error():
    logits, y = draw(6)
    expected = each(
        lambda p, label: 0.5 * sum(abs((c == label) - p[c]) for c in range(5)), logits, y
    )
    torch.testing.assert_close(
        GeneralisedCrossEntropy(q=1.0).loss(None, batch_of(y), logits), expected
    )


def test_gce_weighs_the_gradient_of_cross_entropy_by_the_power_of_the_probability():
    logits, y = draw(7)
    rows = [logits.clone().requires_grad_() for _ in range(2)]
    GeneralisedCrossEntropy(q=0.7).loss(None, batch_of(y), rows[0]).sum().backward()
    CrossEntropy().loss(None, batch_of(y), rows[1]).sum().backward()
    weight = each(lambda p, label: p[label] ** 0.7, logits, y)  # the paper, section 3.2
    torch.testing.assert_close(rows[0].grad, weight[..., None] * rows[1].grad)


def test_gce_stops_at_a_probability_of_ten_to_the_minus_seven():
    logits = torch.tensor([[[0.0, 50.0]]], dtype=torch.float64, requires_grad=True)
    loss = GeneralisedCrossEntropy(q=0.7).loss(None, batch_of(torch.tensor([[0]])), logits)
    assert loss.item() == pytest.approx((1 - 1e-7**0.7) / 0.7, rel=1e-12)
    loss.sum().backward()
    assert (logits.grad == 0).all()


# Early-learning regularisation -----------------------------------------------------------


def targets_after(method, visits, y):
    """Return ELR's state in float64 after visits with the given logits."""
    state = torch.zeros(y.numel(), visits[0].shape[-1], dtype=torch.float64)
    for logits in visits:
        method.loss(state, batch_of(y), logits)
    return state


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_of_elr_is_the_derived_one(seed):
    method = EarlyLearningRegularisation(lam=2.5, beta=0.6)
    y = draw(seed)[1]
    visits = [draw(10 * seed + visit)[0] for visit in range(3)]
    state = targets_after(method, visits[:2], y)
    logits = visits[2].requires_grad_()
    method.loss(state, batch_of(y), logits).sum().backward()
    p, t = logits.detach().softmax(-1), state.view(2, 6, 5)
    assert p.min() > 1e-4  # no clamp is at work
    s = (p * t).sum(-1, keepdim=True)
    # the specification's identity, section 4.1
    expected = p - nn.functional.one_hot(y, 5) + 2.5 * p * (s - t) / (1 - s)
    torch.testing.assert_close(logits.grad, expected, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(
        logits.grad.sum(-1), torch.zeros(2, 6, dtype=torch.float64), rtol=0, atol=1e-14
    )


@pytest.mark.parametrize("scale", [1.0, 30.0], ids=["no clamp", "clamped"])
def test_elr_is_its_formula_row_by_row(scale):
    method = EarlyLearningRegularisation(lam=3.0, beta=0.7)
    y = draw()[1]
    visits = [draw(visit, scale=scale)[0] for visit in range(4)]
    state = torch.zeros(12, 5, dtype=torch.float64)
    expected_state = np.zeros((12, 5))
    for logits in visits:
        found = method.loss(state, batch_of(y), logits).flatten()
        for i, (row, label) in enumerate(
            zip(logits.flatten(0, 1).tolist(), y.flatten().tolist(), strict=True)
        ):
            p = [min(max(value, 1e-4), 1 - 1e-4) for value in softmax(row)]
            expected_state[i] = [
                0.7 * t + 0.3 * value / sum(p)
                for t, value in zip(expected_state[i], p, strict=True)
            ]
            inner = sum(t * value for t, value in zip(expected_state[i], p, strict=True))
            ce = max(row) + math.log(sum(math.exp(value - max(row)) for value in row)) - row[label]
            assert found[i].item() == pytest.approx(ce + 3.0 * math.log(1 - inner), rel=1e-10)
        np.testing.assert_allclose(state.numpy(), expected_state, rtol=1e-12)


@pytest.mark.parametrize("beta", [0.0, 0.7, 0.9])
def test_elr_s_targets_sum_to_one_minus_beta_to_the_visits(beta):
    method, y = EarlyLearningRegularisation(beta=beta), draw()[1]
    for visits in range(1, 6):
        state = targets_after(method, [draw(visit, scale=4.0)[0] for visit in range(visits)], y)
        torch.testing.assert_close(
            state.sum(-1), torch.full((12,), 1 - beta**visits, dtype=torch.float64)
        )


def test_elr_s_regulariser_is_negative_and_falls_as_the_prediction_agrees_with_the_target():
    method, y = EarlyLearningRegularisation(lam=1.0), torch.tensor([[0]])
    values = []
    for sure in (0.0, 1.0, 2.0, 4.0):
        state = torch.tensor([[0.5, 0.1, 0.1]], dtype=torch.float64)
        logits = torch.tensor([[[sure, 0.0, 0.0]]], dtype=torch.float64)
        values.append(
            (
                method.loss(state, batch_of(y), logits)
                - CrossEntropy().loss(None, batch_of(y), logits)
            ).item()
        )
    assert values == sorted(values, reverse=True)
    assert values[0] < 0


def test_elr_without_its_regulariser_is_cross_entropy_bit_for_bit(toy, run_of):
    problems = [toy(seed) for seed in range(2)]
    elr = trained(EarlyLearningRegularisation(lam=0.0), problems, [run_of(0), run_of(1)])
    ce = trained(CrossEntropy(), problems, [run_of(0), run_of(1)])
    assert all(torch.equal(mine, expected) for mine, expected in zip(elr, ce, strict=True))
    assert not torch.equal(
        trained(EarlyLearningRegularisation(lam=0.1), problems, [run_of(0), run_of(1)])[0], ce[0]
    )


def test_elr_corrects_to_the_largest_target_and_leaves_rows_that_were_never_visited(toy, run_of):
    problem = toy(rows=3, classes=4)
    problem = msgspec.structs.replace(problem, y=torch.tensor([2, 3, 1]))
    seeds = Seeds([problem, problem], [run_of(0), run_of(1)])
    state = torch.zeros(6, 4)
    state[0] = torch.tensor([0.1, 0.2, 0.3, 0.25])
    state[1] = torch.tensor([0.6, 0.1, 0.1, 0.0])
    state[5] = torch.tensor([0.0, 0.2, 0.0, 0.5])
    first, second = EarlyLearningRegularisation().finish(state, seeds)
    assert first["labels"].tolist() == [2, 0, 1]  # kept, corrected, never visited
    assert second["labels"].tolist() == [2, 3, 3]
    torch.testing.assert_close(first["clean_score"], torch.tensor([0.3, 0.0, 0.0]))
    torch.testing.assert_close(second["clean_score"], torch.tensor([0.0, 0.0, 0.2]))


# mixup -----------------------------------------------------------------------------------


def mixing(toy, run_of, **protocol):
    problems = [toy(seed, **protocol) for seed in range(2)]
    seeds = Seeds(problems, [run_of(0), run_of(1)])
    return seeds, Mixup().start(seeds), problems


def test_mixup_is_its_formula_example_by_example(toy, run_of):
    seeds, state, _ = mixing(toy, run_of)
    streams = [run_of(seed) for seed in range(2)]
    weights = [run.numpy_generator("method", "weights") for run in streams]
    partners = [run.numpy_generator("method", "partners") for run in streams]
    for epoch in range(2):
        lam = [generator.beta(1.0, 1.0, 5) for generator in weights]  # 70 rows in batches of 16
        keys = [generator.random(70) for generator in partners]
        for batch in seeds.epoch(epoch):
            size = batch.y.shape[1]
            x = Mixup().inputs(state, batch)
            logits = draw(batch.step, (2, size, 4))[0]
            loss = Mixup().loss(state, batch, logits)
            for k in range(2):
                weight = lam[k][batch.step]
                order = sorted(range(size), key=lambda i, mine=keys[k][16 * batch.step :]: mine[i])
                assert sorted(order) == list(range(size))
                for i, j in enumerate(order):
                    torch.testing.assert_close(
                        x[k, i],
                        (
                            weight * batch.x[k, i].double() + (1 - weight) * batch.x[k, j].double()
                        ).float(),
                        rtol=1e-5,
                        atol=1e-6,
                    )
                    p = softmax(logits[k, i].tolist())
                    expected = -weight * math.log(p[batch.y[k, i]]) - (1 - weight) * math.log(
                        p[batch.y[k, j]]
                    )
                    assert loss[k, i].item() == pytest.approx(expected, rel=1e-6)
        Mixup().after_epoch(state, epoch)


def test_mixup_with_itself_as_partner_is_cross_entropy_on_the_input_itself(toy, run_of):
    seeds, state, _ = mixing(toy, run_of, batch_size=1, rows=5)
    for batch in seeds.epoch(0):
        torch.testing.assert_close(Mixup().inputs(state, batch), batch.x)
        logits = draw(batch.step, (2, 1, 4))[0]
        torch.testing.assert_close(
            Mixup().loss(state, batch, logits), CrossEntropy().loss(None, batch, logits)
        )


def test_mixup_draws_weights_from_a_beta_of_its_own_for_each_member_step_and_epoch(toy, run_of):
    problems = [toy(seed, rows=500, batch_size=1) for seed in range(2)]
    for alpha in (0.3, 1.0, 4.0):
        seeds = Seeds(problems, [run_of(0), run_of(1)])
        state = Mixup(alpha=alpha).start(seeds)
        first = state.lam.clone()
        Mixup(alpha=alpha).after_epoch(state, 0)
        drawn = torch.cat([first.flatten(), state.lam.flatten()]).double()
        assert drawn.unique().numel() > 1900  # of 2,000; float32 rounds a few together
        assert drawn.mean().item() == pytest.approx(
            0.5, abs=4 * math.sqrt(1 / (4 * (2 * alpha + 1)) / 2000)
        )
        # variance of Beta(a, a)
        assert drawn.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.15)


# Co-teaching -------------------------------------------------------------------------------


class _Rate:
    """Co-teaching's state by hand."""

    def __init__(self, rates, rows):
        self.rate, self.kept = (
            torch.tensor(rates, dtype=torch.float64),
            torch.zeros(rows, dtype=torch.bool),
        )


@pytest.mark.parametrize("epoch", [0, 3, 9, 40])
@pytest.mark.parametrize("size", [1, 7, 10])
def test_coteaching_trains_each_net_on_the_rows_that_the_other_finds_easy(epoch, size):
    rates = [0.0, 0.3, 0.45, 0.95]
    logits = draw(epoch, (2, 4, size, 5))[0]
    y = draw(epoch + 1, (4, size, 5))[1]
    state = _Rate(rates, 4 * size)
    found = CoTeaching().loss(state, batch_of(y, epoch=epoch), logits)
    losses = [
        each(lambda p, label: -math.log(p[label]), logits[net], y).tolist() for net in range(2)
    ]
    for k, rate in enumerate(rates):
        forget = rate * min(1, epoch / 9)  # the paper: linear over T_k = 10 epochs
        count = max(1, int((1 - forget) * size))
        for net in range(2):
            easy = sorted(range(size), key=lambda i, other=losses[1 - net][k]: other[i])[:count]
            assert found[net, k].mean().item() == pytest.approx(
                sum(losses[net][k][i] for i in easy) / count, rel=1e-12
            )
            if net == 0:
                assert state.kept[k * size : (k + 1) * size].nonzero().flatten().tolist() == sorted(
                    easy
                )


def test_coteaching_lets_no_gradient_through_the_choice_and_none_to_forgotten_rows():
    logits, y = draw(0, (2, 1, 8, 5))[0].requires_grad_(), draw(1, (1, 8, 5))[1]
    state = _Rate([0.5], 8)
    CoTeaching().loss(state, batch_of(y, epoch=9), logits).mean(-1).sum().backward()
    touched = logits.grad[0, 0].abs().sum(-1) > 0
    assert touched.tolist() == state.kept.tolist()
    assert touched.sum() == 4
    p = logits.detach()[0, 0].softmax(-1)
    # gradient of the mean over the four kept, divided once
    expected = (p - nn.functional.one_hot(y[0], 5)) / 4 * touched[:, None]
    torch.testing.assert_close(logits.grad[0, 0], expected)


@pytest.mark.parametrize(
    ("ramp", "epoch", "share"),
    [
        (10, 0, 0),
        (10, 3, 1 / 3),
        (10, 9, 1),
        (10, 59, 1),
        (5, 2, 0.5),
        (1, 0, 1),
        (2, 0, 0),
        (2, 1, 1),
    ],
)
def test_coteaching_forgets_more_and_more_until_the_ramp_ends(ramp, epoch, share):
    logits, y = draw(0, (2, 1, 100, 5))[0], draw(1, (1, 100, 5))[1]
    state = _Rate([0.3], 100)
    CoTeaching(ramp=ramp).loss(state, batch_of(y, epoch=epoch), logits)
    assert state.kept.sum() == round(100 - 30 * share)


def test_coteaching_keeps_the_floor_and_at_least_one_row():
    # .6 x 128 = 76.8, .55 x 117 = 64.35, .1
    for rate, size, kept in ((0.4, 128, 76), (0.45, 117, 64), (0.99, 10, 1), (1.0, 10, 1)):
        state = _Rate([rate], size)
        CoTeaching(ramp=1).loss(
            state, batch_of(draw(1, (1, size, 5))[1]), draw(0, (2, 1, size, 5))[0]
        )
        assert state.kept.sum() == kept


def test_coteaching_keeps_the_earlier_of_rows_with_equal_losses():
    state = _Rate([0.5], 40)
    CoTeaching(ramp=1).loss(
        state, batch_of(torch.zeros(1, 40, dtype=torch.int64)), torch.zeros(2, 1, 40, 5)
    )
    assert state.kept.tolist() == [True] * 20 + [False] * 20


def test_coteaching_that_forgets_nothing_trains_its_first_net_as_cross_entropy_does_bit_for_bit(
    toy, run_of
):
    problems = [toy(seed, noise_rate=0.0) for seed in range(2)]
    mine = trained(CoTeaching(), problems, [run_of(0), run_of(1)])
    expected = trained(CrossEntropy(), problems, [run_of(0), run_of(1)])
    assert all(torch.equal(*pair) for pair in zip(mine, expected, strict=True))


def test_coteaching_says_which_rows_its_first_net_was_last_trained_on(toy, run_of):
    problems = [toy(0, epochs=12, noise_rate=0.5), toy(1, epochs=12, noise_rate=0.25)]
    solutions = CoTeaching().solve_stacked(problems, [run_of(0), run_of(1)])
    # 70 rows: four batches of 16 and one of 6, floors
    assert [int(solution.kept.sum()) for solution in solutions] == [4 * 8 + 3, 4 * 12 + 4]
    assert solutions[0].ensemble is not None


# Training steps against a plain loop ----------------------------------------------------------


def test_elr_trains_as_a_plain_loop_does(toy, run_of):
    problems = [toy(seed, dtype=torch.float64) for seed in range(2)]
    start, nets = stepped(EarlyLearningRegularisation(lam=3.0, beta=0.7), problems, run_of, 3)
    for k, problem in enumerate(problems):
        net, memory = Plain(start, k), {}
        optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        for batches in orders(run_of(k), 70, 3):
            for rows in batches:
                total = 0.0
                for i in rows.tolist():
                    logits = net(problem.x[i])
                    p = logits.exp() / logits.exp().sum()
                    p = p.clamp(1e-4, 1 - 1e-4)
                    memory[i] = 0.7 * memory.get(i, 0.0) + 0.3 * (p / p.sum()).detach()
                    total = (
                        total
                        - logits[problem.y[i]]
                        + logits.exp().sum().log()
                        + 3.0 * torch.log(1 - memory[i] @ p)
                    )
                optimiser.zero_grad()
                (total / len(rows)).backward()
                optimiser.step()
        assert_same_member(net, nets, k)


def test_mixup_trains_as_a_plain_loop_does(toy, run_of):
    problems = [toy(seed, dtype=torch.float64) for seed in range(2)]
    start, nets = stepped(Mixup(alpha=0.5), problems, run_of, 3)
    for k, problem in enumerate(problems):
        net, run = Plain(start, k), run_of(k)
        optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        weights, partners = (
            run.numpy_generator("method", "weights"),
            run.numpy_generator("method", "partners"),
        )
        for batches in orders(run, 70, 3):
            lam = weights.beta(0.5, 0.5, len(batches)).astype(np.float32)
            keys = np.split(partners.random(70), range(16, 70, 16))
            for weight, key, rows in zip(lam.astype(float), keys, batches, strict=True):
                others = rows[np.argsort(key)]
                log_p = net(
                    weight * problem.x[rows] + (1 - weight) * problem.x[others]
                ).log_softmax(-1)
                target = weight * nn.functional.one_hot(problem.y[rows], 4) + (
                    1 - weight
                ) * nn.functional.one_hot(problem.y[others], 4)
                optimiser.zero_grad()
                (-(target * log_p).sum(-1).mean()).backward()
                optimiser.step()
        assert_same_member(net, nets, k)


def test_coteaching_trains_as_a_plain_loop_over_two_nets_does(toy, run_of):
    rates = [0.3, 0.5]
    problems = [toy(seed, dtype=torch.float64, noise_rate=rates[seed]) for seed in range(2)]
    start, nets = stepped(CoTeaching(ramp=3), problems, run_of, 4)
    for k, problem in enumerate(problems):
        pair = [Plain(start, k), Plain(start, 2 + k)]
        optimisers = [torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9) for net in pair]
        for epoch, batches in enumerate(orders(run_of(k), 70, 4)):
            for rows in batches:
                losses = [
                    nn.functional.cross_entropy(
                        net(problem.x[rows]), problem.y[rows], reduction="none"
                    )
                    for net in pair
                ]
                count = int((1 - rates[k] * min(1, epoch / 2)) * len(rows))
                chosen = [
                    np.argsort(loss.detach().numpy(), kind="stable")[:count] for loss in losses
                ]
                for net in range(2):
                    optimisers[net].zero_grad()
                    losses[net][chosen[1 - net]].mean().backward()
                for optimiser in optimisers:
                    optimiser.step()
        for net in range(2):
            assert_same_member(pair[net], nets, 2 * net + k)
