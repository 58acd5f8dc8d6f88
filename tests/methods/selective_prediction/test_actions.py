"""Methods that answer or abstain: rewards by hand, the break-even point, and training by a loop."""

import math

import pytest
import torch
from bench.builtin.methods.selective_prediction.argmax import AnswerAlways
from bench.builtin.methods.selective_prediction.max_prob import CalibratedProbability
from bench.builtin.methods.selective_prediction.reward_net import RewardNet

from bench.runs.context import Run
from bench.tracks.selective_prediction_actions import (
    RewardProblem,
    action_rewards,
    optimal_constant,
)
from bench.training import nets
from bench.training.calibration import fit_temperature
from bench.training.fixed_net import Recipe, fixed_net


def run_of(folder):
    return Run(seed=0, task="x/toy", method="x/x", device=torch.device("cpu"), workdir=folder)


@pytest.fixture(scope="module")
def problem(tmp_path_factory):
    generator = torch.Generator().manual_seed(0)
    y, y_val = torch.arange(150) % 3, torch.arange(60) % 3
    x, x_val = (torch.rand(n, 1, 6, 6, generator=generator) for n in (150, 60))
    for rows, labels in ((x, y), (x_val, y_val)):
        rows[torch.arange(len(rows)), 0, labels] += 0.4
    run = run_of(tmp_path_factory.mktemp("run"))
    return RewardProblem(
        model=fixed_net(x, y, 3, Recipe(widths=(12,), epochs=20, lr=5e-3), run),
        x=x,
        y=y,
        x_val=x_val,
        y_val=y_val,
        n_classes=3,
        n_actions=4,
        cost=0.2,
        penalty=4.0,
    )


def test_rewards_are_1_for_the_label_minus_the_penalty_for_others_and_0_for_no_answer():
    assert action_rewards(torch.tensor([2, 0]), 3, 4.0).tolist() == [
        [-4, -4, 1, 0],
        [1, -4, -4, 0],
    ]


def test_the_optimal_constant_is_nearest_to_all_rewards_and_of_ten_even_classes_is_minus_3_and_a_half(
    problem,
):
    even = optimal_constant(torch.arange(40) % 10, 10, 4.0)
    assert even.tolist() == pytest.approx([-3.5] * 10 + [0])
    y = torch.tensor([0, 0, 0, 1, 2])
    best, table = optimal_constant(y, 3, 4.0), action_rewards(y, 3, 4.0)
    least = float((table - best).square().mean())
    for step in torch.eye(4):
        for size in (-0.1, 0.1):
            assert float((table - best - size * step).square().mean()) > least


def test_argmax_answers_every_row(problem, tmp_path):
    found = AnswerAlways().solve(problem, run_of(tmp_path))
    assert bool((found.score(100 * problem.x_val) >= found.threshold).all())


def test_max_prob_answers_exactly_where_an_answer_is_expected_to_earn_more_than_none(
    problem, tmp_path
):
    found = CalibratedProbability().solve(problem, run_of(tmp_path))
    logits = problem.model(problem.x_val).double()
    p = (logits / fit_temperature(logits, problem.y_val)).softmax(1)
    # the expected reward of every action, one after the other
    expected = [[float(q - 4 * (1 - q)) for q in row] + [0.0] for row in p]
    answers = torch.tensor([row.index(max(row)) < 3 for row in expected])
    kept = found.score(problem.x_val)[:, 0] >= found.threshold
    assert 0 < int(answers.sum()) < 60
    assert torch.equal(kept, answers)


def test_a_reward_net_is_trained_as_a_plain_loop_trains_it(problem, tmp_path):
    method = RewardNet(epochs=2)
    found = method.solve(problem, run_of(tmp_path))
    run = run_of(tmp_path)
    net = nets.build("mlp", (1, 6, 6), 4, [run.seeded("init")], torch.device("cpu"), widths=(12,))
    order = run.torch_generator("order", device="cpu")
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.01)
    batches = [part for _ in range(2) for part in torch.randperm(150, generator=order).split(128)]
    for step, rows in enumerate(batches):
        optimiser.param_groups[0]["lr"] = 1e-3 * (1 + math.cos(math.pi * step / len(batches)))
        loss = torch.zeros(())
        for row in rows.tolist():
            outputs = net(problem.x[row][None, None])[0, 0]
            for action in range(4):
                reward = 0.0 if action == 3 else 1.0 if action == int(problem.y[row]) else -4.0
                loss = loss + (outputs[action] - reward) ** 2
        optimiser.zero_grad()
        (loss / (4 * len(rows))).backward()
        optimiser.step()
    by_hand = net(problem.x_val[None])[0].detach()
    assert torch.allclose(found.rewards(problem.x_val), by_hand, atol=1e-5)


def test_a_reward_net_is_ahead_exactly_where_it_answers_and_earns_on_what_it_has_learned(
    problem, tmp_path
):
    found = RewardNet(epochs=150, lr=5e-3).solve(problem, run_of(tmp_path))
    expected = found.rewards(problem.x)
    assert expected.shape == (150, 4)
    actions = expected.argmax(1)
    assert torch.equal(found.score(problem.x)[:, 0] > 0, actions < 3)
    earned = action_rewards(problem.y, 3, 4.0).gather(1, actions[:, None])
    assert float(earned.mean()) > 0.5
