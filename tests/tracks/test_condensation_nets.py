"""The other architectures: sizes of the papers, the same numbers in a
stack and alone, and torch's own layers as the reference.
"""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bench.tracks.condensation_evaluation import Protocol, accuracies, logits_of, train
from bench.tracks.condensation_nets import ARCHITECTURES, ResNet, VisionTransformer, build


def generators(count=2):
    return [torch.Generator().manual_seed(seed) for seed in range(count)]


def test_at_width_128_the_resnet_has_the_weights_of_resnet_18_and_the_transformer_four_blocks_of_dimension_128():
    resnet, vit = (build(name, (3, 32, 32), 10, 128) for name in ("resnet", "vit"))
    # kuangliu/pytorch-cifar, ResNet18
    assert sum(tensor.numel() for tensor in resnet.init(generators(1))) == 11173962
    assert [out for _, out, _ in resnet.blocks] == [64, 64, 128, 128, 256, 256, 512, 512]
    assert (vit.patch, vit.depth, vit.heads, vit.width) == (4, 4, 4, 128)
    assert [VisionTransformer(shape=(1, side, side), classes=10).patch for side in (28, 14, 8)] == [
        7,
        2,
        2,
    ]
    assert [len(ResNet(shape=(1, side, side), classes=10).blocks) for side in (28, 14, 8)] == [
        8,
        8,
        6,
    ]


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 14, 14)])
def test_a_net_in_a_stack_is_that_net_alone(name, shape):
    net = build(name, shape, 5, 8)
    params = [tensor.double() for tensor in net.init(generators())]
    x = torch.randn(2, 3, *shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    together = net.logits(params, x)
    assert together.shape == (2, 3, 5)
    for k in range(2):
        torch.testing.assert_close(
            net.logits([tensor[k : k + 1] for tensor in params], x[k : k + 1])[0],
            together[k],
            rtol=1e-9,
            atol=1e-11,
        )


def test_a_block_of_the_resnet_is_that_of_torch_s_layers():
    net = ResNet(shape=(2, 8, 8), classes=3, width=4)
    params = [tensor.double() for tensor in net.init(generators(1))]
    x = torch.randn(1, 3, 2, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weights = [params[i][0] for i in range(0, len(params) - 2, 3)]

    def convolved(h, weight, stride=1):
        # scales are 1, shifts 0 at first
        return F.instance_norm(F.conv2d(h, weight, stride=stride, padding=weight.shape[-1] // 2))

    h, rest = convolved(x[0], weights[0]).relu(), iter(weights[1:])
    for _, out, stride in net.blocks:
        found = convolved(convolved(h, next(rest), stride).relu(), next(rest))
        h = (found + (convolved(h, next(rest), stride) if out != h.shape[1] else h)).relu()
    torch.testing.assert_close(net.features(params, x)[0], h.mean((2, 3)))


def test_a_block_of_the_transformer_is_torch_s_encoder_layer():
    net = VisionTransformer(shape=(1, 8, 8), classes=3, width=8, depth=1, heads=2)
    params = [tensor.double() for tensor in net.init(generators(1))]
    x = torch.randn(1, 3, 1, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    layer = nn.TransformerEncoderLayer(
        8, 2, 16, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    ).double()
    own = dict(
        zip(
            (
                "norm1.weight",
                "norm1.bias",
                "self_attn.in_proj_weight",
                "self_attn.in_proj_bias",
                "self_attn.out_proj.weight",
                "self_attn.out_proj.bias",
                "norm2.weight",
                "norm2.bias",
                "linear1.weight",
                "linear1.bias",
                "linear2.weight",
                "linear2.bias",
            ),
            (p[0] for p in params[3:15]),
            strict=True,
        )
    )
    layer.load_state_dict(own)
    tokens = F.unfold(x[0], 2, stride=2).mT @ params[0][0].T + params[1][0] + params[2][0]
    expected = F.layer_norm(layer(tokens), (8,)).mean(1)
    torch.testing.assert_close(net.features(params, x)[0], expected)


@pytest.mark.parametrize("name", ["resnet", "vit"])
def test_an_architecture_learns_what_tells_two_kinds_of_images_apart(name):
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(40) % 2
    x = 0.1 * torch.randn(40, 1, 8, 8, generator=generator)
    x[y == 0, :, ::2] += 1  # stripes that lie, and stripes that stand
    x[y == 1, :, :, ::2] += 1
    net = build(name, (1, 8, 8), 2, 16)
    protocol = (
        Protocol(epochs=30, optimiser="adamw", lr=1e-3) if name == "vit" else Protocol(epochs=30)
    )
    params = train(net, net.init(generators()), x[:20], y[:20], protocol, generators())
    assert accuracies(logits_of(net, params, x[20:]), y[20:]).min() >= 90
