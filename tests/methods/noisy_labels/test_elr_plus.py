"""ELR+ against a plain loop over two nets, two averaged copies and two memories."""

import contextlib
import math

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.noisy_labels import elr_plus
from bench.builtin.methods.noisy_labels.ce import CrossEntropy
from bench.builtin.methods.noisy_labels.elr_plus import EarlyLearningRegularisationPlus
from noisy_helpers import Plain, assert_same_member, orders, trained

from bench.tracks.noisy_labels import Seeds, sgd
from bench.training.stack import StackedMLP


def ramp(step, length):
    return math.exp(-5 * (1 - min(step, length) / length) ** 2) if length else 1.0


class PlainNets:
    """The two nets of one member, trained row by row as the paper and its code say."""

    def __init__(self, method, problem, run, stacks, k, total):
        self.method, self.problem, self.total = method, problem, total
        self.nets = [Plain(stack, k) for stack in stacks]
        self.copies = [Plain(stack, k) for stack in stacks]
        self.memory = torch.zeros(2, 70, problem.n_classes, dtype=torch.float64)
        self.optimisers = [torch.optim.SGD(net.parameters(), momentum=0.9) for net in self.nets]
        self.draws = [run.numpy_generator("method", "mixing", net) for net in range(2)]
        self.taken = [0, 0]

    def draw(self):
        self.weights = [
            np.float32(np.maximum(drawn, 1 - drawn))
            for drawn in (generator.beta(1.0, 1.0, 5) for generator in self.draws)
        ]
        self.keys = [np.split(generator.random(70), range(16, 70, 16)) for generator in self.draws]

    def learn(self, net, position, rows, rate):
        method, x, y = self.method, self.problem.x, self.problem.y
        lam = float(self.weights[net][position])
        partner = rows[np.argsort(self.keys[net][position])]
        said = self.copies[1 - net](x[rows]).softmax(-1).detach()
        self.memory[net, rows] = method.beta * self.memory[net, rows] + (1 - method.beta) * said
        q = lam * self.memory[net, rows] + (1 - lam) * self.memory[net, partner]
        one_hot = torch.eye(self.problem.n_classes, dtype=torch.float64)
        label = lam * one_hot[y[rows]] + (1 - lam) * one_hot[y[partner]]
        if self.problem.n_classes == 100:
            label = label * q / (label * q).sum(1, keepdim=True)
        logits = self.nets[net](lam * x[rows] + (1 - lam) * x[partner])
        p = logits.softmax(-1).clamp(1e-4, 1 - 1e-4)
        pull = ramp(self.taken[net] + 1, method.lam_ramp * self.total) * torch.log(
            1 - (q * p).sum(1)
        )
        loss = (-(label * logits.log_softmax(-1)).sum(1) + method.lam * pull).mean()
        self.optimisers[net].param_groups[0]["lr"] = rate
        self.optimisers[net].zero_grad()
        loss.backward()
        self.optimisers[net].step()
        self.taken[net] += 1
        keep = (
            method.average * ramp(self.taken[net] + 1, method.average_ramp * self.total)
            if method.average_ramp
            else min(1 - 1 / (self.taken[net] + 1), method.average)
        )
        for mine, theirs in zip(
            self.copies[net].parameters(), self.nets[net].parameters(), strict=True
        ):
            mine.data = keep * mine.data + (1 - keep) * theirs.data


@pytest.mark.parametrize("turns", ["epoch", "step"])
@pytest.mark.parametrize(
    "settings", [{}, {"average_ramp": 0.0, "average": 0.6}, {"lam_ramp": 0.5, "beta": 0.9}], ids=str
)
@pytest.mark.parametrize("classes", [4, 100])
def test_elr_plus_trains_as_a_plain_loop_does(toy, run_of, monkeypatch, settings, classes, turns):
    """With turns of an epoch the second net begins once the first has seen every row, and learns
    from what the first one's copy says by then.
    """
    method = EarlyLearningRegularisationPlus(turns=turns, **settings)
    problem = msgspec.structs.replace(toy(dtype=torch.float64, epochs=3), n_classes=classes)
    torch.manual_seed(0)
    stacks = [
        StackedMLP((6, 8, classes), [contextlib.nullcontext()] * 2, torch.device("cpu")).double()
        for _ in range(2)
    ]
    monkeypatch.setattr(Seeds, "build", lambda self, nets=1, first=0, extra=0: stacks[first])
    draw_as_before = elr_plus._Side.draw

    def in_double(side):
        draw_as_before(side)
        side.lam, side.targets = side.lam.double(), side.targets.double()

    monkeypatch.setattr(elr_plus._Side, "draw", in_double)
    seeds = Seeds([problem] * 2, [run_of(0), run_of(1)])
    seeds.nets = seeds.build()
    plain = [PlainNets(method, problem, run_of(k), stacks, k, total=15) for k in range(2)]
    state, optimiser = method.start(seeds), sgd(seeds)
    rates = [0.1 / (1 + step) for step in range(15)]
    for epoch in range(3):
        for batch in seeds.epoch(epoch):
            optimiser.param_groups[0]["lr"] = rates[5 * epoch + batch.step]
            method.step(state, seeds.nets, optimiser, batch)
        method.after_epoch(state, epoch)
    for k in range(2):
        own, second = run_of(k), run_of(k).torch_generator("order", "second")
        for epoch, first in enumerate(orders(own, 70, 3)):
            plain[k].draw()
            if turns == "step":
                for position, rows in enumerate(first):
                    for net in range(2):
                        plain[k].learn(net, position, rows, rates[5 * epoch + position])
            else:
                for net, batches in enumerate(
                    (first, torch.randperm(70, generator=second).split(16))
                ):
                    for position, rows in enumerate(batches):
                        plain[k].learn(net, position, rows, rates[5 * epoch + position])
        for net in range(2):
            assert_same_member(plain[k].nets[net], stacks[net], k)
            torch.testing.assert_close(
                state.sides[net].targets.view(2, 70, classes)[k],
                plain[k].memory[net],
                rtol=0,
                atol=1e-6,
            )


def test_the_first_net_hears_of_the_second_one_s_epoch_only_when_it_is_over(toy, run_of):
    seeds = Seeds([toy()], [run_of(0)])
    seeds.nets = seeds.build()
    method = EarlyLearningRegularisationPlus()
    state, optimiser, taken = method.start(seeds), sgd(seeds), []
    for epoch in range(2):
        for batch in seeds.epoch(epoch):
            method.step(state, seeds.nets, optimiser, batch)
            taken.append(tuple(side.step for side in state.sides))
        method.after_epoch(state, epoch)
    assert taken == [
        (1, 0),
        (2, 0),
        (3, 0),
        (4, 0),
        (5, 5),
        (6, 5),
        (7, 5),
        (8, 5),
        (9, 5),
        (10, 10),
    ]


def test_without_mixing_and_regulariser_the_first_net_is_cross_entropy(toy, run_of, monkeypatch):
    draw_as_before = elr_plus._Side.draw

    def unmixed(side):
        draw_as_before(side)
        side.lam = torch.ones_like(side.lam)

    monkeypatch.setattr(elr_plus._Side, "draw", unmixed)
    problems = [toy(seed) for seed in range(2)]
    mine = trained(EarlyLearningRegularisationPlus(lam=0.0), problems, [run_of(0), run_of(1)])
    expected = trained(CrossEntropy(), problems, [run_of(0), run_of(1)])
    for pair in zip(mine, expected, strict=True):
        torch.testing.assert_close(*pair, rtol=0, atol=1e-5)


def test_the_ensemble_is_both_nets_and_the_model_the_first(toy, run_of):
    problems, runs = [toy(seed) for seed in range(2)], [run_of(0), run_of(1)]
    method, seeds = EarlyLearningRegularisationPlus(), Seeds(problems, runs)
    seeds.nets = seeds.build()
    state = method.start(seeds)
    for k, solution in enumerate(method.solutions(state, seeds)):
        first, second = (side.nets.member(k)(problems[k].x).softmax(-1) for side in state.sides)
        torch.testing.assert_close(solution.model(problems[k].x).softmax(-1), first)
        torch.testing.assert_close(solution.ensemble(problems[k].x).exp(), (first + second) / 2)
        assert not torch.allclose(first, second)


def test_mixing_weights_are_at_least_a_half_and_differ_between_nets_members_and_steps(toy, run_of):
    seeds = Seeds([toy(rows=400, batch_size=4)] * 2, [run_of(0), run_of(1)])
    seeds.nets = seeds.build()
    state = EarlyLearningRegularisationPlus().start(seeds)
    lam = torch.stack([side.lam for side in state.sides])
    assert lam.min() >= 0.5
    assert lam.unique().numel() == 400
    # the larger of a uniform number and its complement: U(.5, 1)
    assert lam.mean().item() == pytest.approx(0.75, abs=4 * (1 / 48 / 400) ** 0.5)


def test_a_target_sums_to_one_minus_beta_to_the_visits_and_corrections_are_its_largest_entry(
    toy, run_of
):
    problems = [toy(seed, epochs=2) for seed in range(2)]
    seeds = Seeds(problems, [run_of(0), run_of(1)])
    seeds.nets = seeds.build()
    method = EarlyLearningRegularisationPlus(beta=0.8)
    state, optimiser = method.start(seeds), sgd(seeds)
    for epoch in range(2):
        for batch in seeds.epoch(epoch):
            method.step(state, seeds.nets, optimiser, batch)
        method.after_epoch(state, epoch)
    targets = torch.stack([side.targets for side in state.sides])
    torch.testing.assert_close(
        targets.sum(-1), torch.full((2, 140), 1 - 0.8**2), rtol=1e-5, atol=1e-6
    )
    found = method.finish(state, seeds)[1]
    both = (targets[0] + targets[1])[70:] / 2
    assert torch.equal(found["labels"], both.argmax(-1))
    torch.testing.assert_close(found["clean_score"], both[range(70), problems[1].y])
