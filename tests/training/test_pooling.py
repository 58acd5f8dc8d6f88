"""Pooling with gradients written out against torch's own, bit by bit."""

import pytest
import torch
from torch.func import grad, vmap
from torch.nn import functional as F

from bench.training import pooling
from bench.training.pooling import halved, relu_largest

SHAPES = [(3, 4, 8, 8), (2, 3, 7, 5), (1, 1, 2, 3), (2, 10, 14, 14)]


def by_slices(h):
    """The means as torch records them: a slice for every pixel of a square."""
    rows, columns = (side - side % 2 for side in h.shape[-2:])
    h = h[..., 0:rows:2, :] + h[..., 1:rows:2, :]
    return (h[..., 0:columns:2] + h[..., 1:columns:2]) * 0.25


def by_torch(x):
    return F.max_pool2d(x.relu(), 2)


PAIRS = [
    pytest.param(halved, by_slices, id="means"),
    pytest.param(relu_largest, by_torch, id="largest"),
]


@pytest.fixture(autouse=True)
def tensors_of_any_size_take_the_written_gradients(monkeypatch):
    monkeypatch.setattr(pooling, "_SMALL", 0)


def pictures(shape):
    """Pictures with equal pixels, negative squares and zeros among them."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    x[0, 0] = 0.5
    x[..., -1, :2] = -1.0
    x[-1, -1, 0] = 0.0
    return x.requires_grad_()


@pytest.mark.parametrize(("own", "plain"), PAIRS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_and_gradients_have_the_bits_of_torch_s(own, plain, shape):
    x = pictures(shape)
    found, wanted = own(x), plain(x)
    weight = torch.randn(wanted.shape, generator=torch.Generator().manual_seed(1))
    assert torch.equal(found, wanted)
    gradients = [torch.autograd.grad(value, x, weight)[0] for value in (found, wanted)]
    assert torch.equal(*gradients)
    with torch.no_grad():
        assert torch.equal(own(x), wanted)


@pytest.mark.parametrize(("own", "plain"), PAIRS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_second_derivatives_have_the_bits_of_torch_s(own, plain, shape):
    def second(pool):
        x = pictures(shape)
        value = pool(x * x)
        (first,) = torch.autograd.grad(value.sin().sum(), x, create_graph=True)
        return torch.autograd.grad((first * first.cos()).sum(), x)[0]

    assert torch.equal(second(own), second(plain))


@pytest.mark.parametrize(("own", "plain"), PAIRS)
def test_gradients_pass_through_vmap(own, plain):
    x = pictures((3, 2, 2, 6, 6)).detach()

    def gradients(pool):
        return vmap(grad(lambda part: pool(part).sin().sum()))(x)

    torch.testing.assert_close(gradients(own), gradients(plain))
