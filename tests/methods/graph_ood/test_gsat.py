"""GSAT: its information, its norm and its objective against plain forms."""

import copy

import pytest
import torch
from bench.builtin.methods.graph_ood.gsat import (
    StochasticAttention,
    edges_of,
    information,
    within,
)
from torch.distributions import Bernoulli, kl_divergence

from bench.tracks.graph_ood import Training, graph_losses


@pytest.mark.parametrize("r", [0.5, 0.9])
def test_the_information_is_the_divergence_of_two_bernoulli_distributions(r):
    score = torch.randn(40) * 3
    expected = kl_divergence(Bernoulli(logits=score), Bernoulli(torch.tensor(r))).mean()
    torch.testing.assert_close(information(score, r), expected)
    assert information(torch.full((5,), r).logit(), r) == pytest.approx(0, abs=1e-6)
    assert information(score[:0], r) == 0


def test_values_are_normalised_within_the_edges_of_each_graph(graphs_of):
    batch = graphs_of(12).batch()
    values = torch.randn(batch.edge_index.shape[1], 3) * 4 + 2
    found = within(edges_of(batch), values)
    graph = batch.graph[batch.edge_index[1]]
    for number in graph.unique():
        mine = values[graph == number]
        expected = (mine - mine.mean(0)) / (mine.var(0, correction=0) + 1e-5).sqrt()
        torch.testing.assert_close(found[graph == number], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("epoch", "r"), [(0, 0.9), (9, 0.9), (10, 0.8), (20, 0.7), (39, 0.7)])
def test_the_objective_is_the_loss_under_drawn_attention_and_its_information(toy, run_of, epoch, r):
    training = Training(toy(), run_of())
    batch = next(training.epoch(epoch))
    method = StochasticAttention(info=0.5)
    state = method.start(training)
    model = training.net
    generator = torch.Generator().set_state(state.generator.get_state())
    score = copy.deepcopy(model).score(batch.graphs)
    uniform = torch.rand(len(score), generator=generator)
    drawn = 1 / (1 + torch.exp(-score) * (1 - uniform) / uniform)
    ends = [tuple(pair) for pair in batch.graphs.edge_index.T.tolist()]
    place = {pair: position for position, pair in enumerate(ends)}
    both = torch.stack([(drawn[place[a, b]] + drawn[place[b, a]]) / 2 for a, b in ends])
    dense = torch.eye(len(batch.graphs.x)).index_put(tuple(batch.graphs.edge_index), both)
    h = batch.graphs.x
    for place, (conv, norm) in enumerate(zip(model.net.convs, model.net.norms, strict=True)):
        h = norm(conv.nn(dense @ h))
        h = h if place == 1 else h.relu()
    z = torch.stack([h[batch.graphs.graph == graph].mean(0) for graph in range(len(batch.rows))])
    p = score.sigmoid()
    cost = p * (p / r).log() + (1 - p) * ((1 - p) / (1 - r)).log()
    expected = graph_losses(model.net.head(z), batch.y).mean() + 0.5 * cost.mean()
    torch.testing.assert_close(method.loss(state, batch, model), expected, rtol=1e-4, atol=1e-5)


def test_the_dearer_its_information_the_nearer_attention_stays_to_r(toy, run_of):
    problem = toy(epochs=15)

    def distance(info):
        model = StochasticAttention(info=info).solve(problem, run_of()).model.eval()
        with torch.no_grad():
            return information(model.score(problem.graphs.batch()), 0.8)

    assert distance(10.0) < distance(0.0) / 4
