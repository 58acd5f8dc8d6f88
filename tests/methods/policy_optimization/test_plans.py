"""Each method's plan on batches made by hand, and where two methods must coincide."""

import math
import statistics

import msgspec
import pytest
import torch
from bench.builtin.methods.policy_optimization.d1s import D1s
from bench.builtin.methods.policy_optimization.d1s_cross import D1sCross
from bench.builtin.methods.policy_optimization.d2s import D2s
from bench.builtin.methods.policy_optimization.d3s import D3s
from bench.builtin.methods.policy_optimization.dapo_filter import DapoFilter
from bench.builtin.methods.policy_optimization.entropy_top import EntropyTop
from bench.builtin.methods.policy_optimization.grpo import Grpo
from bench.builtin.methods.policy_optimization.gspo import Gspo
from bench.builtin.methods.policy_optimization.gspo_d1s import GspoD1s
from bench.builtin.methods.policy_optimization.gspo_d2s import GspoD2s
from bench.builtin.methods.policy_optimization.gspo_d3s import GspoD3s
from bench.builtin.methods.policy_optimization.pods import Pods
from bench.builtin.methods.policy_optimization.random import RandomRollouts

from bench.tracks.policy_optimization.loss import clipped_loss
from bench.tracks.policy_optimization.plan import select
from bench.tracks.policy_optimization.trainer import Trainer

MIXED = [[1, 0, 0, 0, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1, 0]]
CONSTANT = [[1, 1, 1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0, 0, 0]]
EVERY = [
    Grpo(),
    Gspo(),
    RandomRollouts(),
    Pods(),
    EntropyTop(),
    DapoFilter(),
    D1s(),
    D1sCross(),
    D2s(),
    D3s(),
    GspoD1s(),
    GspoD2s(),
    GspoD3s(),
]
ASKS = ("entropy-top", "d2s", "d3s", "gspo-d2s", "gspo-d3s")
"""Methods that look at entropies."""


def plan(method, batch, progress=0.0, seed=0):
    return method.plan(batch, progress, torch.Generator().manual_seed(seed))


def parameters(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("method", EVERY, ids=lambda method: method.card.name)
def test_a_plan_names_rows_that_rise_fits_them_and_touches_nothing_it_was_given(batch_of, method):
    batch, entropy, _ = batch_of(MIXED)
    before = [
        part.clone()
        for part in (
            batch.rewards,
            batch.completion_ids,
            batch.completion_mask,
            batch.group,
            entropy,
        )
    ]
    found = plan(method, batch)
    assert found.rows.tolist() == sorted(set(found.rows.tolist()))
    assert len(found.advantages) == len(found.rows) > 0
    if found.token_weight is not None:
        assert found.token_weight.shape == batch.completion_mask[found.rows].shape
        assert not (found.token_weight > 0)[~batch.completion_mask[found.rows]].any()
    for now, then in zip(
        (batch.rewards, batch.completion_ids, batch.completion_mask, batch.group, entropy),
        before,
        strict=True,
    ):
        assert torch.equal(now, then)


@pytest.mark.parametrize("method", EVERY, ids=lambda method: method.card.name)
def test_a_plan_is_the_same_for_the_same_stream(batch_of, method):
    batch, _, _ = batch_of(MIXED)
    first, second = plan(method, batch), plan(method, batch)
    assert torch.equal(first.rows, second.rows)
    assert torch.equal(first.advantages, second.advantages)


@pytest.mark.parametrize(
    "method",
    [method for method in EVERY if method.card.name not in ASKS],
    ids=lambda method: method.card.name,
)
def test_methods_that_need_no_entropy_do_not_pay_for_it(batch_of, method):
    batch, _, asked = batch_of(MIXED)
    plan(method, batch)
    assert not asked


def test_grpo_keeps_every_row_with_its_standardised_reward(batch_of):
    batch, _, _ = batch_of(MIXED)
    found = plan(Grpo(), batch)
    q = 2 / 8
    assert found.rows.tolist() == list(range(16))
    assert found.advantages[0].item() == pytest.approx(math.sqrt((1 - q) / q), abs=1e-4)
    assert found.advantages[1].item() == pytest.approx(-math.sqrt(q / (1 - q)), abs=1e-4)


def test_random_keeps_the_same_number_of_each_group_and_with_another_stream_others(batch_of):
    batch, _, _ = batch_of(MIXED)
    rows = [
        tuple(plan(RandomRollouts(share=0.5), batch, seed=seed).rows.tolist()) for seed in range(20)
    ]
    assert len(set(rows)) > 10
    assert all(sum(row < 8 for row in kept) == sum(row >= 8 for row in kept) == 4 for kept in rows)
    counts = torch.bincount(torch.tensor(rows).flatten(), minlength=16)
    assert counts.min() > 2  # every row has its chance


def test_random_keeps_advantages_of_the_whole_group_unless_told_otherwise(batch_of):
    batch, _, _ = batch_of(MIXED)
    kept, anew = (
        plan(RandomRollouts(share=0.5, renormalise=flag), batch) for flag in (False, True)
    )
    assert torch.equal(kept.advantages, plan(Grpo(), batch).advantages[kept.rows])
    assert anew.advantages.view(2, 4).sum(1).abs().max() < 1e-4


def test_pods_keeps_the_rare_and_as_many_of_the_others_and_standardises_them_anew(batch_of):
    batch, _, _ = batch_of(MIXED)
    found = plan(Pods(share=0.5), batch)
    assert batch.rewards[found.rows].view(2, 4).sum(1).tolist() == [2, 3]
    # as its authors do: the sample's standard deviation, and 1e-4
    for rewards, advantages in zip(
        batch.rewards[found.rows].view(2, 4).tolist(), found.advantages.view(2, 4), strict=True
    ):
        mean, spread = statistics.mean(rewards), statistics.stdev(rewards) + 1e-4
        assert advantages.tolist() == pytest.approx([(r - mean) / spread for r in rewards])


@pytest.mark.parametrize("kept", [2, 3, 5])
def test_pods_keeps_what_trying_every_number_of_the_highest_and_lowest_finds(batch_of, kept):
    rewards = torch.randn(6, 8, generator=torch.Generator().manual_seed(kept))
    batch, _, _ = batch_of(rewards)
    rows = plan(Pods(share=kept / 8), batch).rows.view(6, kept) % 8
    for values, chosen in zip(rewards.tolist(), rows.tolist(), strict=True):
        ranked = sorted(values, reverse=True)
        best = max(
            statistics.variance(ranked[:high] + ranked[len(ranked) - kept + high :])
            for high in range(kept + 1)
        )
        assert statistics.variance([values[row] for row in chosen]) == pytest.approx(best)


def test_d1s_chooses_the_rows_of_pods_and_keeps_their_advantages(batch_of):
    batch, _, _ = batch_of(torch.randn(3, 9, generator=torch.Generator().manual_seed(0)))
    pods, d1s = plan(Pods(), batch), plan(D1s(), batch)
    assert torch.equal(pods.rows, d1s.rows)
    assert torch.equal(d1s.advantages, plan(Grpo(), batch).advantages[d1s.rows])
    assert not torch.allclose(pods.advantages, d1s.advantages)


def test_across_groups_rare_successes_and_rare_failures_are_kept_and_groups_without_signal_drop_out(
    batch_of,
):
    rewards = [
        [1, 0, 0, 0, 0, 0, 0, 0],
        [1, 0, 1, 0, 1, 0, 1, 0],
        [1, 1, 1, 1, 1, 1, 1, 1],
        [0, 1, 1, 1, 1, 1, 1, 1],
    ]
    batch, _, _ = batch_of(rewards)
    found = plan(D1sCross(share=0.25, cross=0.25), batch)
    # the rare success of the hard prompt, the rare failure of the easy one
    assert found.rows.tolist() == [0, 24]
    assert found.advantages.tolist() == pytest.approx([math.sqrt(7), -math.sqrt(7)], abs=1e-3)


def test_d2s_keeps_the_tokens_of_largest_advantage_times_entropy(batch_of):
    batch, entropy, asked = batch_of(MIXED)
    found = plan(D2s(share=0.5, cross=1.0, tokens=0.25), batch)
    # entropy of the selected rows alone
    assert [rows.tolist() for rows in asked] == [found.rows.tolist()]
    scores = (found.advantages.abs()[:, None] * entropy[found.rows]).flatten()
    assert int(found.token_weight.sum()) == 6  # ceil(.25 * 8 rows * 3 tokens)
    assert set(torch.nonzero(found.token_weight.flatten())[:, 0].tolist()) == set(
        scores.topk(6).indices.tolist()
    )


def test_d3s_at_its_start_is_d2s_and_later_keeps_more(batch_of):
    batch, _, _ = batch_of([[1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]] * 4)
    start, same = plan(D3s(), batch, 0.0), plan(D2s(), batch)
    assert torch.equal(start.rows, same.rows)
    assert torch.equal(start.token_weight, same.token_weight)
    kept = [plan(D3s(), batch, step / 10) for step in range(11)]
    rows, tokens = [len(one.rows) for one in kept], [int(one.token_weight.sum()) for one in kept]
    assert rows == sorted(rows)
    assert tokens == sorted(tokens)
    assert (rows[-1], tokens[-1]) == (24, math.ceil(0.8 * 24 * 3))


def test_entropy_top_keeps_the_tokens_above_the_quantile_and_at_one_all(batch_of):
    batch, entropy, _ = batch_of(MIXED, lengths=[3, 1, 2, 3] * 4)
    kept = plan(EntropyTop(share=0.25), batch).token_weight
    edge = torch.quantile(entropy[batch.completion_mask], 0.75)
    assert torch.equal(kept > 0, (entropy >= edge) & batch.completion_mask)
    assert torch.equal(plan(EntropyTop(share=1.0), batch).token_weight > 0, batch.completion_mask)


def test_a_token_that_entropy_top_keeps_pulls_as_hard_as_in_grpo(toy, run_of):
    trainer, everything, kept = Trainer(toy(), Grpo(), run_of()), [], []
    batch, old = trainer._rollouts(0)
    for method, gradients in ((Grpo(), everything), (EntropyTop(share=0.3), kept)):
        chosen = select(batch, plan(method, batch))
        log_p = old.clone().requires_grad_()
        parts = (old[chosen.rows], chosen.mask, chosen.advantages, chosen.weight)
        clipped_loss(log_p[chosen.rows], *parts, method, 3, chosen.silent).backward()
        counted = torch.zeros(old.shape, dtype=torch.bool)
        counted[chosen.rows] = chosen.weight > 0
        gradients += [log_p.grad, counted]
    # both divide by the number of all completion tokens, those of rows without a kept one too
    assert torch.equal(kept[0], torch.where(kept[1], everything[0], 0.0))
    assert 0 < int(kept[1].sum()) < int(everything[1].sum())
    assert not bool(kept[1].any(-1).all())


def test_dapo_leaves_out_groups_without_signal(batch_of):
    batch, _, _ = batch_of([CONSTANT[0], MIXED[0], CONSTANT[1], MIXED[1]])
    assert plan(DapoFilter(), batch).rows.tolist() == [*range(8, 16), *range(24, 32)]
    assert len(plan(DapoFilter(), batch_of(CONSTANT)[0]).rows) == 0
    assert (DapoFilter().missing(batch), DapoFilter(refill=True).missing(batch)) == (0, 2)


# Limits in which a method is another, trained to the last bit ---------------------------------

SAME = [
    (D3s(share=1, share_end=1, cross=1, tokens=1, tokens_end=1), Grpo()),
    (D1sCross(share=1, cross=1), Grpo()),
    (Pods(share=1, renormalise=False, ddof=0, adv_eps=1e-6), Grpo()),
    (RandomRollouts(share=1), Grpo()),
    (EntropyTop(share=1), Grpo()),
    (D2s(cross=1, tokens=1), D1s()),
    (GspoD3s(share=1, share_end=1, cross=1, tokens=1, tokens_end=1), Gspo()),
    (GspoD2s(cross=1, tokens=1), GspoD1s()),
    (GspoD1s(share=1), Gspo()),
    (
        D3s(level="sequence", clip_low=0.02, clip_high=0.02, aggregation="sequence"),
        GspoD3s(),
    ),
]


@pytest.mark.parametrize(("method", "other"), SAME, ids=lambda method: method.card.name)
def test_a_method_that_drops_nothing_trains_as_the_other_does_bit_for_bit(
    toy, run_of, method, other
):
    first, second = (toy().train(one, run_of()) for one in (method, other))
    assert torch.equal(parameters(first.model), parameters(second.model))
    assert first.used.tokens_in_loss == second.used.tokens_in_loss > 0


def varied(ids, mask, answers):
    """Rewards of which no group is constant: the first rollout of each
    eight gets 1, the second 0.
    """
    rewards = (ids[:, 0] == answers).float()
    rewards[0::8], rewards[1::8] = 1.0, 0.0
    return rewards


def test_dapo_is_grpo_where_no_group_is_constant_and_divides_by_fewer_tokens_where_one_is(
    toy, run_of
):
    first, second = (
        toy(verify=varied).train(one, run_of()) for one in (DapoFilter(clip_high=0.2), Grpo())
    )
    assert torch.equal(parameters(first.model), parameters(second.model))
    first, second = (toy().train(one, run_of()) for one in (DapoFilter(clip_high=0.2), Grpo()))
    assert first.used.tokens_in_loss < second.used.tokens_in_loss
    assert not torch.equal(parameters(first.model), parameters(second.model))


def test_refilling_generates_more_rollouts_and_counts_them(toy, run_of):
    plain, refilled = (
        toy(steps=3).train(DapoFilter(refill=flag), run_of()).used for flag in (False, True)
    )
    assert refilled.rollouts > plain.rollouts == 3 * 32


# Against the null on a task built for it ------------------------------------------------------

SPARSE = {"symbols": 6, "prompts": 6, "group": 16, "steps": 45}
"""A random policy finds the rewarded token once in nine times, so most
rollouts of a group say the same.
"""


def rate(problem, model, run):
    """The share of right answers of a policy."""
    after = msgspec.structs.replace(
        problem,
        warm=model.state_dict(),
        protocol=msgspec.structs.replace(problem.protocol, group=32),
    )
    return float(Trainer(after, Grpo(), run)._rollouts(0)[0].rewards.mean())


def gain_at_equal_tokens(problem, method, run_of, seed):
    """By how much the share of right answers is above GRPO's, which takes so many steps that it
    gets as many tokens into its loss.
    """
    mine = problem.train(method, run_of(seed))
    whole = problem.train(Grpo(), run_of(seed)).used.tokens_in_loss
    steps = math.ceil(1.05 * problem.protocol.steps * mine.used.tokens_in_loss / whole)
    fewer = msgspec.structs.replace(problem.protocol, steps=steps)
    null = msgspec.structs.replace(problem, protocol=fewer).train(Grpo(), run_of(seed))
    assert null.used.tokens_in_loss >= 0.9 * mine.used.tokens_in_loss
    return rate(problem, mine.model, run_of(100 + seed)) - rate(
        problem, null.model, run_of(100 + seed)
    )


# what they choose is tested above; training is shared
ALIKE = [pytest.param(method, marks=pytest.mark.slow) for method in (D1sCross(), D2s())]


@pytest.mark.parametrize(
    "method", [D1s(), D3s(), Pods(), *ALIKE], ids=lambda method: method.card.name
)
def test_where_few_rollouts_carry_the_signal_a_selection_learns_more_from_as_many_tokens(
    toy, run_of, method
):
    gains = [gain_at_equal_tokens(toy(**SPARSE), method, run_of, seed) for seed in (0, 1)]
    assert min(gains) > 0
    assert sum(gains) / 2 > 0.1


def short(ids, mask, answers):
    """Reward answers of one token and an end."""
    return (mask.sum(-1) == 2).float()


def test_where_most_tokens_are_settled_training_on_the_uncertain_ones_learns_more_from_as_many(
    toy, run_of
):
    settled = toy(**SPARSE, verify=short).train(Grpo(), run_of(7)).model.state_dict()
    problem = msgspec.structs.replace(toy(**SPARSE), warm=settled)
    gains = [gain_at_equal_tokens(problem, EntropyTop(share=0.5), run_of, seed) for seed in (0, 1)]
    assert sum(gains) > 0
