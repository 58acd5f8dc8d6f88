"""A small net that a task trains and hands to every method as it is, with its features and its
last layer.

It is trained once for a seed, as an artifact of the task, and no method is charged for it. So
methods that read a trained net differ by what they make of it alone.

Shapes: n rows, C classes, D features.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import torch

from bench.runs.context import Run
from bench.runs.guard import fingerprint
from bench.training import nets, optimisers
from bench.training.fitting import cross_entropy, epochs_of
from bench.training.schedules import Schedule
from bench.training.stack import MemberNet, StackedNet
from bench.training.state import streams

__all__ = ["FixedNet", "Recipe", "descended", "fixed_net", "outputs", "trained"]

_PART = 2048
"""Rows that a net reads at once."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How a net is built and trained: AdamW, its rate falling to 0 along half a cosine.

    Attributes:
        net: one of :data:`bench.training.nets.NETS`.
        widths: of the hidden layers of ``mlp``, or channels of the stages of another net.
        epochs: passes over the rows.
        batch_size: rows of a step.
        lr: learning rate at the start.
        weight_decay: of AdamW.
    """

    net: str = "mlp"
    widths: tuple[int, ...] = (256, 256)
    epochs: int = 15
    batch_size: int = 128
    lr: float = 1e-3
    weight_decay: float = 0.01


class FixedNet(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A trained net. Calling it gives logits (n, C) of rows (n, ...), in eval mode; gradients reach
    the rows and not the net.

    Attributes:
        net: the standard net, one of :data:`bench.training.nets.NETS`.
        shape: of one row.
        n_classes: C.
        widths: of the hidden layers of ``mlp``, or channels of the stages of another net.
        weights: the state of a stack of one such net, by name: tensors (1, ...).
    """

    net: str
    shape: tuple[int, ...]
    n_classes: int
    widths: tuple[int, ...]
    weights: dict[str, torch.Tensor]

    @classmethod
    def of(cls, nets: StackedNet, like: FixedNet) -> FixedNet:
        """Return a stack of one net, of the form of ``like``, with its weights as they are now."""
        weights = {name: tensor.detach().clone() for name, tensor in nets.state_dict().items()}
        return msgspec.structs.replace(like, weights=weights)

    def copy(self) -> StackedNet:
        """Return a stack of one net with copies of these weights, to be trained on."""
        device = next(iter(self.weights.values())).device
        stack = _fresh(self.net, self.shape, self.n_classes, self.widths, streams(0), device)
        stack.load_state_dict(self.weights)
        return stack

    @functools.cached_property
    def _member(self) -> MemberNet:
        return self.copy().eval().member(0)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Map rows (n, ...) to logits (n, C)."""
        return self.head(self.features(x))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Map rows (n, ...) to what the last layer reads, (n, D)."""
        return self._member.features(x)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        """Map features (n, D) to logits (n, C)."""
        return self._member.head(features)

    @property
    def head_weight(self) -> torch.Tensor:
        """Weights of the last layer (C, D)."""
        return self._last("weight", "weights")[0]

    @property
    def head_bias(self) -> torch.Tensor:
        """Biases of the last layer (C,)."""
        return self._last("bias", "biases")[0, 0]

    def _last(self, name: str, names: str) -> torch.Tensor:
        """Return a tensor of the last layer, which a convolutional net has by name and a perceptron
        as the last of its list.
        """
        return self.weights.get(name, self.weights.get(f"{names}.{len(self.widths)}"))  # type: ignore[return-value]


def fixed_net(
    x: torch.Tensor, y: torch.Tensor, n_classes: int, recipe: Recipe, run: Run, which: int = 0
) -> FixedNet:
    """Return a net trained on these rows, as an artifact that is built once for a seed.

    A task calls it in ``prepare``, where no method is charged.

    Args:
        x: rows (n, ...), float32, as the net shall read them.
        y: labels (n,), int64.
        n_classes: C.
        recipe: the net and its training.
        run: of the task.
        which: another number gives a net of another start and another order of rows.
    """
    own = {name: getattr(recipe, name) for name in recipe.__struct_fields__}
    key = {
        "fixed-net": recipe.net,
        "seed": run.seed,
        "which": which,
        "rows": fingerprint({"x": x, "y": y}),
        "classes": n_classes,
        **{name: list(v) if isinstance(v, tuple) else str(v) for name, v in own.items()},
    }
    weights, _ = run.cached(key, functools.partial(_weights, x, y, n_classes, recipe, which))
    return _net_of(x, n_classes, recipe, weights)


def trained(
    x: torch.Tensor, y: torch.Tensor, n_classes: int, recipe: Recipe, run: Run, *axes: int | str
) -> FixedNet:
    """Return a net trained on these rows, anew, from the streams ``init`` and ``order`` of the run.

    Args:
        x: rows (n, ...), float32.
        y: labels (n,), int64.
        n_classes: C.
        recipe: the net and its training.
        run: gives the streams.
        axes: of the streams, so that one run can train several nets.
    """
    shape = tuple(x.shape[1:])
    stack = _fresh(recipe.net, shape, n_classes, recipe.widths, run.seeded("init", *axes), x.device)
    order = run.torch_generator("order", *axes, device="cpu")
    batches = epochs_of(len(x), recipe.batch_size, recipe.epochs, [order])
    descended(
        stack,
        [rows[0].to(x.device) for rows in batches],
        recipe,
        lambda rows: cross_entropy(stack(x[rows][None]), y[rows][None]),
    )
    weights = {name: tensor.detach().clone() for name, tensor in stack.state_dict().items()}
    return _net_of(x, n_classes, recipe, weights)


def _weights(
    x: torch.Tensor, y: torch.Tensor, n_classes: int, recipe: Recipe, which: int, run: Run
) -> dict[str, torch.Tensor]:
    return trained(x, y, n_classes, recipe, run, which).weights


def _net_of(
    x: torch.Tensor, n_classes: int, recipe: Recipe, weights: dict[str, torch.Tensor]
) -> FixedNet:
    return FixedNet(
        net=recipe.net,
        shape=tuple(x.shape[1:]),
        n_classes=n_classes,
        widths=recipe.widths,
        weights=weights,
    )


def descended(
    stack: StackedNet | torch.nn.Module,
    batches: Iterable[Any],
    recipe: Recipe,
    loss: Callable[[Any], torch.Tensor],
) -> None:
    """Train in place, a step a batch, and leave the net in eval mode.

    Args:
        stack: what is trained.
        batches: what ``loss`` takes at each step, like numbers of rows (B,).
        recipe: rate and decay; net, epochs and batch size are the caller's to keep.
        loss: the loss of a batch, of any shape; its sum is descended.
    """
    batches = list(batches)
    optimiser = torch.optim.AdamW(
        stack.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay
    )
    schedule = Schedule()
    stack.train()
    for step, batch in enumerate(batches):
        optimisers.set_rate(optimiser, schedule.rate(recipe.lr, 0, step / len(batches)))
        optimiser.zero_grad(set_to_none=True)
        loss(batch).sum().backward()
        optimiser.step()
    stack.eval()


@torch.no_grad()
def outputs(
    function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, part: int = _PART
) -> torch.Tensor:
    """Return what a function such as ``net.features`` gives for rows (n, ...), part by part,
    without gradient: (n, ...) of its own last axes.
    """
    return torch.cat([function(rows) for rows in x.split(part)])


def _fresh(
    net: str,
    shape: tuple[int, ...],
    n_classes: int,
    widths: tuple[int, ...],
    init: Any,
    device: torch.device,
) -> StackedNet:
    return nets.build(net, shape, n_classes, [init], device, widths=widths)
