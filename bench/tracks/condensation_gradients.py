"""Distances between the gradients that real and synthetic images give."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from torch.func import grad, vmap
from torch.nn import functional as F

from bench.tracks.condensation_calls import images_a_call
from bench.training.convnet import Net, Params
from bench.training.fitting import cross_entropy


def distance(
    a: Iterable[torch.Tensor],
    b: Iterable[torch.Tensor],
    metric: Literal["ours", "mse", "cos"] = "ours",
) -> torch.Tensor:
    """Return the distance of two gradients, summed over their G groups (classes, or 1).

    Args:
        a: for each parameter its gradients (G, ...).
        b: likewise.
        metric: ``ours``: 1 - cosine, summed over the rows of every weight, where a row belongs to
            one output; biases, scales and shifts count nothing. ``cos``: 1 - cosine, and ``mse``:
            squared distance, of all parameters as one vector.

    Source: arXiv:2006.05929, eq. 7; VICO-UoE/DatasetCondensation, utils.py, distance_wb.
    """
    pairs = list(zip(a, b, strict=True))
    if metric == "mse":
        return torch.stack([(one - two).square().sum() for one, two in pairs]).sum()
    if metric == "cos":
        return _unlike(
            *(torch.cat([pair[side].flatten(1) for pair in pairs], 1) for side in (0, 1))
        )
    return torch.stack(
        [
            _unlike(one.flatten(0, 1).flatten(1), two.flatten(0, 1).flatten(1))
            for one, two in pairs
            if one.dim() > 2
        ]
    ).sum()


def _unlike(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Sum 1 - <a, b> / (|a| |b| + 1e-6) over rows.

    The small number stands beside the product, so a zero row costs 1 and has a gradient.
    """
    unlike: torch.Tensor = 1 - (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1) + 1e-6)
    return unlike.sum()


def class_gradients(
    net: Net, params: Params, x: torch.Tensor, backend: str, graph: bool
) -> list[torch.Tensor]:
    """Return for every class the gradient of its mean cross entropy, all at the same weights: for
    each parameter (C, ...).

    Args:
        net: what the parameters mean.
        params: one net, tensors (1, ...).
        x: images class by class, (C, B, ...).
        backend: ``loop``, ``grouped`` or ``vmap``.
        graph: whether the gradients are to be differentiated again.
    """
    classes = len(x)
    labels = torch.arange(classes, device=x.device)[:, None].expand(classes, x.shape[1])
    if backend == "vmap":

        def loss(
            own: tuple[torch.Tensor, ...], images: torch.Tensor, label: torch.Tensor
        ) -> torch.Tensor:
            return F.cross_entropy(
                net.logits([tensor[None] for tensor in own], images[None])[0], label
            )

        with torch.set_grad_enabled(graph):
            return list(
                vmap(grad(loss), in_dims=(None, 0, 0))(
                    tuple(tensor[0].detach() for tensor in params), x, labels
                )
            )
    if backend == "loop":
        return _joined(
            [_gradient(net, params, x[c : c + 1], labels[c : c + 1], graph) for c in range(classes)]
        )
    return list(
        _gradient(
            net, [tensor.expand(classes, *tensor.shape[1:]) for tensor in params], x, labels, graph
        )
    )


def _joined(parts: list[tuple[torch.Tensor, ...]]) -> list[torch.Tensor]:
    return [torch.cat(tensors) for tensors in zip(*parts, strict=True)]


def _gradient(
    net: Net, params: Params, x: torch.Tensor, labels: torch.Tensor, graph: bool
) -> tuple[torch.Tensor, ...]:
    """The gradient of each net's own mean cross entropy."""
    own = [tensor.detach().requires_grad_() for tensor in params]
    return torch.autograd.grad(
        cross_entropy(net.logits(own, x), labels).sum(), own, create_graph=graph
    )


def balanced_gradient(net: Net, params: Params, x: torch.Tensor, graph: bool) -> list[torch.Tensor]:
    """Return the mean over classes of the class gradients, (1, ...): the gradient of one balanced
    batch, taken in whole classes of about :func:`images_a_call` images where no graph is kept.
    """
    classes, size = x.shape[:2]
    step = classes if graph else max(1, images_a_call(x) // size)
    total: list[torch.Tensor] = []
    for first in range(0, classes, step):
        part = x[first : first + step]
        labels = torch.arange(first, first + len(part), device=x.device).repeat_interleave(size)
        found = [
            tensor * (len(part) / classes)
            for tensor in _gradient(net, params, part.flatten(0, 1)[None], labels[None], graph)
        ]
        total = [one + two for one, two in zip(total, found, strict=True)] if total else found
    return total


def class_loss(
    net: Net,
    params: Params,
    real: torch.Tensor,
    synthetic: torch.Tensor,
    backend: str = "loop",
    metric: Literal["ours", "mse", "cos"] = "ours",
) -> torch.Tensor:
    """Return DC's loss: the distances of real and synthetic gradients
    class by class, summed (arXiv:2006.05929, eq. 8).
    """
    real_side, synthetic_side = ("loop", "grouped") if backend == "hybrid" else (backend, backend)
    target = class_gradients(net, params, real, real_side, graph=False)
    return distance(
        class_gradients(net, params, synthetic, synthetic_side, graph=True), target, metric
    )


def sum_loss(
    net: Net,
    params: Params,
    real: torch.Tensor,
    synthetic: torch.Tensor,
    metric: Literal["ours", "mse", "cos"] = "ours",
) -> torch.Tensor:
    """Return DCC's loss: class gradients are averaged first, then one distance is taken
    (arXiv:2202.02916, eq. 5).

    What all classes have in common cancels in the average; what tells them apart stays. The paper
    sums where this averages: the distance is blind to the factor.
    """
    target = [tensor.detach() for tensor in balanced_gradient(net, params, real, graph=False)]
    return distance(balanced_gradient(net, params, synthetic, graph=True), target, metric)
