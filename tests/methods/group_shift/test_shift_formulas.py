"""Each method against a slow computation of its formula, or a limit in which it is another
method.
"""

import math

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.group_shift._sampling import Sampler, alike
from bench.builtin.methods.group_shift.erm import EmpiricalRisk
from bench.builtin.methods.group_shift.erm_decay import StrongDecay
from bench.builtin.methods.group_shift.groupdro import GroupDRO
from bench.builtin.methods.group_shift.groupdro_env import EnvironmentDRO
from bench.builtin.methods.group_shift.jtt import JustTrainTwice
from bench.builtin.methods.group_shift.lff import LearningFromFailure
from bench.builtin.methods.group_shift.poe import ProductOfExperts
from bench.builtin.methods.group_shift.rwg import ReweightedGroups
from bench.builtin.methods.group_shift.spectral_decoupling import SpectralDecoupling
from bench.builtin.methods.group_shift.subg import SubsampledGroups, equal_groups
from shift_helpers import batch_of, trained
from torch.nn import functional as F

from bench.tracks.group_shift import Seeds, cross_entropy, grouped_means


def draw(seed=0, shape=(2, 6, 3), scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(*shape, generator=generator, dtype=torch.float64)
    return logits, torch.randint(shape[-1], shape[:-1], generator=generator)


def assert_like_erm(method, toy, run_of, **problem):
    problems = [toy(0, **problem), toy(1, **problem)]
    erm = trained(EmpiricalRisk(), problems, [run_of(0), run_of(1)])
    for found, expected in zip(trained(method, problems, [run_of(0), run_of(1)]), erm, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


# The loop ---------------------------------------------------------------------------


def test_the_loop_is_that_of_adamw_on_a_plain_net(toy, run_of):
    problem, run = toy(), run_of(3)
    (found,) = trained(EmpiricalRisk(), [problem], [run])
    seeds = Seeds([problem], [run_of(3)])
    stack = seeds.build()
    weights = [
        part.detach()[0].clone().requires_grad_()
        for pair in zip(stack.weights, stack.biases, strict=True)
        for part in pair
    ]
    optimiser = torch.optim.AdamW(weights, lr=1e-3, weight_decay=1e-4)

    def forward(x):
        for layer in range(0, 6, 2):
            x = x @ weights[layer].T + weights[layer + 1]
            x = x.relu() if layer < 4 else x
        return x

    for _ in range(problem.epochs):
        for rows in seeds.order()[0].split(32):
            optimiser.zero_grad()
            F.cross_entropy(forward(problem.x[rows]), problem.y[rows]).backward()
            optimiser.step()
    torch.testing.assert_close(found, forward(problem.x).detach(), rtol=0, atol=1e-5)


def test_means_of_groups_are_those_of_a_loop_over_members_and_groups():
    values = torch.randn(3, 20, generator=torch.Generator().manual_seed(0))
    group = torch.randint(0, 4, (3, 20), generator=torch.Generator().manual_seed(1))
    group[1][group[1] == 2] = 0
    means, counts = grouped_means(values, group, 4)
    for k in range(3):
        for g in range(4):
            mine = values[k][group[k] == g]
            assert counts[k, g] == len(mine)
            assert float(means[k, g]) == pytest.approx(float(mine.mean()) if len(mine) else 0.0)


# Known groups -----------------------------------------------------------------------


def test_rows_are_drawn_so_that_groups_come_equally_often(toy, run_of):
    seeds = Seeds([toy(0), toy(1)], [run_of(0), run_of(1)])
    drawn = Sampler(seeds, alike(seeds.group, 4), "rows").draw(40_000)
    for k in range(2):
        shares = seeds.group[k][drawn[k]].bincount(minlength=4) / 40_000
        assert torch.allclose(shares, torch.tensor(0.25), atol=0.01)


def test_rows_of_weight_0_are_never_drawn(toy, run_of):
    seeds = Seeds([toy()], [run_of(0)])
    weights = torch.zeros(1, 96)
    weights[0, [5, 17, 95]] = torch.tensor([1.0, 2.0, 1.0])
    drawn = Sampler(seeds, weights, "rows").draw(4_000)
    counts = drawn[0].bincount(minlength=96)
    assert int(counts[[5, 17, 95]].sum()) == 4_000
    assert float(counts[17]) / 4_000 == pytest.approx(0.5, abs=0.03)


def test_subsampled_groups_are_of_the_size_of_the_smallest_and_every_kept_row_comes_alike(
    toy, run_of
):
    problem = toy(rows=200)
    method, seeds = SubsampledGroups(), Seeds([problem], [run_of(0)])
    state = method.start(seeds)
    smallest = int(problem.train_groups.bincount().min())
    assert problem.train_groups[state.kept[0]].bincount().tolist() == [smallest] * 4
    visits = method.rows(state, 0, seeds.order())[0].bincount(minlength=200)
    kept = visits[state.kept[0]]
    assert int(visits.sum()) == 200 == int(kept.sum())
    assert int(kept.max() - kept.min()) <= 1


def test_groups_without_rows_are_left_out_of_equal_groups():
    group = np.array([3, 3, 0, 0, 0, 7])
    found = equal_groups(group, np.random.default_rng(0))
    assert sorted(group[found]) == [0, 3, 7]


def test_groups_of_one_size_are_all_kept(toy, run_of):
    assert len(equal_groups(np.arange(12) % 3, np.random.default_rng(0))) == 12


def slow_groupdro(losses, group, q, eta, adjust, counts):
    """Take one update of q and return the loss, group by group."""
    means = {
        g: np.mean([v for v, h in zip(losses, group, strict=True) if h == g] or [0.0])
        for g in range(len(q))
    }
    grown = [
        q[g] * math.exp(eta * (means[g] + adjust / math.sqrt(counts[g]))) for g in range(len(q))
    ]
    q = [value / sum(grown) for value in grown]
    return sum(value * means[g] for g, value in enumerate(q)), q


def test_groupdro_is_its_algorithm_and_its_weights_stay_on_the_simplex(toy, run_of):
    method = GroupDRO(eta=0.5, adjust=2.0)
    problems = [toy(0), toy(1)]
    seeds = Seeds(problems, [run_of(0), run_of(1)])
    state = method.start(seeds)
    qs = [[0.25] * 4, [0.25] * 4]
    for step in range(4):
        rows = torch.stack([torch.arange(step * 8, step * 8 + 8)] * 2)
        y = seeds.y.gather(1, rows)
        logits, _ = draw(step, (2, 8, 2))
        found = method.loss(state, batch_of(y, rows, 96), logits)
        losses = cross_entropy(logits, y)
        for k in range(2):
            group = seeds.group[k]
            expected, qs[k] = slow_groupdro(
                losses[k].tolist(),
                group[rows[k]].tolist(),
                qs[k],
                0.5,
                2.0,
                group.bincount(minlength=4).tolist(),
            )
            assert float(found[k, 0]) == pytest.approx(expected, rel=1e-5)
            assert state.q[k].tolist() == pytest.approx(qs[k], rel=1e-5)
        assert torch.allclose(state.q.sum(1), torch.ones(2, dtype=state.q.dtype))


def test_the_weight_of_the_worse_group_grows_and_the_adjustment_acts_through_it_alone(toy, run_of):
    y, logits = torch.tensor([[0, 0, 1, 1]]), torch.tensor([[[5.0, 0], [5, 0], [5, 0], [5, 0]]])
    problem = msgspec.structs.replace(toy(rows=4), y=y[0], train_groups=torch.tensor([0, 1, 2, 3]))
    for adjust in (0.0, 3.0):
        method, seeds = GroupDRO(adjust=adjust), Seeds([problem], [run_of(int(adjust))])
        state = method.start(seeds)
        loss = method.loss(state, batch_of(y), logits)
        assert float(state.q[0, 2]) > 0.25 > float(state.q[0, 0])
        # all groups have one row, so the bonus cancels: in the loss it would not
        means = cross_entropy(logits, y)
        assert float(loss) == pytest.approx(float((state.q * means).sum()), rel=1e-6)


def test_a_group_without_rows_takes_no_weight_from_those_that_have_some(toy, run_of):
    y, logits = torch.tensor([[0, 0, 1, 1]]), torch.tensor([[[5.0, 0], [5, 0], [5, 0], [5, 0]]])
    problem = msgspec.structs.replace(toy(rows=4), y=y[0], train_groups=torch.tensor([0, 0, 3, 3]))
    method, seeds = GroupDRO(eta=1.0, adjust=4.0), Seeds([problem], [run_of(0)])
    state = method.start(seeds)
    assert state.q.tolist() == [[0.5, 0.0, 0.0, 0.5]]
    for _ in range(20):
        loss = method.loss(state, batch_of(y), logits)
    assert state.q[0, 1] == state.q[0, 2] == 0
    assert float(loss) == pytest.approx(float(cross_entropy(logits, y)[0, 2]), rel=1e-3)


@pytest.mark.parametrize("kind", [GroupDRO, EnvironmentDRO])
def test_groupdro_with_one_group_is_erm(kind, toy, run_of):
    one = torch.zeros(96, dtype=torch.int64)

    def single(seed, **options):
        return msgspec.structs.replace(toy(seed), train_groups=one, env=one, n_groups=1, **options)

    assert_like_erm(kind(balanced=False, weight_decay=1e-4), single, run_of)


def test_weight_decay_of_its_own_is_that_of_the_problem(toy, run_of):
    decayed = [toy(seed, weight_decay=5.0) for seed in range(2)]
    erm = trained(EmpiricalRisk(), decayed, [run_of(0), run_of(1)])
    own = trained(StrongDecay(), [toy(0), toy(1)], [run_of(0), run_of(1)])
    assert torch.equal(erm[0], own[0])
    assert not torch.allclose(own[0], trained(EmpiricalRisk(), [toy(0)], [run_of(0)])[0], atol=1e-3)


def test_equal_groups_make_resampling_a_draw_of_rows_alike(toy, run_of):
    group = torch.arange(96)[None] % 4
    assert torch.allclose(alike(group, 4), torch.tensor(1 / 24, dtype=torch.float64))
    assert ReweightedGroups().rows(
        Sampler(Seeds([toy()], [run_of(0)]), alike(group, 4), "rows"), 0, group
    ).shape == (1, 96)


# Early errors -----------------------------------------------------------------------


def test_the_errors_of_the_first_net_are_drawn_lambda_times_as_often(toy, run_of):
    method, seeds = JustTrainTwice(factor=6.0), Seeds([toy(0), toy(1)], [run_of(0), run_of(1)])
    state = method.start(seeds)
    drawn = state.sampler.draw(60_000)
    for k in range(2):
        wrong = state.wrong[k]
        assert 0 < int(wrong.sum()) < 96
        share = float(wrong[drawn[k]].double().mean())
        expected = 6 * int(wrong.sum()) / (6 * int(wrong.sum()) + int((~wrong).sum()))
        assert share == pytest.approx(expected, abs=0.01)


def test_the_errors_of_the_first_net_are_those_of_erm_for_as_many_epochs(toy, run_of):
    # the first net has a stream of its own, so a run whose streams are swapped finds the same
    method, seeds = JustTrainTwice(first=3), Seeds([toy()], [run_of(0)])
    state = method.start(seeds)
    stage = Seeds([toy()], [run_of(0)]).stage(3, "first")
    stage.nets = stage.build(first=1)
    from bench.tracks.group_shift import GroupMethod, train

    train(GroupMethod(), stage, None, report=False)
    assert torch.equal(stage.logits(stage.nets).argmax(-1) != stage.y, state.wrong)


def slow_lff(losses, y, before, decay):
    """Return the weight of each row of one member from both nets' losses (2, B)."""
    averages = [
        [
            value if row not in before[net] else decay * before[net][row] + (1 - decay) * value
            for row, value in enumerate(losses[net])
        ]
        for net in range(2)
    ]
    for net in range(2):
        before[net].update(enumerate(averages[net]))
    largest = [
        [max(v for v, c in zip(averages[net], y, strict=True) if c == label) for label in y]
        for net in range(2)
    ]
    scaled = [
        [value / most for value, most in zip(averages[net], largest[net], strict=True)]
        for net in range(2)
    ]
    return [biased / (biased + fair + 1e-8) for fair, biased in zip(*scaled, strict=True)]


def test_lff_weighs_rows_by_the_normalised_averages_of_both_nets_losses(toy, run_of):
    method = LearningFromFailure(q=0.7)
    problem = toy(rows=8)
    seeds = Seeds([problem, problem], [run_of(0), run_of(1)])
    state, before = method.start(seeds), [[{}, {}], [{}, {}]]
    for step in range(3):
        logits, _ = draw(step, (2, 2, 8, 2))
        found = method.loss(state, batch_of(seeds.y), logits.float())
        losses = cross_entropy(logits, seeds.y.expand(2, -1, -1))
        for k in range(2):
            weights = slow_lff(losses[:, k].tolist(), problem.y.tolist(), before[k], 0.7)
            expected = losses[0, k] * torch.tensor(weights)
            torch.testing.assert_close(found[0, k].double(), expected, rtol=1e-4, atol=1e-6)
            p = logits[1, k].softmax(-1).gather(1, problem.y[:, None])[:, 0]
            torch.testing.assert_close(
                found[1, k].double(), losses[1, k] * 0.7 * p**0.7, rtol=1e-5, atol=1e-6
            )


def test_the_weight_of_lff_is_no_path_of_the_gradient(toy, run_of):
    method, seeds = LearningFromFailure(), Seeds([toy(rows=8)], [run_of(0)])
    logits = draw(0, (2, 1, 8, 2))[0].float().requires_grad_()
    state = method.start(seeds)
    method.loss(state, batch_of(seeds.y), logits).sum().backward()
    # d CE / d logits of the first net times its weight, and nothing more
    p, one_hot = logits[0].softmax(-1), F.one_hot(seeds.y, 2)
    expected = (p - one_hot).detach() * state.weight[:, :, None]
    torch.testing.assert_close(logits.grad[0], expected, rtol=1e-4, atol=1e-6)


def test_a_weak_model_that_is_sure_of_nothing_leaves_erm(toy, run_of):
    assert_like_erm(ProductOfExperts(weak_epochs=0), toy, run_of)


def test_the_product_of_experts_is_the_normalised_product_of_both_probabilities():
    logits, y = draw()
    weak = draw(5)[0].log_softmax(-1)
    found = ProductOfExperts().loss(weak.flatten(0, 1), batch_of(y), logits)
    product = logits.softmax(-1) * weak.exp()
    p = (product / product.sum(-1, keepdim=True)).gather(-1, y[..., None])[..., 0]
    torch.testing.assert_close(found, -p.log())


def test_the_weak_model_of_poe_is_linear_and_is_that_of_its_member(toy, run_of):
    seeds = Seeds([toy(0), toy(1)], [run_of(0), run_of(1)])
    weak = ProductOfExperts().start(seeds).view(2, 96, 2)
    margins = (weak[..., 1] - weak[..., 0]).double()
    for k in range(2):
        x = torch.cat([seeds.problems[k].x.double(), torch.ones(96, 1).double()], 1)
        fitted = x @ torch.linalg.lstsq(x, margins[k][:, None]).solution
        torch.testing.assert_close(fitted[:, 0], margins[k], rtol=0, atol=1e-4)


# Features ---------------------------------------------------------------------------


def test_spectral_decoupling_adds_half_lambda_of_the_squared_logits():
    logits, y = draw()
    found = SpectralDecoupling(lam=0.3).loss(None, batch_of(y), logits)
    expected = cross_entropy(logits, y) + 0.15 * (logits**2).sum(-1)
    torch.testing.assert_close(found, expected)


def test_spectral_decoupling_without_a_penalty_is_erm_of_the_same_decay(toy, run_of):
    assert_like_erm(SpectralDecoupling(lam=0.0, weight_decay=1e-4), toy, run_of)
