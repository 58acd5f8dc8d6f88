"""A model that a task keeps says what it said when it was reported, whatever it is."""

from functools import partial

import pytest
import torch
from torch import nn

from bench.runs.kept import copied


class Box:
    """Holds a net."""


def by_name(net):
    return lambda x: net(x)


def by_default(net):
    return lambda x, own=net: own(x)


def by_keyword(net):
    def model(x, *, own=net):
        return own(x)

    return model


def by_partial(net):
    return partial(lambda own, x: own(x), net)


def by_list(net):
    nets = [net, {"again": net}]
    return lambda x: nets[0](x) + nets[1]["again"](x)


def by_object(net):
    box = Box()
    box.net = net
    return lambda x: box.net(x)


def by_function(net):
    inner = by_name(net)
    return lambda x: inner(x)


def by_weights(net):
    weight = net.weight
    return lambda x: x @ weight.T


MODELS = [by_name, by_default, by_keyword, by_partial, by_list, by_object, by_function, by_weights]


@pytest.mark.parametrize("made", [*MODELS, lambda net: net, lambda net: net.forward])
def test_a_kept_model_does_not_learn_any_more(made):
    net = nn.Linear(3, 2)
    model, x = made(net), torch.randn(4, 3)
    before = model(x).detach().clone()
    kept = copied(model)
    with torch.no_grad():
        net.weight.add_(1.0)
    assert torch.equal(kept(x), before)
    assert not torch.equal(model(x), before)


def test_what_cannot_be_copied_and_what_holds_no_net_stays_what_it_is():
    drawn, net = iter([1.0]), nn.Linear(3, 2)
    kept = copied(lambda x: (net(x), drawn))
    assert kept(torch.zeros(1, 3))[1] is drawn


def test_a_function_that_calls_itself_is_copied_once():
    def model(x, depth=1):
        return model(net(x), depth - 1) if depth else x

    net = nn.Linear(3, 3)
    x = torch.randn(2, 3)
    before, kept = model(x).detach().clone(), copied(model)
    with torch.no_grad():
        net.bias.add_(1.0)
    assert torch.equal(kept(x), before)
