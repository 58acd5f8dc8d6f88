"""Convolutional nets, one by itself and several as one module."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.func import functional_call, vmap
from torch.nn import functional as F

from bench.errors import BenchError
from bench.training.bodies import BODIES
from bench.training.stack import MemberNet, StackedNet, affine

FORMS = ("sequence", "sequence-last", "grouped", "grouped-last", "vmap")
"""The forms of a stack of convolutional nets."""


class PlainNet(nn.Module):
    """A convolutional net by itself: a body from pictures to features, and a linear layer.

    Drawn from the global stream, body first.
    """

    def __init__(self, net: str, channels: int, classes: int, widths: Sequence[int] = ()) -> None:
        super().__init__()
        own, make = BODIES[net]
        self.body = make(channels, widths or own)
        self.linear = nn.Linear(self.body.width, classes)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Map pictures (B, channels, H, W) to what the last layer reads, (B, D)."""
        found: torch.Tensor = self.body(x)
        return found

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Map features (B, D) to outputs (B, C)."""
        found: torch.Tensor = self.linear(features)
        return found

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map pictures (B, channels, H, W) to outputs (B, C)."""
        return self.head(self.features(x))


class StackedConvNet(StackedNet):
    """K convolutional nets.

    BatchNorm is each member's own, in statistics and in the rows it averages over.

    Attributes:
        form: one of :data:`FORMS`.
        bf16: the body computes in bfloat16.
        norm_frozen: True: BatchNorm uses its running statistics and leaves them, also in training.
    """

    def __init__(
        self, members: Sequence[PlainNet], device: torch.device, form: str, bits: int = 32
    ) -> None:
        super().__init__()
        self.members, self.form, self.norm_frozen, self.bf16 = len(members), form, False, bits == 16
        if form not in FORMS:
            raise BenchError(
                f"there is no form {form!r} of a stack; the forms are {', '.join(FORMS)}."
            )
        self._layout = torch.channels_last if form.endswith("-last") else torch.contiguous_format
        body = copy.deepcopy(members[0].body).to("meta")
        # in a tuple, so that the meta tensors are no parameters of this module
        self._body = (body,)
        self._parameter_names = {
            name: f"body_{name.replace('.', '_')}" for name, _ in body.named_parameters()
        }
        self._buffer_names = {
            name: f"body_{name.replace('.', '_')}" for name, _ in body.named_buffers()
        }
        if device.type == "cpu" and form.endswith("-last"):
            raise BenchError(
                f"the form {form!r} is not safe on a CPU, where kernels with channels innermost "
                f"corrupt memory; take {form.removesuffix('-last')!r}."
            )
        own = [
            dict(member.body.named_parameters()) | dict(member.body.named_buffers())
            for member in members
        ]
        for name, attribute in self._parameter_names.items():
            self.register_parameter(
                attribute,
                nn.Parameter(self._stacked([tensors[name].detach() for tensors in own], device)),
            )
        for name, attribute in self._buffer_names.items():
            self.register_buffer(
                attribute, self._stacked([tensors[name] for tensors in own], device)
            )
        self.weight = nn.Parameter(
            torch.stack([member.linear.weight.detach() for member in members]).to(device)
        )
        self.bias = nn.Parameter(
            torch.stack([member.linear.bias.detach()[None] for member in members]).to(device)
        )

    def _stacked(self, tensors: Sequence[torch.Tensor], device: torch.device) -> torch.Tensor:
        whole = torch.cat(list(tensors)).to(device)
        whole = whole.contiguous(memory_format=self._layout) if whole.dim() == 4 else whole
        return whole.view(len(tensors), -1, *whole.shape[1:])

    def _tensors(self) -> dict[str, torch.Tensor]:
        return {
            name: getattr(self, attribute)
            for name, attribute in (self._parameter_names | self._buffer_names).items()
        }

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Map pictures (K, B, channels, H, W) to what the last layer reads, (K, B, D)."""
        self._body[0].train(self.training and not self.norm_frozen)
        if not self.bf16:
            return self._features(x)
        with torch.autocast(x.device.type, torch.bfloat16):
            return self._features(x).float()

    def _features(self, x: torch.Tensor) -> torch.Tensor:
        body, tensors = self._body[0], self._tensors()
        found: torch.Tensor
        if self.form.startswith("grouped"):
            together = x.transpose(0, 1).flatten(1, 2).contiguous(memory_format=self._layout)
            flat: torch.Tensor = functional_call(
                body, {name: tensor.flatten(0, 1) for name, tensor in tensors.items()}, (together,)
            )
            found = flat.unflatten(1, (self.members, -1)).transpose(0, 1)
        elif self.form == "vmap":
            found = vmap(lambda own, rows: functional_call(body, own, (rows,)))(tensors, x)
        else:
            parts = {name: tensor.unbind() for name, tensor in tensors.items()}
            rows = [part.contiguous(memory_format=self._layout) for part in x.unbind()]
            found = torch.stack(
                [
                    functional_call(
                        body, {name: part[k] for name, part in parts.items()}, (rows[k],)
                    )
                    for k in range(self.members)
                ]
            )
        return found

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Map features (K, B, D) to outputs (K, B, C)."""
        if self.form.startswith("sequence"):
            own = zip(features.unbind(), self.weight.unbind(), self.bias.unbind(), strict=True)
            return torch.stack([F.linear(rows, weight, bias[0]) for rows, weight, bias in own])
        return affine(features, self.weight, self.bias)

    def member(self, k: int) -> MemberNet:
        """Return member ``k`` as a net of its own."""
        return _MemberConvNet(self, k)


class _MemberConvNet(MemberNet):
    def __init__(self, stack: StackedConvNet, k: int) -> None:
        super().__init__()
        self._body, self._layout, self._bf16 = stack._body, stack._layout, stack.bf16
        self._tensors = {name: tensor.detach()[k] for name, tensor in stack._tensors().items()}
        self._head = (stack.weight.detach()[k], stack.bias.detach()[k, 0])
        self.eval()

    def __deepcopy__(self, memo: dict[int, Any]) -> _MemberConvNet:
        """Return a snapshot; a plain deep copy of the views would copy all members."""
        twin = copy.copy(self)
        twin._tensors = {name: tensor.clone() for name, tensor in self._tensors.items()}
        twin._head = (self._head[0].clone(), self._head[1].clone())
        return twin

    def features(self, x: torch.Tensor) -> torch.Tensor:
        self._body[0].train(self.training)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self._bf16):
            found: torch.Tensor = functional_call(
                self._body[0], self._tensors, (x.contiguous(memory_format=self._layout),)
            )
        return found.float() if self._bf16 else found

    def head(self, features: torch.Tensor) -> torch.Tensor:
        return F.linear(features, *self._head)
