"""What an attacker does to all training rows: noise that makes them useless.

Every attack takes clean rows x (N, ...) in the unit cube and labels y (N,), and returns them as
:class:`Poisoned`. Rows may change by at most a radius in L-infinity and stay in the cube. All
numbers are drawn from the stream ``corruption``, those of the attacker's own net, the surrogate,
too: its initial weights and its order of the rows are none that a method trains with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec
import torch
from torch.nn import functional as F

from bench.runs.context import Run
from bench.training import attacks, nets, optimisers
from bench.training.attacks import Ball
from bench.training.nets import StackedNet
from bench.training.state import evaluating

__all__ = [
    "NOISES",
    "Poisoned",
    "Surrogate",
    "error_maximising",
    "error_minimising",
    "noise",
    "random_patterns",
    "uphill",
]

STEPS = 20
"""Steps of the sign of the gradient for every row, each a tenth of the radius."""
BETWEEN = 10
"""Steps of the surrogate between two rounds of the noise."""
ENOUGH = 0.01
"""Share of wrong rows, in [0, 1], at which a round was the last one."""


class Poisoned(msgspec.Struct, frozen=True, kw_only=True):
    """Rows after an attack.

    Attributes:
        x: inputs (N, ...), float32, in [0, 1].
        y: labels (N,), int64.
        touched: which rows differ from the clean ones in input or label (N,), bool.
    """

    x: torch.Tensor
    y: torch.Tensor
    touched: torch.Tensor


class Surrogate(msgspec.Struct, frozen=True, kw_only=True):
    """The net that an attacker trains, and how.

    Attributes:
        net: its name, one of :data:`bench.training.nets.NETS`.
        widths: as for :func:`bench.training.nets.build`.
        n_classes: outputs.
        epochs: passes over the clean rows, for attacks that need a trained net.
        batch_size: rows of a step.
        lr: learning rate of SGD, with momentum 0.9.
        rounds: most rounds of error-minimising noise.
    """

    net: str
    widths: tuple[int, ...]
    n_classes: int
    epochs: int = 10
    batch_size: int = 64
    lr: float = 0.05
    rounds: int = 20

    def build(self, x: torch.Tensor, run: Run) -> StackedNet:
        """Return a fresh net for rows (N, ...), alone in its stack."""
        return nets.build(
            self.net,
            x.shape[1:],
            self.n_classes,
            [run.seeded("corruption", "surrogate")],
            x.device,
            widths=self.widths,
            batch=self.batch_size,
        )

    def batches(self, rows: int, run: Run) -> Iterator[torch.Tensor]:
        """Yield row numbers (B,) without end: every row once a pass, in an order drawn anew."""
        generator = run.torch_generator("corruption", "order", device="cpu")
        while True:
            yield from torch.randperm(rows, generator=generator).split(self.batch_size)

    def fitted(self, x: torch.Tensor, y: torch.Tensor, run: Run) -> StackedNet:
        """Return a net trained on rows (N, ...) with labels (N,)."""
        net, batches = self.build(x, run), self.batches(len(x), run)
        optimiser = optimisers.sgd(net.parameters(), self.lr, 0.9, 0.0)
        for _ in range(self.epochs * -(-len(x) // self.batch_size)):
            _descend(net, optimiser, x, y, next(batches).to(x.device))
        run.count(forward=self.epochs * len(x), backward=self.epochs * len(x))
        return net


def _descend(
    net: StackedNet,
    optimiser: torch.optim.Optimizer,
    x: torch.Tensor,
    y: torch.Tensor,
    rows: torch.Tensor,
) -> None:
    """Take one step on the cross entropy of some rows."""
    optimiser.zero_grad(set_to_none=True)
    F.cross_entropy(net(x[None, rows])[0], y[rows]).backward()
    optimiser.step()


def error_minimising(
    x: torch.Tensor,
    y: torch.Tensor,
    surrogate: Surrogate,
    epsilon: float,
    run: Run,
    *,
    by_class: bool = False,
) -> Poisoned:
    """Return rows with noise that leaves a net nothing to learn: ten steps of the surrogate on the
    noisy rows, then twenty steps of the noise *down* its cross entropy, until it errs on less than
    one row in a hundred.

    Source: arXiv:2101.04898, equation 2 and algorithm 1; HanxunH/Unlearnable-Examples,
    perturbation.py, whose noise moves in steps of a tenth of the radius.

    Args:
        x: clean rows (N, ...).
        y: their labels (N,).
        surrogate: the attacker's net.
        epsilon: most that a number may change, in [0, 1].
        run: gives the streams.
        by_class: one pattern a class, moved by the mean gradient of its rows, instead of one a row.
    """
    group = y if by_class else torch.arange(len(y), device=y.device)
    groups = surrogate.n_classes if by_class else len(y)
    count = torch.bincount(group, minlength=groups).clamp_min(1)
    count = count.view(-1, *[1] * (x.dim() - 1)).to(x.dtype)
    loss = attacks.cross_entropy(y[None])
    net, batches = surrogate.build(x, run), surrogate.batches(len(x), run)
    optimiser = optimisers.sgd(net.parameters(), surrogate.lr, 0.9, 0.0)
    delta = x.new_zeros(groups, *x.shape[1:])
    at = x
    for _ in range(surrogate.rounds):
        for _ in range(BETWEEN):
            _descend(net, optimiser, at, y, next(batches).to(x.device))
        with attacks.frozen(net):
            for _ in range(STEPS):
                _, gradient, _ = attacks.slope(net, loss, at[None])
                mean = torch.zeros_like(delta).index_add_(0, group, gradient[0]) / count
                delta = (delta - epsilon / 10 * mean.sign()).clamp(-epsilon, epsilon)
                at = (x + delta[group]).clamp(0, 1)
        with evaluating(net):
            wrong = (net(at[None])[0].argmax(-1) != y).float().mean()
        run.count(forward=(STEPS + 1) * len(x), backward=STEPS * len(x))
        if wrong < ENOUGH:
            break
    return _noisy(x, y, at, epsilon)


def error_maximising(
    x: torch.Tensor, y: torch.Tensor, surrogate: Surrogate, epsilon: float, run: Run
) -> Poisoned:
    """Return rows moved *up* the cross entropy of a surrogate that was trained on the clean ones.

    Source: arXiv:2101.04898, section 4; arXiv:2106.10807.

    Args:
        x: clean rows (N, ...).
        y: their labels (N,).
        surrogate: the attacker's net.
        epsilon: most that a number may change, in [0, 1].
        run: gives the streams.
    """
    net = surrogate.fitted(x, y, run)
    return _noisy(x, y, uphill(net, x, y, epsilon), epsilon)


def random_patterns(
    x: torch.Tensor,
    y: torch.Tensor,
    surrogate: Surrogate,
    epsilon: float,
    run: Run,
    *,
    by_class: bool = False,
) -> Poisoned:
    """Return rows plus or minus the radius at random: one pattern a row, or one a class.

    Args:
        x: clean rows (N, ...).
        y: their labels (N,).
        surrogate: says how many classes there are; nothing is trained.
        epsilon: what every number changes by, in [0, 1], before the cube.
        run: gives the stream.
        by_class: one pattern a class.
    """
    generator = run.torch_generator("corruption", "patterns", device="cpu")
    count = surrogate.n_classes if by_class else len(x)
    signs = 2 * torch.randint(2, (count, *x.shape[1:]), generator=generator) - 1
    delta = epsilon * signs.to(x)
    return _noisy(x, y, x + (delta[y] if by_class else delta), epsilon)


def uphill(net: StackedNet, x: torch.Tensor, y: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Return rows (N, ...) with labels (N,) after twenty steps up the net's cross entropy, each of
    a tenth of the radius ``epsilon``, within the ball and the cube.
    """
    with attacks.frozen(net):
        return attacks.pgd(
            net,
            attacks.cross_entropy(y[None]),
            x[None],
            Ball(eps=epsilon),
            steps=STEPS,
            step=epsilon / 10,
            lead=2,
        )[0]


def _noisy(x: torch.Tensor, y: torch.Tensor, at: torch.Tensor, epsilon: float) -> Poisoned:
    """Return the rows ``at``, put into the ball around ``x`` and into the cube."""
    at = Ball(eps=epsilon).project(at, x, 1)
    return Poisoned(x=at, y=y.clone(), touched=(at != x).flatten(1).any(1))


Noise = Literal["emin", "emin-class", "emax", "random", "random-class"]
NOISES: dict[str, Callable[..., Poisoned]] = {
    "emin": error_minimising,
    "emin-class": error_minimising,
    "emax": error_maximising,
    "random": random_patterns,
    "random-class": random_patterns,
}
"""Name -> the attack that changes every row's inputs."""


def noise(
    name: Noise, x: torch.Tensor, y: torch.Tensor, surrogate: Surrogate, epsilon: float, run: Run
) -> Poisoned:
    """Return rows (N, ...) with labels (N,) after the attack of this name; names that end in
    ``-class`` have one pattern a class.
    """
    options = {"by_class": True} if name.endswith("-class") else {}
    return NOISES[name](x, y, surrogate, epsilon, run, **options)
