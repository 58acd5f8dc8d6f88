"""The forward pass of a stack of nets in parts, for methods that act on hidden layers."""

from __future__ import annotations

from collections.abc import Callable

import torch

from bench.training.stack import StackedMLP, StackedNet, affine

__all__ = ["Stage", "last_layer", "stages"]

Stage = Callable[[torch.Tensor], torch.Tensor]


def stages(nets: StackedNet) -> list[Stage]:
    """Return the forward pass of ``nets`` as maps to be applied one after the other.

    Of a perceptron each hidden layer with its ReLU is a stage, of another net all but its last
    layer is one; the last layer is the last stage. Inputs are (K, B, ...), what passes between
    stages is (K, B, D).
    """
    if not isinstance(nets, StackedMLP):
        return [nets.features, nets.head]
    layers = list(zip(nets.weights, nets.biases, strict=True))[:-1]
    hidden: list[Stage] = [
        lambda x, weight=weight, bias=bias: affine(x.flatten(2), weight, bias).relu_()  # type: ignore[misc]
        for weight, bias in layers
    ]
    return [*hidden, nets.head]


def last_layer(nets: StackedNet) -> torch.nn.Parameter:
    """Return the weights of the last layer of ``nets``, (K, C, D)."""
    weight = nets.weights[-1] if isinstance(nets, StackedMLP) else nets.weight
    assert isinstance(weight, torch.nn.Parameter), "every stack has a last layer"
    return weight
