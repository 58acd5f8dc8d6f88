"""Denoisers that are learned from clean and noisy rows, and what the track ``synthetic-data`` draws
from them.

The net is preconditioned and sampled as in arXiv:2206.00364. A row with noise of its own is learned
from at larger noise alone, where the best denoiser of the clean row says what the best estimate of
the noisy one is (arXiv:2411.02780).

Shapes: K members, N rows, d columns, B rows of a batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Annotated

import msgspec
import torch

from bench.contracts import Method
from bench.declared import Array, Meta, Size
from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.training import optimisers
from bench.training.stack import StackedMLP

__all__ = [
    "Denoisers",
    "DiffusionMethod",
    "Draws",
    "Noised",
    "Samples",
    "drawn",
    "learn",
    "sigma_law",
]

MEAN, SD = -1.2, 1.2
"""Of the logarithm of the noise that a denoiser learns at."""
LOWEST, HIGHEST, BEND = 0.002, 80.0, 7.0
"""Noise at the ends of the path to a sample, and how its steps are spaced."""
SPREAD = 1.0
"""Standard deviation of the data, which the preconditioning takes as known."""


class Noised(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a table whose mean square is 1, some clean, the others with noise added, and the
    protocol that all methods share.

    Attributes:
        x: rows (N, d), float32.
        sigma: standard deviation of the noise of each row (N,), float32, 0 of a clean one; only for
            methods that need ``sigma``, as all denoisers do.
        samples: rows that a method returns.
        widths: of the hidden layers of a denoiser.
        steps: updates.
        batch_size: rows of a batch, drawn at random with replacement.
        lr: rate of Adam at the start of a cosine to 0.
        path: steps from noise to a sample.
    """

    x: Annotated[torch.Tensor, Array("N", "d", dtype="float32")]
    sigma: Annotated[torch.Tensor | None, Array("N", dtype="float32", ge=0)] = None
    samples: Annotated[int, Size("S"), Meta(ge=2)] = 1000
    widths: tuple[int, ...] = (128, 128)
    steps: Annotated[int, Meta(ge=1)] = 3000
    batch_size: Annotated[int, Meta(ge=1)] = 128
    lr: Annotated[float, Meta(gt=0)] = 1e-3
    path: Annotated[int, Meta(ge=2)] = 24


class Samples(msgspec.Struct, kw_only=True):
    """What a method returns for :class:`Noised` rows.

    Attributes:
        rows: drawn from what was learned (S, d), float32; S is ``problem.samples``.
    """

    rows: Annotated[torch.Tensor, Array("S", "d", dtype="float32")]


class Draws:
    """The K streams of a training: of the rows and the noise of every step."""

    def __init__(self, runs: Sequence[Run], *axes: str | int) -> None:
        self.order = [
            run.torch_generator("order", *axes, k, device="cpu") for k, run in enumerate(runs)
        ]
        self.noise = [
            run.torch_generator("augment", *axes, k, device="cpu") for k, run in enumerate(runs)
        ]

    def step(self, size: int, columns: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return numbers in [0, 1) that choose rows (K, B), others that choose how much noise they
        get (K, B), float64, and standard normal noise (K, B, d).
        """
        chosen = torch.stack([torch.rand(size, generator=one) for one in self.order])
        levels = [torch.rand(size, generator=one, dtype=torch.float64) for one in self.noise]
        noise = [torch.randn(size, columns, generator=one) for one in self.noise]
        return chosen, torch.stack(levels), torch.stack(noise)


class Denoisers:
    """K denoisers D(x, sigma) of one shape.

    With s the spread of the data, D is ``s^2 / v x + sigma s / sqrt(v) F(x / sqrt(v), log sigma /
    4)``, v = sigma^2 + s^2, and F a perceptron.

    Args:
        columns: d.
        widths: of F's hidden layers.
        inits: one context a member, inside which it is drawn.
        device: where the parameters live.

    Source: arXiv:2206.00364, table 1.
    """

    def __init__(
        self,
        columns: int,
        widths: Sequence[int],
        inits: Sequence[AbstractContextManager[None]],
        device: torch.device,
    ) -> None:
        self.columns, self.device = columns, device
        self.nets = StackedMLP((columns + 1, *widths, columns), inits, device)

    def __call__(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Return the estimate of the clean rows (K, B, d) for rows (K, B, d) with noise of standard
        deviation ``sigma`` (K, B, 1).
        """
        total = (sigma.square() + SPREAD**2).sqrt()
        inside = torch.cat([x / total, sigma.log() / 4], -1)
        said: torch.Tensor = self.nets(inside)
        return (SPREAD / total) ** 2 * x + sigma * SPREAD / total * said

    def loss(
        self, rows: torch.Tensor, levels: torch.Tensor, sigma: torch.Tensor, noise: torch.Tensor
    ) -> torch.Tensor:
        """Return the losses (K, B) of rows (K, B, d) whose own noise has standard deviations
        ``levels`` c (K, B, 1), at ``sigma`` >= c (K, B, 1), with standard normal ``noise``.

        A row y becomes x = y + sqrt(sigma^2 - c^2) noise. Its estimate is c^2 / sigma^2 x + (1 -
        c^2 / sigma^2) D(x, sigma), which is compared with y.

        Source: arXiv:2411.02780; the weight is that of arXiv:2206.00364.
        """
        share = (levels / sigma).square()
        x = rows + (sigma.square() - levels.square()).clamp_min(0).sqrt() * noise
        estimate = share * x + (1 - share) * self(x, sigma)
        weight = (sigma.square() + SPREAD**2) / (sigma * SPREAD).square()
        return (weight * (estimate - rows).square()).mean(-1)

    @torch.no_grad()
    def sample(self, start: torch.Tensor, steps: int) -> torch.Tensor:
        """Return rows (K, n, d) for standard normal ``start`` (K, n, d), by Heun's method.

        Source: arXiv:2206.00364, algorithm 1, without churn.
        """
        ends = HIGHEST ** (1 / BEND), LOWEST ** (1 / BEND)
        path: list[float] = [
            (ends[0] + k / (steps - 1) * (ends[1] - ends[0])) ** BEND for k in range(steps)
        ]
        x = path[0] * start
        for now, then in zip(path, [*path[1:], 0.0], strict=True):
            slope = self._slope(x, now)
            moved = x + (then - now) * slope
            if then:
                moved = x + (then - now) * (slope + self._slope(moved, then)) / 2
            x = moved
        return x

    def _slope(self, x: torch.Tensor, sigma: float) -> torch.Tensor:
        return (x - self(x, x.new_full((*x.shape[:-1], 1), sigma))) / sigma


def sigma_law(chosen: torch.Tensor, levels: torch.Tensor, clamp: bool = False) -> torch.Tensor:
    """Return how much noise rows are learned from at, float32, of the shape of ``levels``.

    The logarithm is normal with mean -1.2 and standard deviation 1.2, given that a row gets no less
    than it has; with ``clamp`` lesser draws are raised to that instead.

    Args:
        chosen: numbers in [0, 1), float64, of the shape of ``levels``.
        levels: standard deviation of the noise that rows have (K, B), 0 or more.
        clamp: as in the authors' code, where such a draw teaches nothing: input, estimate and
            target are the same.
    """
    own = levels.double()
    lowest = torch.special.ndtr((own.log() - MEAN) / SD)
    share = chosen if clamp else lowest + chosen * (1 - lowest)
    drawn = MEAN + SD * torch.special.ndtri(share.clamp(1e-12, 1 - 1e-12))
    return torch.maximum(drawn.exp(), own).float()


def learn(
    nets: Denoisers,
    sets: Sequence[tuple[torch.Tensor, torch.Tensor]],
    problem: Noised,
    draws: Draws,
    clamp: bool = False,
    tick: Callable[[], object] = lambda: None,
) -> None:
    """Train K denoisers, each on its own rows (n, d) and the levels of their noise (n,)."""
    most = max(len(rows) for rows, _ in sets)
    sizes = torch.tensor([len(rows) for rows, _ in sets], device=nets.device)[:, None]
    x = torch.stack([_padded(rows, most) for rows, _ in sets])
    own = torch.stack([_padded(levels, most) for _, levels in sets])
    optimiser = optimisers.adam(nets.nets.parameters(), problem.lr)
    for step in range(problem.steps):
        turn = math.pi * step / problem.steps
        optimisers.set_rate(optimiser, problem.lr * (1 + math.cos(turn)) / 2)
        drawn = draws.step(problem.batch_size, nets.columns)
        chosen, share, noise = (one.to(nets.device) for one in drawn)
        rows = (chosen * sizes).long()
        levels = own.gather(1, rows)
        batch = x.gather(1, rows[..., None].expand(-1, -1, nets.columns))
        sigma = sigma_law(share, levels, clamp)
        losses = nets.loss(batch, levels[..., None], sigma[..., None], noise)
        optimiser.zero_grad(set_to_none=True)
        optimisers.descend(losses)
        optimiser.step()
        tick()


def _padded(rows: torch.Tensor, most: int) -> torch.Tensor:
    return torch.cat([rows, rows.new_zeros(most - len(rows), *rows.shape[1:])])


class DiffusionMethod(Method, frozen=True, kw_only=True):
    """Train a denoiser and draw from it; methods say on which rows, and what noise they take each
    to have.
    """

    def rows(self, x: torch.Tensor, sigma: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the rows to learn from (n, d) and the noise that each is taken to have (n,), for
        all rows (N, d) and the standard deviation of their noise (N,).
        """
        raise NotImplementedError

    def clamps(self) -> bool:
        """Say whether noise below a row's own is raised to it, instead of not drawn."""
        return False

    def solve(self, problem: Noised, run: Run) -> Samples:
        """Train, and draw the samples.

        Raises:
            InvalidRun: the method did not ask for the noise of the rows, or leaves no row.
        """
        if problem.sigma is None:
            raise InvalidRun(
                "its card does not need 'sigma', which says what rows are clean; add it to needs"
            )
        x, levels = self.rows(problem.x, problem.sigma)
        if not len(x):
            raise InvalidRun("it leaves no row to learn from; keep at least one")
        return Samples(rows=drawn(problem, x, levels, run, self.clamps()))


def drawn(
    problem: Noised, x: torch.Tensor, levels: torch.Tensor, run: Run, clamp: bool = False
) -> torch.Tensor:
    """Return the samples (S, d) of a denoiser that is trained on rows (n, d) with noise (n,)."""
    columns = x.shape[1]
    nets = Denoisers(columns, problem.widths, [run.seeded("init")], run.device)
    tick = run.progress(problem.steps, "steps")
    learn(nets, [(x, levels)], problem, Draws([run]), clamp, tick)
    seen = problem.steps * problem.batch_size
    run.count(forward=seen + problem.samples * (2 * problem.path - 1), backward=seen)
    return nets.sample(_starts(problem, columns, run), problem.path)[0]


def _starts(problem: Noised, columns: int, run: Run) -> torch.Tensor:
    """Return the standard normal noise (1, S, d) that samples begin with."""
    generator = run.torch_generator("augment", "samples", device="cpu")
    return torch.randn(1, problem.samples, columns, generator=generator).to(run.device)
