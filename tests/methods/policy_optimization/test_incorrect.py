"""Values of beginnings, where they can be known exactly, and the limits of what a plan keeps."""

from fractions import Fraction

import msgspec
import pytest
import torch
from bench.builtin.methods.policy_optimization.grpo import Grpo
from bench.builtin.methods.policy_optimization.incorrect import Incorrect
from bench.builtin.tasks.policy_optimization._arithmetic import Problem, encode, verify

from bench.tracks.policy_optimization import RolloutBatch
from bench.tracks.policy_optimization.trainer import Trainer

RIGHT, WRONG, HASTY = 3, 1, 4
"""How often, of all its outcomes, a policy writes the right result of a step, each of the nine
wrong ones, and each digit as a bare guess in place of the first step.
"""
SIGNS = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}


def plan(method, batch):
    return method.plan(batch, 0.0, torch.Generator().manual_seed(0))


def batch_of_texts(problem, texts):
    ids, mask = encode(texts, left=False)
    prompts, prompt_mask = encode([problem.text()] * len(texts), left=True)
    return RolloutBatch(
        prompt_ids=prompts,
        prompt_mask=prompt_mask,
        completion_ids=ids,
        completion_mask=mask,
        rewards=verify(ids, mask, torch.full((len(texts),), problem.answer)),
        group=torch.zeros(len(texts), dtype=torch.int64),
        entropy=lambda rows: torch.zeros(len(rows), ids.shape[1]),
        wanted=1,
    )


def followed(digits, signs, results):
    """Return the steps as they are written when the results of the first ones are these."""
    left, steps = digits[0], []
    for sign, digit, result in zip(signs, digits[1:], results, strict=False):
        steps.append((left, sign, digit, result))
        left = result
    return left, steps


def chance(left, sign, digit, result):
    right = SIGNS[sign](left, digit) % 10 == result
    return Fraction(RIGHT if right else WRONG, RIGHT + 9 * WRONG)


def value(problem, results):
    """Return the chance of a right answer behind these results, by going through all that can
    still be written.
    """
    left, steps = followed(problem.digits, problem.signs, results)
    at = len(steps)
    if at == len(problem.signs):
        return Fraction(left == problem.answer)
    return sum(
        chance(left, problem.signs[at], problem.digits[at + 1], result)
        * value(problem, (*results, result))
        for result in range(10)
    )


def every_outcome(problem):
    """Return each text that the policy can write, as often as its chance says, and its results
    (none for a bare guess).
    """
    found = []
    for first in range(10):
        for second in range(10):
            _, steps = followed(problem.digits, problem.signs, (first, second))
            times = 1
            for step in steps:
                times *= int(chance(*step) * (RIGHT + 9 * WRONG))
            text = ";".join(f"{a}{sign}{b}={c}" for a, sign, b, c in steps) + f"#{second}"
            found += [(text, (first, second))] * times
    return found + [(f"#{digit}", None) for digit in range(10) for _ in range(HASTY)]


@pytest.mark.parametrize("problem", [Problem((7, 8, 5), "-+"), Problem((3, 6, 5), "+*")])
def test_the_advantage_of_each_step_is_the_change_of_its_exact_value(problem):
    outcomes = every_outcome(problem)
    batch = batch_of_texts(problem, [text for text, _ in outcomes])
    found = Incorrect().steps(batch) * (batch.rewards.std(correction=0) + 1e-6)
    worked = Fraction((RIGHT + 9 * WRONG) ** 2)
    share = worked / (worked + 10 * HASTY)
    start = share * value(problem, ()) + (1 - share) / 10
    assert float(batch.rewards.double().mean()) == pytest.approx(float(start))
    for (text, results), row in zip(outcomes, found.tolist(), strict=True):
        wanted = [Fraction(0)] * len(row)
        wanted[0] = (value(problem, ()) if results else Fraction(1, 10)) - start
        if results is None:
            wanted[1] = int(int(text[1]) == problem.answer) - Fraction(1, 10)
        else:
            before = [value(problem, results[:at]) for at in range(3)]
            for at, place in enumerate(place for place, sign in enumerate(text) if sign == "="):
                wanted[place + 1] = before[at + 1] - before[at]
        assert row == pytest.approx([float(part) for part in wanted], abs=1e-5)


def test_a_step_that_repairs_nothing_and_spoils_nothing_has_no_advantage():
    # whatever is multiplied by 5 and is odd ends in 5: a slip from 3 to 7 changes no value
    problem = Problem((1, 2, 5), "+*")
    assert value(problem, (3,)) == value(problem, (7,)) > value(problem, (4,))
    texts, results = zip(*every_outcome(problem), strict=True)
    found = Incorrect().steps(batch_of_texts(problem, list(texts)))
    slips = {
        first: found[place, 4].item()
        for place, given in enumerate(results)
        if given and (first := given[0]) in (3, 4, 7)
    }
    assert slips[3] == pytest.approx(slips[7])
    assert slips[7] > 0 > slips[4]


def test_the_changes_of_a_rollout_add_up_to_grpo_s_advantage(batch_of):
    ids = torch.randint(3, 5, (3, 6, 3), generator=torch.Generator().manual_seed(0))
    batch, _, _ = batch_of((ids.sum(-1) == 11).float())
    batch = msgspec.structs.replace(batch, completion_ids=ids.flatten(0, 1))
    assert 0 < batch.rewards.sum() < len(batch.rewards)
    assert torch.allclose(Incorrect().steps(batch).sum(-1), Grpo().advantages(batch), atol=1e-5)


def test_rollouts_that_part_at_once_have_grpo_s_advantage_at_their_first_token_alone(batch_of):
    batch, _, _ = batch_of([[1, 0, 0, 1]])
    ids = batch.completion_ids + torch.arange(4)[:, None]
    batch = msgspec.structs.replace(batch, completion_ids=ids)
    found = Incorrect().steps(batch)
    assert torch.allclose(found[:, 0], Grpo().advantages(batch), atol=1e-6)
    assert not found[:, 1:].any()


TEXTS = ["1+2=3#3", "1+2=3#3", "1+2=3#3", "1+2=4#4", "1+2=3#7", "#9"]


def test_a_plan_keeps_only_tokens_that_change_the_value():
    batch = batch_of_texts(Problem((1, 2), "+"), TEXTS)
    found = plan(Incorrect(share=1), batch)
    kept = [
        [place for place, weight in enumerate(row) if weight] for row in found.token_weight.tolist()
    ]
    # the first token (no guess), the result, and the copy of the result where rollouts part there
    assert found.rows.tolist() == [0, 1, 2, 3, 4, 5]
    assert kept == [[0, 4, 6], [0, 4, 6], [0, 4, 6], [0, 4], [0, 4, 6], [0]]
    assert found.advantages[3, 4] < 0
    assert found.advantages[4, 6] < 0


def test_right_rollouts_can_be_weighed_as_a_whole_or_left_out():
    batch = batch_of_texts(Problem((1, 2), "+"), TEXTS)
    whole, none = (plan(Incorrect(right=right, share=1), batch) for right in ("whole", "none"))
    assert none.rows.tolist() == [3, 4, 5]
    assert whole.rows.tolist() == [0, 1, 2, 3, 4, 5]
    mine = Grpo().advantages(batch)[:3, None] * batch.completion_mask[:3]
    assert torch.equal(whole.advantages[:3], mine)
    assert torch.equal(whole.advantages[3:], none.advantages)


def test_a_share_keeps_the_rollouts_with_the_most_decisive_step():
    batch = batch_of_texts(Problem((1, 2), "+"), TEXTS)
    found = Incorrect().steps(batch).abs().amax(-1)
    kept = plan(Incorrect(share=0.5), batch).rows
    assert len(kept) == 3
    assert found[kept].min() >= max(
        found[row].item() for row in range(6) if row not in kept.tolist()
    )


def test_groups_that_are_all_right_or_all_wrong_are_left_out(batch_of):
    assert len(plan(Incorrect(), batch_of([[1, 1, 1], [0, 0, 0]])[0]).rows) == 0


def test_a_policy_learns_by_it(toy, run_of):
    problem = toy(steps=20)
    learned = msgspec.structs.replace(
        problem, warm=problem.train(Incorrect(), run_of()).model.state_dict()
    )
    before, after = (
        float(Trainer(one, Grpo(), run_of(9))._rollouts(0)[0].rewards.mean())
        for one in (problem, learned)
    )
    assert after > before + 0.2
