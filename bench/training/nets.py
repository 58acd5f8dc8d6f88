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
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import torch
from torch.nn import functional as F

from bench.errors import BenchError, near
from bench.training import nets_tuned, tuned
from bench.training.bodies import BODIES
from bench.training.convstack import FORMS, PlainNet, StackedConvNet
from bench.training.stack import MemberNet, StackedMLP, StackedNet

__all__ = ["NETS", "MemberNet", "StackedNet", "build", "plain", "vote"]

NETS = ("mlp", *BODIES)
"""The names of the nets."""


_MLP_WIDTHS = (256,)


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
