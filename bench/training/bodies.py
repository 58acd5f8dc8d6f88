"""The convolutional nets without their last layer, as plain modules: from pictures (B, C, H, W) to
features (B, D).

Each layer also works on K nets at once whose channels lie side by side, (B, K * C, H, W):
convolutions take the number of groups from the weight they are given, BatchNorm and pooling treat
every channel by itself. So one definition serves a net of its own and a stack. Initial values are
torch's own for each layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional as F

from bench.training.pooling import relu_largest


class Conv(nn.Conv2d):
    """A convolution without bias that keeps the size at stride 1, of one
    net or of as many as its weight holds.
    """

    def __init__(self, inner: int, out: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(inner, out, kernel, stride, kernel // 2, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, K * inner, H, W) to (B, K * out, H', W') with a weight
        of (K * out, inner, kernel, kernel).
        """
        return F.conv2d(
            x,
            self.weight,
            None,
            self.stride,
            self.padding,
            groups=self.weight.shape[0] // self.out_channels,
        )


class Norm(nn.BatchNorm2d):
    """BatchNorm without its counter of batches, which nothing reads at a fixed momentum."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.num_batches_tracked = None


def _pool(x: torch.Tensor) -> torch.Tensor:
    """Return the mean over positions."""
    return x.mean((2, 3))


class Body(nn.Module):
    """From pictures (B, channels, H, W) to features (B, width).

    Attributes:
        width: D, the number of features.
    """

    width: int


class CNN(Body):
    """Blocks of convolution, BatchNorm, ReLU and 2x2 maximum (left out
    where a side would vanish), then the mean over positions.
    """

    def __init__(self, channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        for width in widths:
            self.convs.append(Conv(channels, width))
            self.norms.append(Norm(width))
            channels = width
        self.width = channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the features (n, D) of pictures (n, channels, height, width)."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = norm(conv(x))
            x = relu_largest(x) if min(x.shape[2:]) > 1 else x.relu_()
        return _pool(x)


class Basic(nn.Module):
    """The block of ResNet-18 and -34: two convolutions, each with
    BatchNorm, and a shortcut (arXiv:1512.03385, option B).
    """

    def __init__(self, inner: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.norm1 = Conv(inner, out, stride=stride), Norm(out)
        self.conv2, self.norm2 = Conv(out, out), Norm(out)
        self.shortcut = (
            nn.Sequential(Conv(inner, out, 1, stride), Norm(out))
            if stride > 1 or inner != out
            else nn.Identity()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, K * inner, H, W) to (B, K * out, H / stride, W / stride)."""
        y: torch.Tensor = self.norm2(self.conv2(self.norm1(self.conv1(x)).relu())) + self.shortcut(
            x
        )
        return y.relu()


class PreActivation(nn.Module):
    """The block with BatchNorm and ReLU before each convolution
    (arXiv:1603.05027); the shortcut starts after the first ReLU.
    """

    def __init__(self, inner: int, out: int, stride: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = Norm(inner), Conv(inner, out, stride=stride)
        self.norm2, self.conv2 = Norm(out), Conv(out, out)
        self.shortcut = Conv(inner, out, 1, stride) if stride > 1 or inner != out else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, K * inner, H, W) to (B, K * out, H / stride, W / stride)."""
        active = self.norm1(x).relu()
        y: torch.Tensor = self.conv2(self.norm2(self.conv1(active)).relu())
        return y + (x if self.shortcut is None else self.shortcut(active))


class ResNet(Body):
    """A residual net with the CIFAR stem, one 3x3 convolution and no pooling, and stages that halve
    the side from the second on.

    Source: arXiv:1512.03385; with ``PreActivation`` blocks arXiv:1603.05027.
    """

    def __init__(
        self,
        channels: int,
        widths: Sequence[int],
        depths: Sequence[int],
        block: type[Basic | PreActivation],
    ) -> None:
        super().__init__()
        ahead = block is PreActivation
        self.stem, self.stem_norm = (
            Conv(channels, widths[0]),
            nn.Identity() if ahead else Norm(widths[0]),
        )
        blocks, inner = [], widths[0]
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for position in range(depth):
                blocks.append(block(inner, width, 2 if stage and not position else 1))
                inner = width
        self.blocks = nn.Sequential(*blocks)
        self.last_norm = Norm(inner) if ahead else nn.Identity()
        self.ahead, self.width = ahead, inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the features (n, D) of pictures (n, channels, height, width)."""
        x = self.stem_norm(self.stem(x))
        x = self.blocks(x if self.ahead else x.relu())
        return _pool(self.last_norm(x).relu())


_STAGES = (64, 128, 256, 512)

BODIES: dict[str, tuple[tuple[int, ...], Callable[[int, Sequence[int]], Body]]] = {
    "cnn": ((32, 64, 128), CNN),
    "resnet18": (
        _STAGES,
        lambda channels, widths: ResNet(channels, widths, (2, 2, 2, 2)[: len(widths)], Basic),
    ),
    "resnet34": (
        _STAGES,
        lambda channels, widths: ResNet(channels, widths, (3, 4, 6, 3)[: len(widths)], Basic),
    ),
    "preactresnet18": (
        _STAGES,
        lambda channels, widths: ResNet(
            channels, widths, (2, 2, 2, 2)[: len(widths)], PreActivation
        ),
    ),
}
"""Net -> its own widths, and what builds its body from input channels and widths."""
