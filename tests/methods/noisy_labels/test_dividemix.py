"""DivideMix against a plain loop over two nets, and in its limiting cases."""

import contextlib

import msgspec
import numpy as np
import torch
from bench.builtin.methods.noisy_labels.ce import CrossEntropy
from bench.builtin.methods.noisy_labels.dividemix import DivideMix
from noisy_helpers import Plain, assert_same_member, trained
from torch import nn

from bench.tracks.noisy_labels import Seeds, sgd
from bench.training.mixture import lower_component
from bench.training.stack import StackedMLP

METHOD = DivideMix(warm_up=0.5, lambda_u=3.0, ramp=0.5, noise=0.4, penalty=0.7)


class PlainNets:
    """The two nets of one member, as the paper's algorithm and its code have them, row by row."""

    def __init__(self, problem, run, stacks, k):
        self.problem, self.nets = problem, [Plain(stack, k) for stack in stacks]
        self.optimisers = [
            torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9) for net in self.nets
        ]
        self.orders = [run.torch_generator("order"), run.torch_generator("order", "second")]
        self.picks = [run.numpy_generator("method", "rows", net) for net in (0, 1)]
        self.mixes = [run.numpy_generator("method", "mixing", net) for net in (0, 1)]
        self.looks = [run.torch_generator("method", "views", net) for net in (0, 1)]

    def divide(self):
        """Say for each net how likely every label is right."""
        found = []
        for net in self.nets:
            losses = nn.functional.cross_entropy(
                net(self.problem.x), self.problem.y, reduction="none"
            ).detach()
            losses = (losses - losses.min()) / (losses.max() - losses.min())
            found.append(lower_component(losses))
        return found

    def warm_up(self, net):
        for rows in torch.randperm(70, generator=self.orders[net]).split(16):
            logits = self.nets[net](self.problem.x[rows])
            p = logits.softmax(1)
            loss = nn.functional.cross_entropy(logits, self.problem.y[rows])
            self.move(net, loss + 0.7 * (p * p.log()).sum(1).mean())

    def mixmatch(self, net, clean, epoch):
        places = [(0, 16), (16, 32), (32, 48), (48, 64), (64, 70)]
        counts = [(len(range(*place)) + 1) // 2 for place in places]
        wanted = sum(counts), 70 - sum(counts)
        right = (clean > 0.5).numpy()
        lists = []
        for number, chosen in zip(wanted, (right, ~right), strict=True):
            own, order = np.flatnonzero(chosen), []
            while len(order) < number:
                order += self.picks[net].permutation(own).tolist()
            lists.append(order[:number])
        # a look at every row of the net's own order is drawn by the loop, and not used
        torch.randperm(70, generator=self.orders[net]) if net == 0 else None
        for step, (start, end) in enumerate(places):
            labelled = [lists[0].pop(0) for _ in range(counts[step])]
            others = [lists[1].pop(0) for _ in range(end - start - counts[step])]
            self.step(net, labelled, others, clean, epoch + step / 5)

    def step(self, net, labelled, others, clean, place):
        mine, other = self.nets[net], self.nets[1 - net]
        x = self.problem.x[labelled + others]
        second = x + 0.4 * torch.randn(x.shape, generator=self.looks[net], dtype=torch.float64)
        looks, n = (x, second), len(labelled)
        with torch.no_grad():
            own = [mine(look).softmax(1) for look in looks]
            theirs = [other(look).softmax(1) for look in looks]
        targets = []
        for i, row in enumerate(labelled + others):
            if i < n:
                w = clean[row]
                given = torch.eye(4, dtype=torch.float64)[self.problem.y[row]]
                p = w * given + (1 - w) * (own[0][i] + own[1][i]) / 2
            else:
                p = (own[0][i] + own[1][i] + theirs[0][i] + theirs[1][i]) / 4
            targets.append(p**2 / (p**2).sum())
        targets = torch.stack(targets)
        inputs = torch.cat([x[:n], second[:n], x[n:], second[n:]])
        labels = torch.cat([targets[:n], targets[:n], targets[n:], targets[n:]])
        weight = self.mixes[net].beta(4.0, 4.0)
        weight = max(weight, 1 - weight)
        partner = self.mixes[net].permutation(len(inputs))
        logits = mine(weight * inputs + (1 - weight) * inputs[partner])
        mixed = weight * labels + (1 - weight) * labels[partner]
        fit = -(mixed * logits.log_softmax(1)).sum(1)[: 2 * n].mean()
        apart = ((logits.softmax(1) - mixed) ** 2)[2 * n :].mean()
        share = logits.softmax(1).mean(0)
        even = (0.25 * (0.25 / share).log()).sum()
        ramp = min(1.0, (place - 2) / 2)  # warm-up and ramp: half of four epochs each
        self.move(net, fit + 3.0 * ramp * apart + even)

    def move(self, net, loss):
        self.optimisers[net].zero_grad()
        loss.backward()
        self.optimisers[net].step()


def test_dividemix_trains_as_a_plain_loop_over_two_nets_does(toy, run_of, monkeypatch):
    problems = [toy(seed, dtype=torch.float64, lr=0.1) for seed in range(2)]
    torch.manual_seed(0)
    stacks = [
        StackedMLP((6, 8, 4), [contextlib.nullcontext()] * 2, torch.device("cpu")).double()
        for _ in range(2)
    ]
    plain = [PlainNets(problem, run_of(k), stacks, k) for k, problem in enumerate(problems)]
    monkeypatch.setattr(Seeds, "build", lambda self, nets=1, first=0, extra=0: stacks[first])
    seeds = METHOD.gather(problems, [run_of(0), run_of(1)])
    seeds.nets = seeds.build()
    state, optimiser = METHOD.start(seeds), sgd(seeds)
    for epoch in range(4):
        for batch in seeds.epoch(epoch, METHOD.rows(state, epoch, seeds.order())):
            METHOD.step(state, seeds.nets, optimiser, batch)
        METHOD.after_epoch(state, epoch)
    for k in range(2):
        for epoch in range(4):
            clean = plain[k].divide()
            for net in range(2):
                if epoch < 2:
                    plain[k].warm_up(net)
                else:
                    plain[k].mixmatch(net, clean[1 - net], epoch)
        for net in range(2):
            assert_same_member(plain[k].nets[net], stacks[net], k)


def test_while_it_warms_up_the_first_net_is_cross_entropy_bit_for_bit(toy, run_of):
    problems = [toy(seed) for seed in range(2)]
    mine = trained(DivideMix(warm_up=1.0), problems, [run_of(0), run_of(1)])
    expected = trained(CrossEntropy(), problems, [run_of(0), run_of(1)])
    assert all(torch.equal(*pair) for pair in zip(mine, expected, strict=True))


def test_dividemix_weighs_unlabelled_rows_by_the_rate_as_its_authors_do(toy, run_of):
    rates = torch.tensor([0.2, 0.5, 0.8, 0.9], dtype=torch.float64)
    assert DivideMix().weights(rates).tolist() == [0.0, 25.0, 25.0, 50.0]
    assert DivideMix(lambda_u=7.0).weights(rates).tolist() == [7.0] * 4
    problems = [
        msgspec.structs.replace(toy(seed), noise_rate=rate) for seed, rate in enumerate((0.5, 0.9))
    ]
    state = DivideMix().start(DivideMix().gather(problems, [run_of(0), run_of(1)]))
    assert state.high.tolist() == [False, True]


def test_every_batch_begins_with_rows_that_the_other_net_holds_right(toy, run_of):
    seeds = DivideMix().gather([toy()], [run_of(0)])
    seeds.nets = seeds.build()
    state = DivideMix().start(seeds)
    right = torch.zeros(70, dtype=torch.bool)
    right[:9] = True
    state.clean[1, 0] = right.double()
    rows = DivideMix()._drawn(state, 0)[0]
    for start, size in ((0, 16), (16, 16), (32, 16), (48, 16), (64, 6)):
        half = (size + 1) // 2
        assert right[rows[start : start + half]].all()
        assert not right[rows[start + half : start + size]].any()
    labelled = rows[torch.cat([torch.arange(16 * i, 16 * i + 8) for i in range(4)])]
    assert labelled.bincount(minlength=9)[:9].min() >= 3  # again and again, evenly
    state.clean[1, 0] = 0.0
    assert len(DivideMix()._drawn(state, 0)[0].unique()) > 35  # none held right: from all rows
