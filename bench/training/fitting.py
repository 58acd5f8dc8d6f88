"""How stacks of functional nets are trained, and what they put out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

import msgspec
import torch
from torch.nn import functional as F

from bench.training.convnet import Net, Params
from bench.training.rows import taken

Augment = Callable[[torch.Tensor], torch.Tensor]


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How nets are trained, by SGD or AdamW, over so many steps.

    Attributes:
        steps: updates.
        optimiser: ``sgd`` or ``adamw``.
        lr: learning rate.
        momentum: of SGD, in [0, 1).
        weight_decay: of either.
        nesterov: Nesterov's momentum.
        schedule: ``constant``; ``cosine`` to 0; ``step``: a tenth after half of the steps, with a
            fresh optimiser, whose momentum starts from nothing (VICO-UoE/DatasetCondensation,
            utils.py).
    """

    steps: int
    optimiser: Literal["sgd", "adamw"] = "sgd"
    lr: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-4
    nesterov: bool = False
    schedule: Literal["constant", "cosine", "step"] = "constant"


def epochs_of(
    n: int, batch: int, epochs: int, orders: Sequence[torch.Generator]
) -> Iterator[torch.Tensor]:
    """Yield the rows of every step, (K, B): each net has an order of its own; where all rows fit in
    one batch they stay as they are, (1, n).
    """
    whole = torch.arange(n)[None]
    for _ in range(epochs):
        if n <= batch:
            yield whole
        else:
            yield from torch.stack([torch.randperm(n, generator=order) for order in orders]).split(
                batch, 1
            )


def passes_of(
    rows: Sequence[torch.Tensor], batch: int, steps: int, orders: Sequence[torch.Generator]
) -> Iterator[torch.Tensor]:
    """Yield the rows of every step, (K, batch), where net k goes again and again through
    ``rows[k]``, in a new order each time.

    All nets take equally many steps of equal size, however few rows they have; a batch may end one
    pass and begin the next.
    """
    needed = steps * batch
    lists = []
    for own, order in zip(rows, orders, strict=True):
        rounds = [
            own.cpu()[torch.randperm(len(own), generator=order)]
            for _ in range(math.ceil(needed / len(own)))
        ]
        lists.append(torch.cat(rounds)[:needed])
    yield from torch.stack(lists).split(batch, 1)


def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the mean cross entropy of each net, (K,), for logits (K, B,
    C) and labels (K, B) or class probabilities (K, B, C).
    """
    flat = targets.flatten(0, 1)
    return (
        F.cross_entropy(logits.flatten(0, 1), flat, reduction="none").view(logits.shape[:2]).mean(1)
    )


def fit(
    net: Net,
    params: Params,
    x: torch.Tensor,
    targets: torch.Tensor,
    batches: Iterable[torch.Tensor],
    recipe: Recipe,
    *,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = cross_entropy,
    augment: Augment | None = None,
    seen: Callable[[int, torch.Tensor, torch.Tensor], None] | None = None,
    watch: Callable[[int, Params], None] | None = None,
) -> Params:
    """Train K nets and return their parameters; those given are left alone.

    Args:
        net: what the parameters mean.
        params: where to start, tensors (K, ...).
        x: examples (n, ...).
        targets: labels (n,), or class probabilities (n, C), or whatever ``loss`` takes.
        batches: the rows of each step, (K, B), or (1, B) for all nets.
        recipe: the optimiser.
        loss: from outputs (K, B, C) and targets (K, B, ...) to one number a net.
        augment: changes a batch (K, B, ...).
        seen: called after each forward pass with the step, the rows and the detached logits.
        watch: called after each step with its number and the parameters, which it must leave alone.
    """
    own = [tensor.detach().clone().requires_grad_() for tensor in params]
    nets = len(own[0])
    optimiser = _optimiser(own, recipe, recipe.lr)
    for step, rows in enumerate(batches):
        if recipe.schedule == "cosine":
            optimiser.param_groups[0]["lr"] = (
                0.5 * recipe.lr * (1 + math.cos(math.pi * step / recipe.steps))
            )
        elif recipe.schedule == "step" and step == recipe.steps // 2 + 1:
            optimiser = _optimiser(own, recipe, recipe.lr / 10)
        batch = taken(x, rows).expand(nets, *[-1] * x.dim())
        logits = net.logits(own, batch if augment is None else augment(batch))
        optimiser.zero_grad(set_to_none=True)
        loss(logits, targets[rows].expand(nets, *[-1] * targets.dim())).sum().backward()
        optimiser.step()
        if seen is not None:
            seen(step, rows, logits.detach())
        if watch is not None:
            watch(step, own)
    return [tensor.detach() for tensor in own]


def _optimiser(params: Params, recipe: Recipe, lr: float) -> torch.optim.Optimizer:
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(params, lr=lr, weight_decay=recipe.weight_decay, fused=True)
    return torch.optim.SGD(
        params,
        lr=lr,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.nesterov,
        fused=True,
    )


@torch.no_grad()
def outputs(
    net: Net,
    params: Params,
    x: torch.Tensor,
    batch: int = 2048,
    what: Literal["logits", "features"] = "logits",
) -> torch.Tensor:
    """Return logits (K, n, C) or features (K, n, F) of every net for all
    examples (n, ...), without gradient.
    """
    nets = len(params[0])
    call = net.logits if what == "logits" else net.features
    return torch.cat(
        [call(params, part.expand(nets, *part.shape)) for part in x.split(max(1, batch // nets))], 1
    )
