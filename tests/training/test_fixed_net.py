"""The net that a task trains: what it is made of, that it is the same for all, and copies."""

import msgspec
import pytest
import torch
from torch.nn import functional as F

from bench.runs.context import Run
from bench.runs.guard import fingerprint
from bench.training.fixed_net import FixedNet, Recipe, descended, fixed_net, outputs

RECIPES = {
    "mlp": Recipe(widths=(16, 8), epochs=3, batch_size=16),
    "cnn": Recipe(net="cnn", widths=(4, 8), epochs=3, batch_size=16),
}


def run_of(tmp_path, seed=0):
    return Run(seed=seed, task="x/toy", method="x/x", device=torch.device("cpu"), workdir=tmp_path)


def rows(n=50, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(n, 1, 8, 8, generator=generator)
    y = torch.randint(3, (n,), generator=generator)
    x[torch.arange(n), 0, 0, y] += 2
    return x, y


@pytest.fixture(params=sorted(RECIPES))
def net(request, tmp_path):
    return fixed_net(*rows(), 3, RECIPES[request.param], run_of(tmp_path))


def test_logits_are_the_last_layer_on_the_features(net):
    x, _ = rows(7, seed=1)
    features = net.features(x)
    assert features.shape == (7, 8)
    assert torch.allclose(net(x), F.linear(features, net.head_weight, net.head_bias), atol=1e-5)
    assert torch.allclose(outputs(net, x, part=3), net(x), atol=1e-5)


def test_a_net_of_the_same_rows_and_seed_is_the_same_and_another_number_gives_another(tmp_path):
    first, again = (fixed_net(*rows(), 3, RECIPES["mlp"], run_of(tmp_path)) for _ in range(2))
    assert fingerprint(first) == fingerprint(again)
    other = fixed_net(*rows(), 3, RECIPES["mlp"], run_of(tmp_path), which=1)
    assert fingerprint(first) != fingerprint(other)


def test_a_net_learns_its_rows(tmp_path):
    x, y = rows(200)
    recipe = msgspec.structs.replace(RECIPES["mlp"], epochs=30, lr=1e-2)
    net = fixed_net(x, y, 3, recipe, run_of(tmp_path))
    assert (net(x).argmax(1) == y).float().mean() > 0.95


def test_gradients_reach_the_rows(net):
    x = rows(4, seed=1)[0].requires_grad_()
    net(x).logsumexp(1).sum().backward()
    assert float(x.grad.abs().sum()) > 0


def test_training_a_copy_leaves_the_net_and_the_global_streams_alone(net):
    before, stream = fingerprint(net), torch.get_rng_state()
    x, y = rows()
    twin = net.copy()
    assert torch.equal(torch.get_rng_state(), stream)
    twin.eval()
    assert torch.allclose(twin(x[None])[0], net(x), atol=1e-5)
    descended(
        twin,
        [torch.arange(50)] * 3,
        Recipe(),
        lambda rows: F.cross_entropy(twin(x[rows][None])[0], y[rows]),
    )
    assert fingerprint(net) == before
    after = FixedNet.of(twin, net)
    assert fingerprint(after) != before
    assert torch.allclose(after(x), twin(x[None])[0], atol=1e-5)
