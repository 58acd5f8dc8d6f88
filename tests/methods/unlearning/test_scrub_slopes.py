"""SCRUB's gradients written out against autograd's way through its losses, bit by bit."""

import math

import pytest
import torch
from bench.builtin.methods.unlearning.scrub import Scrub

from bench.tracks.unlearning import (
    Group,
    beside,
    cross_entropy,
    divergence,
    set_rate,
    step,
)


def by_autograd(method, group):
    """The method with its losses as they are written in the paper."""
    nets = group.originals()
    taught = group.known(group.originals(), group.forget, group.retain)
    forget, retain = group.rows(group.forget, "forget"), group.rows(group.retain, "retain")
    optimiser = group.sgd(nets, method.lr)

    def apart(batch, logits):
        return divergence(beside(taught, batch.rows), logits, method.temperature)

    for epoch in range(method.epochs):
        set_rate(optimiser, method.lr)
        if epoch < method.msteps:
            for batch in forget.epoch():
                step(optimiser, -apart(batch, nets(batch.x)))
        cosine = 0.5 * (1 + math.cos(math.pi * epoch / method.epochs)) if method.falling else 1.0
        set_rate(optimiser, method.lr * cosine)
        for batch in retain.epoch():
            logits = nets(batch.x)
            loss = method.gamma * cross_entropy(logits, batch.y)
            step(optimiser, loss + method.alpha * apart(batch, logits))
    return nets


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"temperature": 2.0, "alpha": 0.5, "gamma": 1.0, "msteps": 3},
        {"temperature": 0.7, "alpha": 0.1, "gamma": 0.9, "lr": 0.1, "falling": False},
        {"alpha": 0.0, "msteps": 0},
        {"gamma": 0.0, "alpha": 1.0},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("members", "shape", "protocol"),
    [(1, (6,), {}), (3, (6,), {}), (2, (1, 8, 8), {"net": "cnn", "widths": (4,)})],
)
def test_unlearned_weights_have_the_bits_of_autograd_s(
    toy, run_of, values, members, shape, protocol
):
    method = Scrub(**values)
    problems = [toy(seed, shape=shape, **protocol) for seed in range(members)]

    def unlearned(unlearn):
        return unlearn(Group(problems, [run_of(seed) for seed in range(members)]))

    ours = unlearned(method.unlearn)
    theirs = unlearned(lambda group: by_autograd(method, group))
    for k in range(members):
        own, wanted = ours.net(k), theirs.net(k)
        assert all(torch.equal(own[name], wanted[name]) for name in wanted)
        first = problems[k].weights
        assert any(not torch.equal(own[name], first[name]) for name in wanted)
