"""Whole streams against a loop of plain gradient steps, in which what a method adds is a term of the
loss, written as its paper does.
"""

import copy

import pytest
import torch
from bench.builtin.methods.continual.a_gem import AveragedGem
from bench.builtin.methods.continual.derpp import DarkExperienceReplay
from bench.builtin.methods.continual.ewc import ElasticWeightConsolidation
from bench.builtin.methods.continual.kd_l2 import DistillationAndPull
from bench.builtin.methods.continual.l2 import L2
from bench.builtin.methods.continual.l2_anchor import AnchoredWeights
from bench.builtin.methods.continual.lwf import LearningWithoutForgetting
from bench.builtin.methods.continual.naive_thrice import NaiveThrice
from bench.builtin.methods.continual.shrink_perturb import ShrinkPerturb
from bench.builtin.methods.continual.si import SynapticIntelligence
from continual_small import answers, blobs, stream_run

from bench.tracks.continual import ContinualMethod, Members, Solution

TASKS, LR = 3, 0.1


class Plain:
    """Cross entropy over all classes, and the net as the last task left it."""

    times = 1

    def __init__(self):
        self.last = None

    def loss(self, net, x, y, t):
        """Return the loss of a batch of task t."""
        logits = net(x[None])[0]
        return self.labels(logits, y, t) + (self.term(net, x, logits, t) if self.last else 0)

    def labels(self, logits, y, t):
        return -logits.log_softmax(1)[range(len(y)), y].mean()

    def term(self, net, x, logits, t):
        return 0.0

    def far(self, net):
        """Return how far each weight is from the last task's."""
        return [
            own - then.detach()
            for own, then in zip(net.parameters(), self.last.parameters(), strict=True)
        ]

    def stepped(self, net, before, gradients):
        """Hear of a step, and of the gradients of the labels alone."""

    def end(self, net, x):
        """Hear of a task's end."""
        self.last = copy.deepcopy(net)


class Fisher(Plain):
    """lam / 2 sum F (theta - theta*)^2, F <- gamma F + the task's, row by row and class by class."""

    fisher = None

    def term(self, net, x, logits, t):
        pairs = zip(self.fisher, self.far(net), strict=True)
        return 7.0 / 2 * sum((f * far.square()).sum() for f, far in pairs)

    def end(self, net, x):
        super().end(net, x)
        own = list(net.parameters())
        found = [torch.zeros_like(part) for part in own]
        for row in x:
            log_p = net(row[None, None])[0, 0].log_softmax(0)
            for said in log_p:
                parts = torch.autograd.grad(said, own, retain_graph=True)
                for total, part in zip(found, parts, strict=True):
                    total += said.detach().exp() * part.square() / len(x)
        before = self.fisher or [0.0] * len(own)
        self.fisher = [0.5 * f + part for f, part in zip(before, found, strict=True)]


class Synapses(Plain):
    """c sum Omega (theta - theta*)^2, Omega from the way of each weight."""

    def __init__(self):
        super().__init__()
        self.much, self.now, self.first = [0.0] * 4, [0.0] * 4, None

    def term(self, net, x, logits, t):
        pairs = zip(self.much, self.far(net), strict=True)
        return 2.0 * sum((much * far.square()).sum() for much, far in pairs)

    def stepped(self, net, before, gradients):
        self.first = self.first or before
        moves = [own.detach() - then for own, then in zip(net.parameters(), before, strict=True)]
        triples = zip(self.now, gradients, moves, strict=True)
        self.now = [total - gradient * move for total, gradient, move in triples]

    def end(self, net, x):
        super().end(net, x)
        for place, own in enumerate(net.parameters()):
            way = own.detach() - self.first[place]
            self.much[place] = self.much[place] + self.now[place] / (way**2 + 0.1)
        self.now, self.first = [0.0] * 4, None


class Anchored(Plain):
    """lam / 2 |theta - theta*|^2."""

    def term(self, net, x, logits, t):
        return 0.8 / 2 * sum(far.square().sum() for far in self.far(net))


class Decayed(Plain):
    """lam |theta|^2, from the first task on."""

    def loss(self, net, x, y, t):
        return super().loss(net, x, y, t) + 0.05 * sum(w.square().sum() for w in net.parameters())


class Thrice(Plain):
    """Every batch three times."""

    times = 3


class Distilled(Plain):
    """Labels among the current classes, softened shares of the earlier ones at T 4, alpha 2."""

    def labels(self, logits, y, t):
        return super().labels(logits[:, 2 * t : 2 * t + 2], y - 2 * t, t)

    def term(self, net, x, logits, t):
        said = (self.last(x[None])[0, :, : 2 * t].detach() / 4).softmax(1)
        now = (logits[:, : 2 * t] / 4).softmax(1)
        return 2 * 4**2 * (said * (said / now).log()).sum(1).mean()


class Coins(Distilled):
    """Earlier classes as coins at alpha 3, and lam / 2 |theta - theta*|^2."""

    def term(self, net, x, logits, t):
        said = self.last(x[None])[0, :, : 2 * t].detach().sigmoid()
        now = logits[:, : 2 * t].sigmoid()
        apart = -(said * now.log() + (1 - said) * (1 - now).log()).sum(1).mean()
        return 3 * apart + 0.4 / 2 * sum(far.square().sum() for far in self.far(net))


def by_loop(plain, folder):
    """Return what the net of the loop answers."""
    problem = blobs(tasks=TASKS)
    net = Members([problem], [stream_run(folder)]).build()
    rows = []
    for chunk in problem.stream:
        x, y = chunk.x.clone(), chunk.y.clone()
        rows.append(x)
        for _ in range(plain.times):
            own = list(net.parameters())
            before = [part.detach().clone() for part in own]
            task = torch.autograd.grad(plain.labels(net(x[None])[0], y, chunk.t), own)
            gradients = torch.autograd.grad(plain.loss(net, x, y, chunk.t), own)
            with torch.no_grad():
                for part, gradient in zip(own, gradients, strict=True):
                    part -= LR * gradient
            plain.stepped(net, before, task)
        if chunk.last:
            problem.stream.ended()
            plain.end(net, torch.cat(rows))
            rows = []
    return answers(Solution(model=net.member(0)))


@pytest.mark.parametrize(
    ("method", "plain"),
    [
        (ContinualMethod(), Plain),
        (ElasticWeightConsolidation(lam=7.0, gamma=0.5), Fisher),
        (SynapticIntelligence(c=2.0, xi=0.1), Synapses),
        (AnchoredWeights(lam=0.8), Anchored),
        (L2(lam=0.05), Decayed),
        (NaiveThrice(), Thrice),
        (LearningWithoutForgetting(alpha=2.0, temperature=4.0), Distilled),
        (DistillationAndPull(alpha=3.0, lam=0.4), Coins),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "card") else "",
)
def test_a_stream_is_learned_as_by_plain_steps_on_a_loss_with_one_term_more(
    method, plain, tmp_path
):
    found = answers(method.solve(blobs(tasks=TASKS), stream_run(tmp_path)))
    wanted = by_loop(plain(), tmp_path)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)
    if plain is not Plain:
        assert not torch.allclose(wanted, by_loop(Plain(), tmp_path), atol=1e-2)


def stepping(method, folder, seeds=1, **fields):
    """Return members with nets and an optimiser, and the method's state."""
    members = Members(
        [blobs(seed, **fields) for seed in range(seeds)],
        [stream_run(folder, seed) for seed in range(seeds)],
    )
    members.nets = members.build()
    members.optimiser = method.optimiser(members)
    return members, method.start(members)


def test_a_step_that_shrinks_and_perturbs_is_its_formula_and_draws_normal_noise(tmp_path):
    method = ShrinkPerturb(lr=0.2, noise=0.5, decay=0.3)
    members, _ = stepping(method, tmp_path, widths=(400,))
    own = list(members.nets.parameters())
    before, noise = [part.detach().clone() for part in own], []
    for part in own:
        part.grad = torch.full_like(part, 2.0)
    members.optimiser.step()
    for part, then in zip(own, before, strict=True):
        # theta <- (1 - lr d) theta - lr (g + xi)
        noise.append((((1 - 0.2 * 0.3) * then - part.detach()) / 0.2 - 2.0).flatten())
    drawn = torch.cat(noise)
    error = 0.5 / len(drawn) ** 0.5
    assert float(drawn.mean()) == pytest.approx(0, abs=4 * error)
    assert float(drawn.std()) == pytest.approx(0.5, abs=4 * error)
    kurtosis = float(((drawn / drawn.std()) ** 4).mean())
    assert kurtosis == pytest.approx(3, abs=4 * (24 / len(drawn)) ** 0.5)


def test_derpp_stores_logits_as_they_were_before_the_step(tmp_path):
    method = DarkExperienceReplay()
    members, state = stepping(method, tmp_path, seeds=2, capacity=10)
    chunk = next(members.chunks())
    x = chunk.x.clone()
    with torch.no_grad():
        said = members.nets(x)
    method.step(state, members, chunk)
    assert state.memory.kept == 5
    for k in range(2):
        for place in range(5):
            [row] = (x[k] == state.memory.x[k, place]).all(1).nonzero()[:, 0].tolist()
            torch.testing.assert_close(state.memory.logits[k, place], said[k, row])
    with torch.no_grad():
        assert not torch.allclose(members.nets(x), said, atol=1e-3)


def test_a_gem_whose_stored_batch_is_the_batch_is_naive_training_bit_for_bit(tmp_path):
    class SameBatch(AveragedGem):
        """Has the batch in its store, as soon as there is anything."""

        def before_step(self, state, members, batch):
            state.draw = lambda size: batch
            super().before_step(state, members, batch)
            del state.draw

    found = answers(SameBatch().solve(blobs(), stream_run(tmp_path)))
    assert torch.equal(found, answers(ContinualMethod().solve(blobs(), stream_run(tmp_path))))
