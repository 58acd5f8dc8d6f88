"""CIGA: its contrast, its hinge and its objective against loops."""

import math

import pytest
import torch
from bench.builtin.methods.graph_ood.ciga import CausalInvariance, class_contrast, hinged

from bench.tracks.graph_ood import Training, graph_losses


def looped(z, y, temperature):
    """Pair by pair: for each graph the mean over others of its label of minus the logarithm of
    their share in the nearness to all others.
    """
    unit = [row / row.norm() for row in z]
    found = []
    for i in range(len(z)):
        near = {
            a: math.exp(float(unit[i] @ unit[a]) / temperature) for a in range(len(z)) if a != i
        }
        alike = [a for a in near if bool((y[a] == y[i]).all()) and bool((y[i] >= 0).all())]
        if alike:
            found.append(sum(-math.log(near[a] / sum(near.values())) for a in alike) / len(alike))
    return sum(found) / len(found)


@pytest.mark.parametrize("kind", ["classes", "binary"])
def test_the_contrast_is_that_of_a_double_loop(toy, kind):
    y = toy(kind=kind, count=25).y
    if kind == "binary":
        assert bool((y < 0).any())
        assert bool((y >= 0).all(1).any())
    z = torch.randn(25, 6)
    assert float(class_contrast(z, y, 0.5)) == pytest.approx(looped(z, y, 0.5), rel=1e-4)


def test_graphs_that_are_alone_with_their_label_have_no_contrast():
    z = torch.randn(3, 4, requires_grad=True)
    for y in (torch.arange(3), torch.tensor([[0.5], [1.5], [math.nan]])):
        found = class_contrast(z, y, 1.0)
        assert found == 0
        assert torch.autograd.grad(found, z)[0].abs().sum() == 0


def test_the_contrast_is_smaller_where_graphs_of_a_class_lie_together():
    y = torch.tensor([0, 0, 1, 1])
    together = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    assert class_contrast(together, y, 1.0) < class_contrast(together[[0, 2, 1, 3]], y, 1.0)


def test_the_hinge_is_the_mean_of_the_rests_losses_above_their_rationales():
    rests, rationales = torch.tensor([3.0, 0.5, 2.0]), torch.tensor([1.0, 1.0, 1.0])
    assert float(hinged(rests, rationales)) == pytest.approx(2.5)
    assert float(hinged(rationales, rests)) == pytest.approx(1.0)
    assert float(hinged(rationales, rationales)) == 0


@pytest.mark.parametrize("hinge", [0.0, 0.7])
def test_the_objective_is_the_sum_of_the_three(toy, run_of, hinge):
    training = Training(toy(), run_of())
    batch = next(training.epoch(0))
    method = CausalInvariance(contrast=2.0, hinge=hinge)
    method.start(training)
    model = training.net
    inside, outside = model.split(batch.graphs)
    out = model.net(inside)
    losses = graph_losses(out.logits, batch.y).detach()
    rests = graph_losses(model.rest(model.net(outside).z), batch.y).detach()
    above = [float(rest) for rest, own in zip(rests, losses, strict=True) if rest > own]
    expected = float(losses.mean()) + 2 * looped(out.z.detach(), batch.y, 1.0)
    expected += hinge * sum(above) / max(1, len(above))
    assert float(method.loss(training, batch, model).detach()) == pytest.approx(expected, rel=1e-4)
