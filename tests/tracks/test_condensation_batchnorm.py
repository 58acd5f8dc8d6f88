"""The ConvNet with BatchNorm and LeNet against torch's own modules."""

import pytest
import torch
from torch import nn

from bench.tracks.condensation_batchnorm import BatchNormConvNet, LeNet


def generators(count=2):
    return [torch.Generator().manual_seed(seed) for seed in range(count)]


def images(shape=(1, 8, 8), count=6, nets=2):
    generator = torch.Generator().manual_seed(9)
    return torch.randn(nets, count, *shape, generator=generator)


def filled(module, params, k):
    """Return the module with the weights of net k."""
    with torch.no_grad():
        for parameter, tensor in zip(module.parameters(), params, strict=True):
            parameter.copy_(tensor[k])
    return module


def plain_convnet(params, k, depth=2, width=4):
    layers, channels = [], 1
    for _ in range(depth):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width, momentum=None)]
        layers += [nn.ReLU(), nn.AvgPool2d(2)]
        channels = width
    return filled(nn.Sequential(*layers, nn.Flatten(), nn.Linear(width * 4, 3)), params, k)


def test_in_training_batch_norm_takes_the_statistics_of_its_batch_and_afterwards_those_of_the_set():
    net = BatchNormConvNet(shape=(1, 8, 8), classes=3, width=4, depth=2)
    params, x = net.init(generators()), images()
    small = images(count=9, nets=1)[0]
    fixed, whole = net.settled(params, small)
    for k in range(2):
        plain = plain_convnet(params, k)
        torch.testing.assert_close(net.logits(params, x)[k], plain(x[k]), rtol=1e-4, atol=1e-5)
        for layer in (1, 5):
            plain[layer].reset_running_stats()
        plain(small)  # momentum=None: the average over one batch
        for layer, pixels in ((1, 9 * 64), (5, 9 * 16)):  # torch averages unbiased variances
            plain[layer].running_var *= (pixels - 1) / pixels
        plain.eval()
        torch.testing.assert_close(fixed.logits(whole, x)[k], plain(x[k]), rtol=1e-4, atol=1e-5)


def test_with_fixed_statistics_an_image_s_logits_do_not_depend_on_its_companions():
    net = BatchNormConvNet(shape=(1, 8, 8), classes=3, width=4, depth=2)
    fixed, whole = net.settled(net.init(generators()), images()[0])
    x = images()
    torch.testing.assert_close(
        fixed.logits(whole, x)[:, :1], fixed.logits(whole, x[:, :1]), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    ("shape", "paddings", "features"),
    [((3, 32, 32), (0, 0), 400), ((1, 28, 28), (2, 0), 400), ((1, 8, 8), (2, 2), 64)],
)
def test_lenet_is_the_one_of_torch_s_modules(shape, paddings, features):
    net = LeNet(shape=shape, classes=10)
    params, x = net.init(generators()), images(shape)
    assert net.paddings == paddings
    for k in range(2):
        plain = nn.Sequential(
            nn.Conv2d(shape[0], 6, 5, padding=paddings[0]),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5, padding=paddings[1]),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(features, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, 10),
        )
        expected = filled(plain, params, k)(x[k])
        torch.testing.assert_close(net.logits(params, x)[k], expected, rtol=1e-4, atol=1e-5)
