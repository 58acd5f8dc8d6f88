"""Passes that methods report against passes that are counted where layers compute: each visit of a
row by a net, forward and backward, whoever made it.
"""

from __future__ import annotations

from collections import Counter

import pytest
from adversarial_small import curved, in_the_cube, methods_of
from bench.builtin.methods.adversarial.fgsm_at import FgsmTraining
from bench.builtin.methods.long_tail.scl_relu import SclRelu
from bench.builtin.methods.recipes.amp import Amp
from bench.builtin.methods.recipes.distill_rounds import DistillRounds
from recipes_small import blobs, runs

from bench.training import stack

PROBLEMS = {
    "recipes": lambda seed: blobs(seed, pictures=True),
    "long-tail": lambda seed: blobs(seed, (30, 15, 7, 3), pictures=True),
    "adversarial": lambda seed: in_the_cube(seed, unlabelled=20),
    "regression": curved,
}
CASES = [
    (track, kind())
    for track in PROBLEMS
    for kind in methods_of(track).values()
    if kind.card.stacked
] + [
    ("recipes", Amp(inner_steps=2)),
    ("recipes", DistillRounds(rounds=2)),
    ("adversarial", FgsmTraining(mix=0.5)),
    ("long-tail", SclRelu(bind=True)),
]


class Pass:
    """One call of a net: its rows a member, and how often a gradient came back to each layer."""

    def __init__(self, rows):
        self.rows, self.back = rows, Counter()


@pytest.fixture
def passes(monkeypatch):
    """All calls of stacked perceptrons from here on, and of members of them."""
    made, latest, first = [], {}, {}
    layer, start, member = stack._Affine, stack.StackedMLP.__init__, stack._MemberMLP.features
    forward, backward = layer.forward, layer.backward

    def built(nets, *args):
        start(nets, *args)
        for weight in nets.weights:
            first[weight.data_ptr()] = nets.weights[0].data_ptr()

    def forth(ctx, x, weight, bias):
        own = weight.data_ptr()
        if own == first[own]:  # the first layer begins a call, and further ones belong to it
            made.append(Pass(x.shape[1]))
            latest[own] = made[-1]
        ctx.call, ctx.layer = latest[first[own]], own
        return forward(ctx, x, weight, bias)

    def back(ctx, gradient):
        ctx.call.back[ctx.layer] += 1
        return backward(ctx, gradient)

    def alone(net, x):
        made.append(Pass(len(x)))
        return member(net, x)

    monkeypatch.setattr(stack.StackedMLP, "__init__", built)
    monkeypatch.setattr(layer, "forward", staticmethod(forth))
    monkeypatch.setattr(layer, "backward", staticmethod(back))
    monkeypatch.setattr(stack._MemberMLP, "features", alone)
    return made


@pytest.mark.parametrize(
    ("track", "method"),
    CASES,
    ids=lambda value: getattr(getattr(value, "card", None), "name", None),
)
def test_a_method_reports_every_pass_of_its_nets(track, method, passes, tmp_path):
    own = runs(tmp_path, 2, track=track)
    method.solve_stacked([PROBLEMS[track](seed) for seed in range(2)], own)
    counted = {
        "forward": sum(one.rows for one in passes),
        "backward": sum(one.rows * max(one.back.values(), default=0) for one in passes),
    }
    assert counted["backward"] > 0
    assert [run._counts for run in own] == [counted, counted]
