"""ELR+ against a plain loop over two nets, two averaged copies and two memories."""

import contextlib
import math

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.noisy_labels.ce import CrossEntropy
from bench.builtin.methods.noisy_labels.elr_plus import EarlyLearningRegularisationPlus
from noisy_helpers import Plain, assert_same_member, draw, orders, trained

from bench.tracks.noisy_labels import Seeds, train_step
from bench.training.stack import StackedMLP


def ramp(step, length):
    return math.exp(-5 * (1 - min(step, length) / length) ** 2) if length else 1.0


@pytest.mark.parametrize(
    "settings", [{}, {"average_ramp": 0.0, "average": 0.6}, {"lam_ramp": 0.5, "beta": 0.9}], ids=str
)
@pytest.mark.parametrize("classes", [4, 100])
def test_elr_plus_trains_as_a_plain_loop_does(toy, run_of, settings, classes):
    method = EarlyLearningRegularisationPlus(**settings)
    problem = msgspec.structs.replace(toy(dtype=torch.float64, epochs=3), n_classes=classes)
    seeds = Seeds([problem] * 2, [run_of(0), run_of(1)])
    torch.manual_seed(0)
    seeds.nets = StackedMLP(
        (6, 8, classes), [contextlib.nullcontext()] * 4, torch.device("cpu")
    ).double()
    pairs = [[Plain(seeds.nets, net * 2 + k) for net in range(2)] for k in range(2)]
    copies = [[Plain(seeds.nets, net * 2 + k) for net in range(2)] for k in range(2)]
    state = method.start(seeds)
    state.targets, state.lam = state.targets.double(), state.lam.double()
    optimiser = torch.optim.SGD(seeds.nets.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(3):
        for batch in seeds.epoch(epoch):
            train_step(method, seeds.nets, optimiser, state, batch)
        method.after_epoch(state, epoch)
        state.lam = state.lam.double()
    total = 15
    for k in range(2):
        run, step = run_of(k), 0
        memory = torch.zeros(2, 70, classes, dtype=torch.float64)
        draws = [run.numpy_generator("method", "mixing", net) for net in range(2)]
        optimisers = [torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9) for net in pairs[k]]
        for batches in orders(run, 70, 3):
            weights = [
                np.float32(np.maximum(drawn, 1 - drawn))
                for drawn in (generator.beta(1.0, 1.0, 5) for generator in draws)
            ]
            keys = [np.split(generator.random(70), range(16, 70, 16)) for generator in draws]
            for position, rows in enumerate(batches):
                keep = (
                    method.average * ramp(step + 1, method.average_ramp * total)
                    if method.average_ramp
                    else min(1 - 1 / (step + 1), method.average)
                )
                for net in range(2):  # the copies follow what the last step made of the nets
                    for mine, theirs in zip(
                        copies[k][net].parameters(), pairs[k][net].parameters(), strict=True
                    ):
                        mine.data = keep * mine.data + (1 - keep) * theirs.data
                for net in range(2):
                    lam, partner = float(weights[net][position]), np.argsort(keys[net][position])
                    said = copies[k][1 - net](problem.x[rows]).softmax(-1).detach()
                    memory[net, rows] = method.beta * memory[net, rows] + (1 - method.beta) * said
                    q = lam * memory[net, rows] + (1 - lam) * memory[net, rows[partner]]
                    given = torch.eye(classes, dtype=torch.float64)[problem.y[rows]]
                    label = lam * given + (1 - lam) * given[partner]
                    if classes == 100:
                        label = label * q / (label * q).sum(1, keepdim=True)
                    logits = pairs[k][net](
                        lam * problem.x[rows] + (1 - lam) * problem.x[rows[partner]]
                    )
                    p = logits.softmax(-1).clamp(1e-4, 1 - 1e-4)
                    pull = (
                        method.lam
                        * ramp(step + 1, method.lam_ramp * total)
                        * torch.log(1 - (q * p).sum(1))
                    )
                    loss = (-(label * logits.log_softmax(-1)).sum(1) + pull).mean()
                    optimisers[net].zero_grad()
                    loss.backward()
                for one in optimisers:
                    one.step()
                step += 1
        for net in range(2):
            assert_same_member(pairs[k][net], seeds.nets, net * 2 + k)
        torch.testing.assert_close(
            state.targets.view(2, 2, 70, classes)[:, k], memory, rtol=0, atol=1e-6
        )


def test_without_mixing_and_regulariser_the_first_net_is_cross_entropy(toy, run_of, monkeypatch):
    from bench.builtin.methods.noisy_labels import elr_plus

    draw_as_before = elr_plus._State.draw

    def unmixed(state):
        draw_as_before(state)
        state.lam = torch.ones_like(state.lam)

    monkeypatch.setattr(elr_plus._State, "draw", unmixed)
    problems = [toy(seed) for seed in range(2)]
    mine = trained(EarlyLearningRegularisationPlus(lam=0.0), problems, [run_of(0), run_of(1)])
    expected = trained(CrossEntropy(), problems, [run_of(0), run_of(1)])
    for pair in zip(mine, expected, strict=True):
        torch.testing.assert_close(*pair, rtol=0, atol=1e-5)


def test_mixing_weights_are_at_least_a_half_and_differ_between_nets_members_and_steps(toy, run_of):
    seeds = Seeds([toy(rows=400, batch_size=4)] * 2, [run_of(0), run_of(1)])
    seeds.nets = seeds.build(2)
    lam = EarlyLearningRegularisationPlus().start(seeds).lam
    assert lam.min() >= 0.5
    assert lam.unique().numel() == 400
    # the larger of a uniform number and its complement: U(.5, 1)
    assert lam.mean().item() == pytest.approx(0.75, abs=4 * (1 / 48 / 400) ** 0.5)


def test_a_target_sums_to_one_minus_beta_to_the_visits_and_corrections_are_its_largest_entry(
    toy, run_of
):
    problems = [toy(seed, epochs=2) for seed in range(2)]
    seeds = Seeds(problems, [run_of(0), run_of(1)])
    seeds.nets = seeds.build(2)
    method = EarlyLearningRegularisationPlus(beta=0.8)
    state = method.start(seeds)
    for epoch in range(2):
        for batch in seeds.epoch(epoch):
            method.loss(state, batch, draw(epoch, (2, 2, batch.y.shape[1], 4))[0])
    torch.testing.assert_close(
        state.targets.sum(-1), torch.full((2, 140), 1 - 0.8**2), rtol=1e-5, atol=1e-6
    )
    found = method.finish(state, seeds)[1]
    both = (state.targets[0] + state.targets[1])[70:] / 2
    assert torch.equal(found["labels"], both.argmax(-1))
    torch.testing.assert_close(found["clean_score"], both[range(70), problems[1].y])
