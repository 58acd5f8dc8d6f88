"""The nets of the track: stacks whose members are read from, and written
to, plain tables of tensors.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Self

import msgspec
import torch
from torch import nn

from bench.training import tuned
from bench.training.convstack import PlainNet, StackedConvNet
from bench.training.nets import plain
from bench.training.stack import StackedMLP, StackedNet, affine

Weights = Mapping[str, torch.Tensor]
"""One net: of a perceptron ``0.weight`` (out, in), ``0.bias`` (out,), ``1.weight`` ..., from the
input to the output layer; of another net
the parameters and buffers of the ordinary module, by its names.
"""


class Nets(StackedNet):
    """M equal nets side by side, as methods handle them: parameters and
    buffers carry a leading member axis.
    """

    def net(self, k: int) -> dict[str, torch.Tensor]:
        """Return a copy of member ``k`` as a table of tensors, of the
        shapes that ``Weights`` says.
        """
        raise NotImplementedError

    def copy(self) -> Self:
        """Return a copy in eval mode that shares nothing and needs no gradient."""
        return copy.deepcopy(self).requires_grad_(False).eval()

    def matrices(self) -> list[nn.Parameter]:
        """Return the weights of linear and convolutional layers: (M, out,
        in) or (M, out, in, h, w).
        """
        raise NotImplementedError

    def extractor(self) -> list[nn.Parameter]:
        """Return the parameters of all but the last layer."""
        raise NotImplementedError

    def last(self, k: int) -> list[nn.Parameter]:
        """Return the parameters of the last ``k`` layers; all, where there are no more."""
        raise NotImplementedError

    def into(self, features: torch.Tensor, outputs: torch.Tensor) -> list[torch.Tensor]:
        """Return for each parameter, (M, P), 1 for what leads into the
        features (M, D) and outputs (M, C) that are 1, else 0.
        """
        raise NotImplementedError


class Perceptrons(StackedMLP, Nets):
    """Perceptrons."""

    @classmethod
    def of(cls, weights: Sequence[Weights], device: torch.device) -> Perceptrons:
        """Stack copies of given nets, drawing nothing."""
        nets = cls.__new__(cls)
        nn.Module.__init__(nets)
        nets.members = len(weights)
        depth = len(weights[0]) // 2
        nets.weights = nn.ParameterList(
            nn.Parameter(torch.stack([net[f"{layer}.weight"] for net in weights]).to(device))
            for layer in range(depth)
        )
        nets.biases = nn.ParameterList(
            nn.Parameter(torch.stack([net[f"{layer}.bias"] for net in weights])[:, None].to(device))
            for layer in range(depth)
        )
        return nets

    def net(self, k: int) -> dict[str, torch.Tensor]:
        """Return a copy of member ``k`` as a table of tensors, of the
        shapes that ``Weights`` says.
        """
        table = {}
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            table[f"{layer}.weight"], table[f"{layer}.bias"] = (
                weight.detach()[k].clone(),
                bias.detach()[k, 0].clone(),
            )
        return table

    def layers(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return what each layer puts out for inputs (M, B, ...): hidden
        ones after their ReLU, (M, B, width), the last one as it is.
        """
        x, outputs = x.flatten(2), []
        for position, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = affine(x, weight, bias)
            x = x.relu() if position < len(self.weights) - 1 else x
            outputs.append(x)
        return outputs

    def matrices(self) -> list[nn.Parameter]:
        """Return the weights of the layers."""
        return list(self.weights)

    def extractor(self) -> list[nn.Parameter]:
        """Return the parameters of all but the last layer."""
        return [*self.weights[:-1], *self.biases[:-1]]

    def last(self, k: int) -> list[nn.Parameter]:
        """Return the parameters of the last ``k`` layers; all, where there are no more."""
        return [*self.weights[-k:], *self.biases[-k:]]

    def into(self, features: torch.Tensor, outputs: torch.Tensor) -> list[torch.Tensor]:
        """Return for each parameter (M, P) what leads into units (M, D) of
        the last hidden layer and outputs (M, C): 1, else 0.
        """
        parts = [torch.zeros_like(parameter).flatten(1) for parameter in self.parameters()]
        depth = len(self.weights)
        for layer, mask in ((depth - 2, features), (depth - 1, outputs)):
            parts[layer] = mask[:, :, None].expand(-1, -1, self.weights[layer].shape[2]).flatten(1)
            parts[depth + layer] = mask
        return parts


class ConvNets(StackedConvNet, Nets):
    """Convolutional nets."""

    def net(self, k: int) -> dict[str, torch.Tensor]:
        """Return a copy of member ``k`` as a table of tensors, of the
        shapes that ``Weights`` says.
        """
        body = {
            f"body.{name}": tensor.detach()[k].clone() for name, tensor in self._tensors().items()
        }
        return body | {
            "linear.weight": self.weight.detach()[k].clone(),
            "linear.bias": self.bias.detach()[k, 0].clone(),
        }

    def _kernels(self) -> list[nn.Parameter]:
        return [parameter for parameter in self.extractor() if parameter.dim() == 5]

    def matrices(self) -> list[nn.Parameter]:
        """Return the kernels, and the weight of the last layer."""
        return [*self._kernels(), self.weight]

    def extractor(self) -> list[nn.Parameter]:
        """Return the parameters of the body."""
        return [
            parameter
            for parameter in self.parameters()
            if parameter is not self.weight and parameter is not self.bias
        ]

    def last(self, k: int) -> list[nn.Parameter]:
        """Return the last layer's parameters and, of the body, what is registered from its kernel k
        - 1 counted from the end on; all, where there are no more.
        """
        body, kernels = self.extractor(), self._kernels()
        first = (
            len(body)
            if k == 1
            else 0
            if k > len(kernels)
            else next(place for place, part in enumerate(body) if part is kernels[1 - k])
        )
        return [*body[first:], self.weight, self.bias]

    def into(self, features: torch.Tensor, outputs: torch.Tensor) -> list[torch.Tensor]:
        """Return what leads into channels of the last convolution that is
        no shortcut, its BatchNorm's, and into outputs.
        """
        last = [kernel for kernel in self._kernels() if kernel.shape[-1] > 1][-1]
        norms = [parameter for parameter in self.extractor() if parameter.dim() == 2][-2:]
        found = []
        for parameter in self.parameters():
            if parameter is self.weight or parameter is self.bias:
                mask = (
                    outputs if parameter is self.bias else outputs[:, :, None].expand_as(parameter)
                )
            elif parameter is last or any(parameter is norm for norm in norms):
                mask = features.view(*features.shape, *[1] * (parameter.dim() - 2)).expand_as(
                    parameter
                )
            else:
                mask = torch.zeros_like(parameter)
            found.append(mask.flatten(1))
        return found


class Architecture(msgspec.Struct, frozen=True, kw_only=True):
    """The form of a net.

    Attributes:
        net: one of :data:`bench.training.nets.NETS`.
        shape: of one input.
        widths: of the hidden layers of ``mlp``, or channels of the stages of another net; () for
            the net's own.
        outputs: C.
        batch: rows of a usual batch, for the choice of how a stack of convolutional nets computes.
    """

    net: str = "mlp"
    shape: tuple[int, ...]
    widths: tuple[int, ...]
    outputs: int
    batch: int = 128

    @property
    def sizes(self) -> tuple[int, ...]:
        """Widths of all layers of a perceptron, from input to output."""
        return (math.prod(self.shape), *self.widths, self.outputs)

    def fresh(self, inits: Sequence[AbstractContextManager[None]], device: torch.device) -> Nets:
        """Return nets drawn inside one context a member.

        Raises:
            BenchError: there is no such net, or its inputs or widths do not fit it.
        """
        if self.net == "mlp":
            return Perceptrons(self.sizes, inits, device)
        return self._stack([self._plain(init) for init in inits], device)

    def of(self, weights: Sequence[Weights], device: torch.device) -> Nets:
        """Stack copies of given nets, drawing nothing."""
        if self.net == "mlp":
            return Perceptrons.of(weights, device)
        members = [self._plain(torch.device("meta")) for _ in weights]
        for member, table in zip(members, weights, strict=True):
            # Not strict: BatchNorm adds its counter to a table without version, and then finds that
            # it has none.
            missing = member.load_state_dict(table, strict=False, assign=True).missing_keys
            assert not missing, f"the table of a net lacks {missing}"
        return self._stack(members, device)

    def _plain(self, init: AbstractContextManager[Any]) -> PlainNet:
        with init:
            return plain(self.net, self.shape, self.outputs, self.widths)

    def _stack(self, members: Sequence[PlainNet], device: torch.device) -> ConvNets:
        form = tuned.choice(
            f"nets/{self.net}",
            device,
            batch=self.batch,
            channels=self.shape[0],
            side=self.shape[1],
            bits=32,
        )
        return ConvNets(members, device, form)


def restrict(nets: Nets, masks: Sequence[torch.Tensor]) -> None:
    """Multiply every gradient of ``nets`` by its mask, of the parameter's shape, as it comes."""
    for parameter, mask in zip(nets.parameters(), masks, strict=True):
        parameter.register_hook(mask.mul)
