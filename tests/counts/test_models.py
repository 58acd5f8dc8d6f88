"""Whole trainings and a generation, against counts by hand: within 1 %, as
the products are all that is counted, exactly.
"""

from __future__ import annotations

import contextlib
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bench.counts import Counter
from bench.training.convnet import ConvNet
from bench.training.decoder import Decoder, DecoderShape, greedy
from bench.training.fitting import Recipe, epochs_of, fit
from bench.training.nets import build


def counted(work):
    with Counter() as counter:
        work()
    assert not counter.tally.uncounted
    return counter.tally.total


def test_training_a_perceptron_counts_its_products():
    rows, epochs, sizes = 300, 4, (20, 50, 10)
    net = nn.Sequential(nn.Linear(20, 50), nn.ReLU(), nn.Linear(50, 10))
    x, y = torch.randn(rows, 20), torch.randint(10, (rows,))
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

    def train():
        for _ in range(epochs):
            for part in torch.randperm(rows).split(64):
                optimiser.zero_grad()
                F.cross_entropy(net(x[part]), y[part]).backward()
                optimiser.step()

    first, second = sizes[0] * sizes[1], sizes[1] * sizes[2]
    # forward, by weight; by input too, but in the first layer
    by_hand = epochs * rows * (2 * first * 2 + 2 * second * 3)
    assert counted(train) == pytest.approx(by_hand, rel=0.01)


def test_a_stack_of_perceptrons_counts_its_members():
    def train(members):
        nets = build(
            "mlp",
            (20,),
            10,
            [contextlib.nullcontext()] * members,
            torch.device("cpu"),
            widths=(50,),
        )
        F.cross_entropy(
            nets(torch.randn(members, 64, 20)).flatten(0, 1), torch.randint(10, (64 * members,))
        ).backward()

    by_hand = 64 * (2 * 20 * 50 * 2 + 2 * 50 * 10 * 3)
    assert counted(lambda: train(1)) == pytest.approx(by_hand, rel=0.01)
    assert counted(lambda: train(5)) == pytest.approx(5 * by_hand, rel=0.01)


def convnet_by_hand(side, channels, width, depth, classes, images):
    """Forward and backward of one net: three products a weight and position, two in the first
    block, whose pictures need no gradient.
    """
    total, inner = 0, channels
    for block in range(depth):
        total += (2 if block == 0 else 3) * 2 * side**2 * width * inner * 9
        side, inner = side // 2, width
    return images * (total + 3 * 2 * width * side**2 * classes)


@pytest.mark.parametrize("members", [1, 5])
def test_training_convnets_counts_each_alike_alone_and_grouped(members):
    net = ConvNet(shape=(3, 16, 16), classes=10, width=12, depth=3)
    generators = [torch.Generator().manual_seed(k) for k in range(members)]
    params = net.init(generators)
    x, y, epochs, batch = torch.randn(40, 3, 16, 16), torch.randint(10, (40,)), 2, 16

    def train():
        fit(net, params, x, y, epochs_of(40, batch, epochs, generators), Recipe(steps=6))

    by_hand = members * convnet_by_hand(16, 3, 12, 3, 10, images=40 * epochs)
    assert counted(train) == pytest.approx(by_hand, rel=0.01)


def test_training_a_gin_counts_its_layers_and_its_messages(graph_library):
    from bench.training.gnn import GNN
    from bench.training.graphs import Graphs

    warnings.simplefilter("ignore")  # sparse matrices are in beta, torch says
    rng = np.random.default_rng(0)
    ends = {n: rng.integers(0, n, (2, 3 * n)) for n in (12, 30, 21)}
    graphs = Graphs.pack(
        [(rng.standard_normal((n, 7)), pairs[:, pairs[0] != pairs[1]]) for n, pairs in ends.items()]
    )
    nodes, edges, hidden, classes = 63, graphs.edges.shape[1], 16, 3
    net = GNN(7, classes, layers=3, hidden=hidden)

    def step():
        F.cross_entropy(net(graphs.batch()).logits, torch.tensor([0, 1, 2])).backward()

    layers, by_hand = [(7, hidden), (hidden, hidden), (hidden, hidden)], 0
    for place, (inner, out) in enumerate(layers):
        # each stored entry of the adjacency once; the loops are added elementwise
        messages = 2 * edges * inner
        products = 2 * nodes * (inner * 2 * hidden + 2 * hidden * out)
        by_hand += (
            (1 if place == 0 else 2) * messages
            + 3 * products
            - (2 * nodes * inner * 2 * hidden if place == 0 else 0)
        )
    # the readout, a sparse sum; the head
    by_hand += 2 * 2 * nodes * hidden + 3 * 2 * 3 * hidden * classes
    assert counted(step) == pytest.approx(by_hand, rel=0.01)


def test_generation_with_a_cache_counts_the_columns_it_reads():
    shape = DecoderShape(vocabulary=23, context=40, width=32, layers=3, heads=4)
    decoder = Decoder(shape)
    rows, prompt, new, repeat = 5, 7, 9, 2
    ids, mask = torch.randint(3, 23, (rows, prompt)), torch.ones(rows, prompt, dtype=torch.bool)
    mask[0, :3] = False  # padding on the left is computed, so it counts

    def generate():
        decoder.generate(ids, mask, new=new, choose=greedy, end=-1, pad=0, repeat=repeat)

    width, vocabulary = shape.width, shape.vocabulary
    weights = shape.layers * (3 * width**2 + width**2 + 8 * width**2)
    reading = rows * prompt * 2 * weights + shape.layers * rows * 4 * prompt**2 * width
    steps = [
        2 * weights + shape.layers * 4 * (prompt + column + 1) * width for column in range(new - 1)
    ]
    by_hand = reading + rows * repeat * (sum(steps) + new * 2 * width * vocabulary)
    assert counted(generate) == pytest.approx(by_hand, rel=0.01)


def test_a_decoders_update_counts_its_products():
    shape = DecoderShape(vocabulary=23, context=40, width=32, layers=2, heads=4)
    decoder = Decoder(shape)
    rows, columns = 6, 12
    ids, mask = torch.randint(23, (rows, columns)), torch.ones(rows, columns, dtype=torch.bool)
    weights = shape.layers * 12 * shape.width**2 + shape.width * shape.vocabulary
    forward = rows * columns * 2 * weights + shape.layers * rows * 4 * columns**2 * shape.width
    assert counted(lambda: decoder(ids, mask).sum().backward()) == pytest.approx(
        3 * forward, rel=0.01
    )
