"""The nets of the track: stacks of perceptrons whose members are read from, and written to, plain tables of weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from bench.training.stack import StackedMLP

Weights = Mapping[str, torch.Tensor]
"""One net: ``0.weight`` (out, in), ``0.bias`` (out,), ``1.weight`` ..., from the input to the output layer."""


class Nets(StackedMLP):
    """Equal perceptrons side by side; parameters carry a leading member axis."""

    @classmethod
    def of(cls, weights: Sequence[Weights], device: torch.device) -> Nets:
        """Stack copies of given nets, drawing nothing."""
        nets = cls.__new__(cls)
        nn.Module.__init__(nets)
        nets.members = len(weights)
        depth = len(weights[0]) // 2
        nets.weights = nn.ParameterList(nn.Parameter(torch.stack([net[f"{layer}.weight"] for net in weights]).to(device)) for layer in range(depth))
        nets.biases = nn.ParameterList(nn.Parameter(torch.stack([net[f"{layer}.bias"] for net in weights])[:, None].to(device)) for layer in range(depth))
        return nets

    def copy(self) -> Nets:
        """Return a copy that shares nothing and needs no gradient."""
        return Nets.of([self.net(k) for k in range(self.members)], self.weights[0].device).requires_grad_(False)

    def net(self, k: int) -> dict[str, torch.Tensor]:
        """Return a copy of member ``k`` as a table of weights."""
        table = {}
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            table[f"{layer}.weight"], table[f"{layer}.bias"] = weight.detach()[k].clone(), bias.detach()[k, 0].clone()
        return table

    def layers(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return what each layer puts out for inputs (K, B, ...): hidden ones after their ReLU, (K, B, width), the last one as it is."""
        x, outputs = x.flatten(2), []
        for position, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, x, weight.mT)
            x = x.relu() if position < len(self.weights) - 1 else x
            outputs.append(x)
        return outputs

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last hidden layer of inputs (K, B, ...), (K, B, width)."""
        return self.layers(x)[-2]

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Return the outputs of ``features``."""
        return torch.baddbmm(self.biases[-1], features, self.weights[-1].mT)
