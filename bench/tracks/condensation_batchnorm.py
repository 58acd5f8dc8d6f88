"""Two more architectures that a condensed set is tried on, K nets side by side: the ConvNet with
BatchNorm, and LeNet.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import torch
from torch.nn import functional as F

from bench.training.convnet import ConvNet, Params, drawn
from bench.training.pooling import halved

__all__ = ["BatchNormConvNet", "LeNet"]

_EPSILON = 1e-5
"""Added to a variance before the root, as torch's BatchNorm does."""


class BatchNormConvNet(ConvNet, frozen=True, kw_only=True):
    """The ConvNet with BatchNorm (arXiv:1502.03167) in the place of instance norm.

    In training, means and variances are the batch's. A few steps on a few images do not fill
    running averages, so ``settled`` takes the statistics of all training images at the final
    weights, which the averages would tend to.

    Attributes:
        shape: of an image, (channels, height, width).
        classes: C.
        width: channels of every block.
        depth: blocks.
        fixed: the first 2 ``depth`` parameters are the mean and the variance of each block, (K,
            width), which are used instead of the batch's.
    """

    fixed: bool = False

    def features(self, params: Params, x: torch.Tensor) -> torch.Tensor:
        """Map images (K, B, channels, height, width) to (K, B, F)."""
        return self._passed(params, x)[0]

    def settled(self, params: Params, x: torch.Tensor) -> tuple[BatchNormConvNet, Params]:
        """Return the net whose statistics are fixed, and its parameters: the statistics of images
        (n, channels, height, width) before those that were trained (K, ...).
        """
        with torch.no_grad():
            _, found = self._passed(params, x.expand(len(params[0]), *x.shape))
        fixed = BatchNormConvNet(
            shape=self.shape, classes=self.classes, width=self.width, depth=self.depth, fixed=True
        )
        return fixed, [*found, *params]

    def _passed(self, params: Params, x: torch.Tensor) -> tuple[torch.Tensor, Params]:
        """Return features (K, B, F) and the statistics of every block, (K, width) each."""
        (nets, size), known = x.shape[:2], 2 * self.depth if self.fixed else 0
        given, own = params[:known], params[known:]
        h, found = x.transpose(0, 1).flatten(1, 2), []
        for block in range(self.depth):
            weight, bias, scale, shift = own[4 * block : 4 * block + 4]
            h = F.conv2d(
                h,
                weight.flatten(0, 1),
                bias.flatten(),
                padding=1 if block else self.padding,
                groups=nets,
            )
            if self.fixed:
                mean, variance = given[2 * block].flatten(), given[2 * block + 1].flatten()
            else:
                variance, mean = torch.var_mean(h, (0, 2, 3), correction=0)
            slope = scale.flatten() * (variance + _EPSILON).rsqrt()
            h = h * slope[:, None, None] + (shift.flatten() - mean * slope)[:, None, None]
            h = halved(h.relu())
            found += [mean.view(nets, -1), variance.view(nets, -1)]
        return h.reshape(size, nets, -1).transpose(0, 1), found


class LeNet(msgspec.Struct, frozen=True, kw_only=True):
    """Two convolutions 5x5 of 6 and 16 channels, each with ReLU and the largest of 2x2, then layers
    of 120 and 84. Source: VICO-UoE/DatasetCondensation, networks.py.

    Images are padded by 2 first where they are smaller than 32x32; below 28x28 the second
    convolution pads as well, of which the authors' would leave nothing at 8x8.

    Attributes:
        shape: of an image, (channels, height, width).
        classes: C.
    """

    shape: tuple[int, int, int]
    classes: int

    @property
    def paddings(self) -> tuple[int, int]:
        """Padding of the two convolutions."""
        side = min(self.shape[1:])
        return (2 if side < 32 else 0), (2 if side < 28 else 0)

    @property
    def n_features(self) -> int:
        """Numbers that the first linear layer sees."""
        sides = list(self.shape[1:])
        for padding in self.paddings:
            sides = [(side + 2 * padding - 4) // 2 for side in sides]
        return 16 * sides[0] * sides[1]

    def init(self, generators: Sequence[torch.Generator]) -> Params:
        """Draw one net from each generator: weight and bias a layer."""
        shapes: list[tuple[int, ...]] = []
        for out, *inner in (
            (6, self.shape[0], 5, 5),
            (16, 6, 5, 5),
            (120, self.n_features),
            (84, 120),
            (self.classes, 84),
        ):
            shapes += [(out, *inner), (out,)]
        return drawn(shapes, ["weight", "bias"] * 5, generators)

    def features(self, params: Params, x: torch.Tensor) -> torch.Tensor:
        """Map images (K, B, channels, height, width) to (K, B, 84)."""
        nets, size = x.shape[:2]
        h = x.transpose(0, 1).flatten(1, 2)
        for layer, padding in enumerate(self.paddings):
            weight, bias = params[2 * layer : 2 * layer + 2]
            h = F.conv2d(
                h, weight.flatten(0, 1), bias.flatten(), padding=padding, groups=nets
            ).relu()
            h = F.max_pool2d(h, 2)
        h = h.reshape(size, nets, -1).transpose(0, 1)
        for weight, bias in ((params[4], params[5]), (params[6], params[7])):
            h = torch.baddbmm(bias[:, None], h, weight.mT).relu()
        return h

    def head(self, params: Params, features: torch.Tensor) -> torch.Tensor:
        """Map features (K, B, 84) to logits (K, B, C)."""
        return torch.baddbmm(params[-1][:, None], features, params[-2].mT)

    def logits(self, params: Params, x: torch.Tensor) -> torch.Tensor:
        """Map images (K, B, channels, height, width) to logits (K, B, C)."""
        return self.head(params, self.features(params, x))
