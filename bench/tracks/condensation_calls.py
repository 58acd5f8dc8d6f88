"""How many images a net is shown in one call where no gradient is taken.

A net's features of an image do not depend on its companions, so this is a matter of time alone.
"""

from __future__ import annotations

from typing import Literal

import torch

from bench.training.convnet import Net, Params
from bench.training.fitting import outputs

CACHED_PIXELS = 20_480
"""Pixels of a picture plane that a net and call take on a CPU: more leave its cache, which made
images of 28x28 cost three times as much.
"""


def images_a_call(x: torch.Tensor) -> int:
    """Return how many of the images (..., height, width) a net is shown at once: on a CPU what its
    cache holds, elsewhere 2,560.
    """
    plane = x.shape[-2] * x.shape[-1]
    return max(1, CACHED_PIXELS // plane) if x.device.type == "cpu" else 2560


def seen(
    net: Net, params: Params, x: torch.Tensor, what: Literal["logits", "features"] = "logits"
) -> torch.Tensor:
    """Return logits (K, n, C) or features (K, n, F) of K nets for images (n, channels, height,
    width), without gradient, in calls of :func:`images_a_call` images.
    """
    nets = len(params[0])
    whole = nets * images_a_call(x) if x.device.type == "cpu" else 2048
    return outputs(net, params, x, batch=whole, what=what)
