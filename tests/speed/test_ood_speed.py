"""Gradients of the last layer in closed form against gradients of the whole net row by row, as
ratios of processor time taken in turns.
"""

from __future__ import annotations

import time

import pytest
import torch
from bench.builtin.methods.ood_detection.sal import last_gradients
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

pytestmark = pytest.mark.slow


def seconds(step):
    start = time.process_time()
    step()
    return time.process_time() - start


def test_gradients_of_sal_are_those_of_every_row_and_take_a_twentieth_of_the_time():
    torch.manual_seed(0)
    body = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU())
    head = nn.Linear(256, 6)
    net = nn.Sequential(body, head)
    x, y = torch.rand(300, 784), torch.randint(6, (300,))
    weights = {name: tensor.detach() for name, tensor in net.named_parameters()}

    def loss(own, row, label):
        return F.cross_entropy(functional_call(net, own, (row[None],)), label[None])

    def all_rows():
        whole = vmap(grad(loss), in_dims=(None, 0, 0))(weights, x, y)
        return whole["1.weight"][torch.arange(300), y]

    def closed():
        with torch.no_grad():
            h = body(x)
            return last_gradients(head(h), h, y)

    assert torch.allclose(closed(), all_rows(), atol=1e-5)
    ratios = sorted(seconds(all_rows) / max(seconds(closed), 1e-9) for _ in range(5))
    assert ratios[2] >= 20, ratios
