"""Weights of graphs that make the hidden variables of a net independent: the mathematics that
OOD-GNN and L2R-GNN share.

Shapes: n graphs, d hidden variables, Q random features of each; columns are the d Q features, those
of a variable beside each other.
"""

from __future__ import annotations

from typing import Literal

import torch

from bench import Run

Factors = Literal["both", "one"]
"""Where the weight of a graph stands in a covariance, see :class:`Dependence`."""


def random_features(z: torch.Tensor, count: int, generator: torch.Generator) -> torch.Tensor:
    """Return sqrt(2) cos(omega t + phi) of each standardised variable, omega ~ N(0, 1), phi ~ U(0,
    2 pi): (n, d Q).

    Each variable has its own omega and phi. Source: Rahimi and Recht, NeurIPS 2007; the use here:
    arXiv:2112.03806.

    Args:
        z: embeddings (n, d).
        count: Q.
        generator: draws omega and phi.
    """
    z = (z - z.mean(0)) / z.std(0, correction=0).clamp_min(1e-6)
    shape = (z.shape[1], count)
    omega = torch.randn(shape, generator=generator, device=z.device, dtype=z.dtype)
    phi = 2 * torch.pi * torch.rand(shape, generator=generator, device=z.device, dtype=z.dtype)
    return 2**0.5 * torch.cos(z[..., None] * omega + phi).flatten(1)


class Dependence:
    """D(w), the sum over pairs of variables in different clusters of the squared weighted
    covariances of their features.

    With the weight in both factors, as the papers print it, and X = w F - mean(w F): D = 1/2
    (||X'X||^2 - sum over clusters ||X_c'X_c||^2) / (n - 1)^2. The gradient is written out; neither
    makes a loop over pairs. Of ||X'X|| = ||XX'|| the form with the smaller matrix is taken.

    A graph then counts w^2 times, so D is 0 at the square root of the weights that balance two
    variables. With the weight in one factor the covariances are those of the weighted graphs,
    S = (F'wF - F'w w'F / n) / (n - 1), D is half the sum of the squares of S between clusters, and
    it is 0 at the balancing weights themselves. At equal weights the two are the same.

    Args:
        features: F (n, d Q).
        clusters: cluster of each variable (d,), int64; every variable its own: all pairs count.
        factors: where the weight stands; for ``one`` the weights must have mean 1.
    """

    def __init__(
        self, features: torch.Tensor, clusters: torch.Tensor, factors: Factors = "both"
    ) -> None:
        self.features, self.n, self.factors = features, len(features), factors
        self._pairs = max(1, self.n - 1) ** 2  # of one graph every covariance is 0
        column = clusters.repeat_interleave(features.shape[1] // len(clusters))
        self._narrow = features.shape[1] <= self.n or factors == "one"
        if self._narrow:
            self._apart = (column[:, None] != column).to(features.dtype)
        else:  # columns of each cluster, filled up with a column of zeros
            members = column == column.unique()[:, None]
            width = int(members.sum(1).max())
            place = members.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :width]
            self._inside = torch.where(members.gather(1, place), place, len(column))

    def _centred(self, w: torch.Tensor) -> torch.Tensor:
        x = self.features * w.unsqueeze(1)
        return x.sub_(x.mean(0))

    def value(self, w: torch.Tensor) -> torch.Tensor:
        """Return D(w), a scalar; ``w`` (n,) weighs the rows."""
        if self.factors == "one":
            return self._covariances(w).square().sum() / (2 * self._pairs)
        x = self._centred(w)
        if self._narrow:
            squares = ((x.mT @ x) * self._apart).square().sum()
        else:
            blocks = self._blocks(x)
            squares = (x @ x.mT).square().sum() - (blocks.mT @ blocks).square().sum()
        return squares / (2 * self._pairs)

    def gradient(self, w: torch.Tensor) -> torch.Tensor:
        """Return dD/dw (n,)."""
        if self.factors == "one":
            pull = self.features @ self._covariances(w)
            return (pull * (self.features - 2 * (w @ self.features) / self.n)).sum(1) / self._pairs
        x = self._centred(w)
        if self._narrow:
            pull = x @ (x.mT @ x).mul_(self._apart)
        else:
            blocks = self._blocks(x)
            inside = blocks @ (blocks.mT @ blocks)  # (clusters, n, width)
            pull = (x @ x.mT) @ x
            pull = (
                pull
                - torch.zeros(self.n, x.shape[1] + 1, dtype=x.dtype, device=x.device).index_add_(
                    1, self._inside.flatten(), inside.transpose(0, 1).flatten(1)
                )[:, :-1]
            )
        return pull.mul_(self.features).sum(1).mul_(2 / self._pairs)

    def _covariances(self, w: torch.Tensor) -> torch.Tensor:
        """Return (n - 1) S between clusters, 0 within (d Q, d Q)."""
        total = w @ self.features
        return (
            self.features.mT @ (w[:, None] * self.features) - total[:, None] * total / self.n
        ) * self._apart

    def _blocks(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pad(x, (0, 1))[:, self._inside].transpose(0, 1)


def softmax_weights(a: torch.Tensor) -> torch.Tensor:
    """Return n softmax(a): weights >= 0 of mean 1, exactly 1 where all of ``a`` are equal."""
    grown = (a - a.max()).exp_()
    return grown / grown.mean()


def logit_slope(
    a: torch.Tensor,
    dependence: Dependence | None,
    *,
    ridge: float,
    memory: torch.Tensor | None = None,
    slope: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the gradient for a (B,) of D([w; w_memory]) + ridge mean(w^2) + <slope, w> with w =
    softmax_weights(a).

    Args:
        a: logits of the weights (B,).
        dependence: D over the batch and then the memory; None: no such term.
        ridge: pulls the weights towards 1.
        memory: weights of the rows after the first B, held fixed.
        slope: a linear term (B,).
    """
    w, count = softmax_weights(a), len(a)
    pull = w * (2 * ridge / count)
    if dependence is not None:
        pull += dependence.gradient(w if memory is None else torch.cat([w, memory]))[:count]
    if slope is not None:
        pull += slope
    return pull.sub_((w * pull).mean()).mul_(w)


def solve_weights(
    dependence: Dependence,
    start: torch.Tensor,
    *,
    steps: int,
    lr: float,
    ridge: float,
    memory: torch.Tensor | None = None,
) -> torch.Tensor:
    """Take ``steps`` steps of Adam (betas .9 and .999, learning rate ``lr``) from ``start`` (B,)
    along :func:`logit_slope`, and return a (B,).
    """
    a, first, second = start.clone(), torch.zeros_like(start), torch.zeros_like(start)
    for step in range(1, steps + 1):
        gradient = logit_slope(a, dependence, ridge=ridge, memory=memory)
        first.lerp_(gradient, 0.1)
        second.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        size = (second / (1 - 0.999**step)).sqrt_().add_(1e-8)
        a.addcdiv_(first, size, value=-lr / (1 - 0.9**step))
    return a


class AdamTable:
    """The logits of all graphs' weights, moved by Adam (betas .9 and .999) a batch at a time.

    Moments and the number of steps are each graph's own, so that a graph moves as if Adam knew it
    alone.
    """

    def __init__(self, count: int, lr: float, device: torch.device) -> None:
        self.lr = lr
        self.a, self._first, self._second, self._steps = torch.zeros(4, count, device=device)

    def step(self, rows: torch.Tensor, gradient: torch.Tensor) -> None:
        """Move the graphs ``rows`` (B,), all different, against ``gradient`` (B,)."""
        self._steps[rows] += 1
        first = self._first[rows].lerp(gradient, 0.1)
        second = self._second[rows] * 0.999 + 0.001 * gradient.square()
        self._first[rows], self._second[rows] = first, second
        bias = [1 - beta ** self._steps[rows] for beta in (0.9, 0.999)]
        self.a[rows] -= self.lr * (first / bias[0]) / ((second / bias[1]).sqrt() + 1e-8)


class Memory:
    """Global memory: K groups of embeddings and weights of earlier batches, each a moving average
    with its own momentum.

    Group k keeps the share gamma^k of itself (k = 1 .. K), so that the groups look back over
    different spans. A batch of another size than the groups leaves them as they are.
    """

    def __init__(self, groups: int, gamma: float) -> None:
        self._keep = [gamma ** (k + 1) for k in range(groups)]
        self._z: list[torch.Tensor] = []
        self._w: list[torch.Tensor] = []

    def join(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the embeddings of the batch and then of the memory, and
        the weights of the memory.
        """
        return torch.cat([z, *self._z]), torch.cat(self._w) if self._w else None

    def add(self, z: torch.Tensor, w: torch.Tensor) -> None:
        """Take in a batch."""
        if self._z and self._z[0].shape != z.shape:
            return
        if len(self._z) < len(self._keep):
            self._z.append(z.clone())
            self._w.append(w.clone())
        else:
            for keep, old_z, old_w in zip(self._keep, self._z, self._w, strict=True):
                old_z.lerp_(z, 1 - keep)
                old_w.lerp_(w, 1 - keep)


def permuted(w: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return the weights given to other graphs of the batch: a control
    with the same weights that says nothing of the graphs.
    """
    return w[torch.randperm(len(w), generator=generator, device=w.device)]


def generator_of(run: Run) -> torch.Generator:
    """Return the method's own stream of random numbers."""
    return run.torch_generator("method", "weights")
