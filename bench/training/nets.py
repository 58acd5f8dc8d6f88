"""The standard nets, plain and stacked: ``mlp``, ``cnn``, ``resnet18``, ``resnet34``,
``preactresnet18`` (these three with the CIFAR stem).

A stack of convolutional nets computes in one of several forms, which agree up to rounding:

- ``sequence``: one member after the other. On a CPU a member's bits are those of the plain net,
  whatever stands beside it.
- ``grouped``: all members in one convolution with a group each, their channels side by side.
- ``vmap``: ``torch.func.vmap`` over the plain net.

``sequence-last`` and ``grouped-last`` keep the channels of pictures and kernels innermost in
memory. On a CPU only ``sequence`` is offered: grouped kernels choose their blocking by the total
number of channels, so that a member's bits would depend on K, and with channels innermost torch
2.13's backward of a 1x1 convolution writes beyond its memory at some widths. On a GPU the tuned
table chooses by net and shape, and never by K.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn
from torch.func import functional_call, vmap
from torch.nn import functional as F

from bench.errors import BenchError, near
from bench.training import nets_tuned, tuned
from bench.training.bodies import BODIES
from bench.training.stack import MemberNet, StackedMLP, StackedNet, affine

__all__ = ["FORMS", "NETS", "MemberNet", "PlainNet", "StackedNet", "build", "plain", "vote"]

NETS = ("mlp", *BODIES)
"""The names of the nets."""

FORMS = ("sequence", "sequence-last", "grouped", "grouped-last", "vmap")
"""The forms of a stack of convolutional nets."""

_MLP_WIDTHS = (256,)


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


def plain(net: str, shape: Sequence[int], n_classes: int, widths: Sequence[int] = ()) -> PlainNet:
    """Return one convolutional net as an ordinary module, drawn from the global streams as they
    stand; ``build`` stacks nets equal to it.

    Raises:
        BenchError: there is no such net, or its inputs or widths do not fit it.
    """
    _check(net, shape, widths)
    return PlainNet(net, shape[0], n_classes, widths)


def build(
    net: str,
    shape: Sequence[int],
    n_classes: int,
    inits: Sequence[AbstractContextManager[None]],
    device: torch.device,
    *,
    widths: Sequence[int] = (),
    batch: int = 128,
    bits: int = 32,
    form: str | None = None,
) -> StackedNet:
    """Return K nets as one module.

    Args:
        net: one of :data:`NETS`.
        shape: of one input; (channels, height, width) for all but ``mlp``, which flattens what it
            gets.
        n_classes: outputs.
        inits: one context a member, inside which it is drawn, with the values that the plain net
            would get there.
        device: where it lives.
        widths: of the hidden layers of ``mlp``, or channels of the stages of another; () for the
            net's own.
        batch: rows of a usual batch, for the choice of the form.
        bits: 16: the body computes in bfloat16 (autocast) and hands on float32; parameters are
            float32 in any case. Not for ``mlp``.
        form: take this form instead of the tuned table's.

    Raises:
        BenchError: there is no such net, or its inputs or widths do not fit it.
    """
    if net == "mlp":
        if bits != 32:
            raise BenchError(
                "the net 'mlp' computes in float32 alone, its layers are too small to gain; take "
                "precision float32, or a convolutional net."
            )
        return StackedMLP((math.prod(shape), *(widths or _MLP_WIDTHS), n_classes), inits, device)
    _check(net, shape, widths)
    members = []
    for init in inits:
        with init:
            members.append(PlainNet(net, shape[0], n_classes, widths))
    chosen = form or tuned.choice(
        f"nets/{net}", device, batch=batch, channels=shape[0], side=shape[1], bits=bits
    )
    return StackedConvNet(members, device, chosen, bits)


def vote(
    members: Sequence[Callable[[torch.Tensor], torch.Tensor]],
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return several classifiers as one: the logarithm of the mean of their probabilities."""

    def together(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([member(x).softmax(-1) for member in members]).mean(0).log()

    return together


def _check(net: str, shape: Sequence[int], widths: Sequence[int]) -> None:
    if net not in BODIES:
        raise BenchError(
            f"there is no net {net!r}.{near(net, NETS)} The nets are {', '.join(NETS)}."
        )
    if len(shape) != 3:
        raise BenchError(
            f"the net {net!r} reads pictures (channels, height, width), but an input has the "
            f"shape {tuple(shape)}; take the net 'mlp'."
        )
    if net != "cnn" and len(widths) > len(BODIES[net][0]):
        raise BenchError(
            f"the net {net!r} has {len(BODIES[net][0])} stages, but {len(widths)} widths were "
            "given."
        )


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


def _pictures(channels: int, side: int, batch: int, bits: int = 32) -> tuned.Shape:
    return {"batch": batch, "channels": channels, "side": side, "bits": bits}


_CIFAR = tuple(_pictures(3, 32, batch, bits) for batch in (128, 512) for bits in (32, 16))
_SMALL = (_pictures(1, 8, 128), _pictures(1, 28, 128))


def _register(net: str, first: str, shapes: Sequence[tuned.Shape]) -> None:
    """Offer every form on a GPU, ``first`` until one has been measured,
    and on a CPU the one that keeps members' bits apart.
    """
    forms = {"cpu": ("sequence",), "cuda": (first, *(form for form in FORMS if form != first))}

    @tuned.tunable(f"nets/{net}", candidates=forms, shapes={"cuda": shapes}, table=nets_tuned)
    def prepare(
        candidate: str, device: torch.device, *, batch: int, channels: int, side: int, bits: int
    ) -> Callable[[], None]:
        nets = build(
            net,
            (channels, side, side),
            10,
            [contextlib.nullcontext()] * 4,
            device,
            bits=bits,
            form=candidate,
        )
        optimiser = torch.optim.SGD(
            nets.parameters(), lr=0.01, momentum=0.9, fused=device.type == "cuda"
        )
        x = torch.randn(4, batch, channels, side, side, device=device)
        y = torch.randint(10, (4 * batch,), device=device)

        def step() -> None:
            optimiser.zero_grad(set_to_none=True)
            F.cross_entropy(nets(x).flatten(0, 1), y).backward()
            optimiser.step()

        return step


_register("cnn", "grouped", (*_SMALL, *_CIFAR))  # small layers: what costs is launching them
for _net in ("resnet18", "resnet34", "preactresnet18"):
    # large ones: grouped kernels are poor at many channels a group
    _register(_net, "sequence-last", _CIFAR)
