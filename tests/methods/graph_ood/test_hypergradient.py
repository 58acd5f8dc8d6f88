"""The derivative of a loss after one step for the weights in that step:
JVP, autograd through the step and differences agree.
"""

import copy

import pytest
import torch
from bench.builtin.methods.graph_ood._hypergradient import one_step, through_head, through_net
from torch.func import functional_call
from torch.nn import functional as F

from bench.tracks.graph_ood import Batch, graph_losses
from bench.training.gnn import GNN
from bench.training.graphs import Graphs


def doubled(graphs):
    return Graphs(graphs.x.double(), graphs.edges, graphs.nodes, graphs.degrees)


@pytest.fixture
def batch_of(graphs_of):
    def make(count, seed, kind="classes"):
        generator = torch.Generator().manual_seed(seed)
        y = (
            torch.randint(0, 3, (count,), generator=generator)
            if kind == "classes"
            else torch.randn(count, 3, generator=generator, dtype=torch.float64)
        )
        y = y.clamp(-1, 1).round().to(torch.int8) if kind == "binary" else y
        return Batch(0, torch.arange(count), doubled(graphs_of(count, seed)).batch(), y)

    return make


@pytest.fixture
def net(batch_of):
    torch.manual_seed(0)
    net = GNN(3, 3, hidden=8, layers=2).double()
    for seed in range(5):
        net(batch_of(30, seed).graphs)  # batch norm gets figures of its own
    return net


def after_step(net, batch, upper, w, lr, only=""):
    """The upper loss as a function of the weights, by autograd through one
    step of gradient descent.
    """
    net = copy.deepcopy(net).eval()
    params = dict(net.named_parameters())
    moving = [name for name in params if name.startswith(only)]
    losses = graph_losses(functional_call(net, params, (batch.graphs,)).logits, batch.y)
    slopes = torch.autograd.grad(
        (w * losses).mean(), [params[name] for name in moving], create_graph=True
    )
    moved = params | {
        name: params[name] - lr * slope for name, slope in zip(moving, slopes, strict=True)
    }
    return graph_losses(functional_call(net, moved, (upper.graphs,)).logits, upper.y).mean()


@pytest.mark.parametrize("kind", ["classes", "binary", "numbers"])
@pytest.mark.parametrize("scope", ["net", "last_layer"])
def test_the_hypergradient_is_autograd_through_the_step_and_central_differences(
    net, batch_of, kind, scope
):
    batch, upper, lr = batch_of(12, 1, kind), batch_of(9, 2, kind), 0.1
    w = torch.rand(
        12, generator=torch.Generator().manual_seed(3), dtype=torch.float64
    ).requires_grad_()
    only = "head" if scope == "last_layer" else ""
    expected = torch.autograd.grad(after_step(net, batch, upper, w, lr, only), w)[0]
    if scope == "net":
        found = through_net(net, batch, upper, w.detach(), lr)
    else:
        with torch.no_grad():
            z, upper_z = (copy.deepcopy(net).eval()(part.graphs).z for part in (batch, upper))
        found = through_head(net, z, batch.y, upper_z, upper.y, w.detach(), lr)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-12)
    step = 1e-4
    for n in (0, 5, 11):
        ends = [
            float(
                after_step(
                    net,
                    batch,
                    upper,
                    w.detach() + sign * step * F.one_hot(torch.tensor(n), 12),
                    lr,
                    only,
                ).detach()
            )
            for sign in (1, -1)
        ]
        assert float(found[n]) == pytest.approx(
            (ends[0] - ends[1]) / (2 * step), rel=1e-4, abs=1e-10
        )


def test_the_hypergradient_of_a_linear_model_is_the_closed_form():
    """Squared error, one parameter: theta' = theta - lr mean(w 2 (theta x - y) x), d/dw_n =
    upper'(theta') (-lr/B) 2 (theta x_n - y_n) x_n.
    """
    x, y, w = (
        torch.tensor([1.0, 2.0, -1.0]),
        torch.tensor([0.5, 1.0, 3.0]),
        torch.tensor([1.0, 0.5, 2.0]),
    )
    theta, lr = 0.7, 0.1
    slopes = 2 * (theta * x - y) * x
    moved = theta - lr * float((w * slopes).mean())
    expected = 2 * (moved * 1.5 - 2.0) * 1.5 * (-lr / 3) * slopes
    found = one_step(
        lambda p: (p["t"] * x - y).square(),
        lambda p: (p["t"] * 1.5 - 2.0).square(),
        {"t": torch.tensor(theta)},
        w,
        lr,
    )
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("scope", ["net", "last_layer"])
def test_a_graph_like_the_upper_ones_gains_weight_and_its_copy_with_another_label_loses_it(
    net, graphs_of, scope
):
    one = doubled(graphs_of(1, 8, smallest=5))
    # of the other labels the likelier: both labels lower the third class, which would help if that
    # led
    with torch.no_grad():
        other = int(copy.deepcopy(net).eval()(one.batch()).logits[0, [0, 2]].argmax()) * 2
    batch = Batch(
        0, torch.arange(2), one.take(torch.tensor([0, 0])).batch(), torch.tensor([1, other])
    )
    upper = Batch(0, torch.arange(1), one.batch(), torch.tensor([1]))
    ones = torch.ones(2, dtype=torch.float64)
    if scope == "net":
        found = through_net(net, batch, upper, ones, 0.01)
    else:
        net.eval()
        with torch.no_grad():
            found = through_head(
                net, net(batch.graphs).z, batch.y, net(upper.graphs).z, upper.y, ones, 0.01
            )
    assert found[0] < 0 < found[1]


def test_the_net_is_left_as_it_was(net, batch_of):
    before = copy.deepcopy(net.state_dict())
    through_net(net, batch_of(6, 1), batch_of(5, 2), torch.ones(6, dtype=torch.float64), 0.1)
    assert net.training
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())
