"""Hypergradients by the implicit function theorem, for K problems side by side.

Weights w minimise an inner loss that hyper-parameters h appear in; an outer loss is judged at these
weights. Then d outer / dh = - (d outer / dw) H^-1 (d^2 inner / dw dh), with H = d^2 inner / dw^2.
The inverse is never formed: a solver returns H^-1 v from products of H with vectors. Source:
arXiv:1911.02590, theorem 1.

Tensors are (K, ...) with a problem each; a problem's numbers do not depend on its companions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch

__all__ = ["SOLVERS", "Solver", "conjugate_gradients", "hypergradient", "neumann", "products"]

Tensors = Sequence[torch.Tensor]
Product = Callable[[Tensors], list[torch.Tensor]]
Solver = Literal["neumann", "cg"]

SOLVERS: tuple[Solver, ...] = ("neumann", "cg")
"""The names of the solvers: Neumann series and conjugate gradients."""


def neumann(product: Product, v: Tensors, terms: int, rate: float) -> list[torch.Tensor]:
    """Return rate * sum_{j=0}^{terms} (I - rate H)^j v, which tends to H^-1 v where the eigenvalues
    of H lie between 0 and 2 / rate.

    Args:
        product: from vectors to H times them, of the same shapes.
        v: tensors (K, ...).
        terms: products that are taken; 0 takes H^-1 for ``rate`` times the identity.
        rate: the step of the series, above 0.

    Source: arXiv:1911.02590, theorem 2 and algorithm 3.
    """
    term, total = list(v), list(v)
    for _ in range(terms):
        # a product and a difference: one fused operation would round the last numbers otherwise
        term = [own - rate * moved for own, moved in zip(term, product(term), strict=True)]
        total = [sums + own for sums, own in zip(total, term, strict=True)]
    return [rate * sums for sums in total]


def conjugate_gradients(product: Product, v: Tensors, terms: int) -> list[torch.Tensor]:
    """Return H^-1 v by at most ``terms`` steps of conjugate gradients from zero.

    A problem takes no further step once its residual is zero, or where H curves downwards along the
    direction, where the method is not defined.

    Args:
        product: from vectors to H times them, of the same shapes.
        v: tensors (K, ...).
        terms: products that are taken, at least 1.
    """
    found, residual, direction = [torch.zeros_like(own) for own in v], list(v), list(v)
    size = _dots(residual, residual)
    alive = size > 0
    for _ in range(terms):
        moved = product(direction)
        curvature = _dots(direction, moved)
        alive = alive & (curvature > 0)
        step = _ratio(size, curvature, alive)
        found = _moved(found, step, direction)
        residual = _moved(residual, -step, moved)
        now = _dots(residual, residual)
        direction = _moved(residual, _ratio(now, size, alive), direction)
        size = now
        alive = alive & (size > 0)
    return found


def products(
    gradient: Tensors, weights: Tensors, damping: float = 0.0
) -> Callable[[Tensors], list[torch.Tensor]]:
    """Return the function from v to (H + damping I) v.

    Args:
        gradient: of the inner loss at the weights, with its graph, tensors (K, ...).
        weights: tensors (K, ...).
        damping: added to the diagonal, 0 or more.
    """

    def product(v: Tensors) -> list[torch.Tensor]:
        found = torch.autograd.grad(gradient, weights, list(v), retain_graph=True)
        if not damping:
            return list(found)
        return [moved + damping * own for moved, own in zip(found, v, strict=True)]

    return product


def hypergradient(
    inner: torch.Tensor,
    weights: Tensors,
    hyper: Tensors,
    outer: Tensors,
    *,
    solver: Solver,
    terms: int,
    rate: float,
    damping: float = 0.0,
) -> list[torch.Tensor]:
    """Return the gradient of an outer loss in the hyper-parameters, of their shapes, where the loss
    depends on them through the weights alone.

    Args:
        inner: the inner loss, a scalar: the sum over the K problems.
        weights: where it is taken, tensors (K, ...) that require gradients.
        hyper: the hyper-parameters, tensors of any shape that require gradients.
        outer: the gradient of the outer loss at the weights, tensors (K, ...).
        solver: ``neumann`` or ``cg``.
        terms: products of the Hessian with a vector that are taken.
        rate: the step of the Neumann series, above 0; conjugate gradients have none.
        damping: added to the Hessian's diagonal, 0 or more.
    """
    gradient = torch.autograd.grad(inner, weights, create_graph=True)
    product = products(gradient, weights, damping)
    solved = (
        neumann(product, outer, terms, rate)
        if solver == "neumann"
        else conjugate_gradients(product, outer, terms)
    )
    return [-found for found in torch.autograd.grad(gradient, hyper, solved)]


def _dots(a: Tensors, b: Tensors) -> torch.Tensor:
    """Return the inner product of each problem's vectors, (K,)."""
    parts = [(one * two).flatten(1).sum(1) for one, two in zip(a, b, strict=True)]
    return torch.stack(parts).sum(0)


def _ratio(above: torch.Tensor, below: torch.Tensor, alive: torch.Tensor) -> torch.Tensor:
    """Return above / below of the problems that go on, 0 of the others, (K,)."""
    return torch.where(alive, above, 0.0) / torch.where(alive, below, 1.0)


def _moved(start: Tensors, step: torch.Tensor, along: Tensors) -> list[torch.Tensor]:
    """Return start + step * along, with a step (K,) a problem."""
    return [
        own + step.view(-1, *[1] * (own.dim() - 1)) * way
        for own, way in zip(start, along, strict=True)
    ]
