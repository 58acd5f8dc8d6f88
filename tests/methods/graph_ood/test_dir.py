"""DIR: the risk beside each rest, and the whole objective, against loops."""

import pytest
import torch
from bench.builtin.methods.graph_ood._rationales import Rationale
from bench.builtin.methods.graph_ood.dir import InvariantRationales, interventions

from bench.tracks.graph_ood import Training, graph_losses


def looped(logits, rests, y):
    """For each rest the mean loss of all rationales beside it, one pair at a time."""
    return torch.stack(
        [
            torch.stack(
                [
                    graph_losses((logits[i] * rests[s].sigmoid())[None], y[i : i + 1])[0]
                    for i in range(len(y))
                ]
            ).mean()
            for s in range(len(y))
        ]
    )


@pytest.mark.parametrize("kind", ["classes", "binary", "numbers"])
def test_the_risks_beside_rests_are_those_of_a_double_loop(toy, kind):
    y = toy(kind=kind, count=9).y
    columns = 3 if kind == "classes" else 2
    logits, rests = torch.randn(2, 9, columns)
    torch.testing.assert_close(interventions(logits, rests, y), looped(logits, rests, y))


def test_the_objective_is_that_of_the_paper_with_a_weight_that_grows_over_the_epochs(toy, run_of):
    training = Training(toy(), run_of())
    batch = next(training.epoch(5))
    method = InvariantRationales(alpha=0.3, spread=2.0)
    method.start(training)
    model = training.net
    assert isinstance(model, Rationale)
    inside, outside = model.split(batch.graphs)
    logits, z = model.net(inside).logits, model.net(outside).z
    said = model.rest(z)
    risks = looped(logits, said, batch.y)
    variance = (risks - risks.mean()).square().mean()
    expected = (
        graph_losses(logits, batch.y).mean()
        + 0.3 * 5**1.6 * (risks.mean() + 2 * variance)
        + graph_losses(said, batch.y).mean()
    )
    torch.testing.assert_close(method.loss(training, batch, model), expected)


def test_the_rests_teach_their_own_head_alone(toy, run_of):
    training = Training(toy(), run_of())
    batch = next(training.epoch(0))  # in epoch 0 nothing is asked of rationales beside rests
    method = InvariantRationales()
    method.start(training)
    model = training.net
    method.loss(training, batch, model).backward()
    slope = model.rest.weight.grad.clone()
    _, outside = model.split(batch.graphs)
    with torch.no_grad():
        z = model.net(outside).z
    model.rest.zero_grad()
    graph_losses(model.rest(z), batch.y).mean().backward()
    torch.testing.assert_close(slope, model.rest.weight.grad)
