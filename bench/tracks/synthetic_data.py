"""Track ``synthetic-data``: learn from rows that a model made, or from few clean and many noisy
ones.

Two problems. A :class:`Chain` is a regression on its own answers: each generation is fitted on rows
that the one before labelled, and a method says how. :class:`Mixed` rows are clean or noisy, of a
known level, and a method finds the centres of what they were drawn from.

Shapes: d inputs, T rows a generation, N rows, k centres.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import msgspec
import torch

from bench.cards import TrackCard
from bench.contracts import Method
from bench.declared import Array, Meta, Size
from bench.errors import InvalidRun
from bench.runs.context import Run

__all__ = [
    "CentreMethod",
    "Centres",
    "Chain",
    "ChainMethod",
    "Fitted",
    "Generation",
    "Mixed",
    "Rows",
    "expectation_maximisation",
    "ridge",
]

TRACK = TrackCard(
    name="synthetic-data",
    title="Synthetic data",
    about="Learn from rows that a model made, or from few clean and many noisy ones.",
    field="streams and defects",
    ranked="ways to fit and to mix, by how far what is learned is from what rows were drawn from",
)


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one generation.

    Attributes:
        x: inputs (T, d), float64.
        y: answers (T,), float64.
    """

    x: torch.Tensor
    y: torch.Tensor


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """What a method may fit a generation on.

    Attributes:
        n: number of the generation, 0 for the one that sees real answers.
        rows: its own rows, answered by the generation before; at 0 by the truth.
        earlier: the rows of all generations before it.
        real: further rows with real answers; None unless the method needs ``real``.
    """

    n: int
    rows: Rows
    earlier: list[Rows]
    real: Rows | None


Fit = Callable[[Generation], torch.Tensor]
"""From a generation to weights (d,)."""


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """A regression that is fitted again and again on its own answers.

    Attributes:
        x: inputs of every generation (G, T, d), float64: fresh rows in each.
        y: answers of the first generation (T,), float64, real ones.
        noise: what the answers of the others are off by (G - 1, T), float64; only for methods that
            need ``noise``, as all do that fit a chain.
        real: (G, R, d + 1), float64: for each generation rows with real answers, the inputs and, in
            the last column, the answers; only for methods that need ``real``.
        sd: standard deviation of the noise.
    """

    x: Annotated[torch.Tensor, Array("G", "T", "d", dtype="float64")]
    y: Annotated[torch.Tensor, Array("T", dtype="float64")]
    noise: Annotated[torch.Tensor | None, Array("later", "T", dtype="float64")] = None
    real: Annotated[torch.Tensor | None, Array("G", "R", "both", dtype="float64")] = None
    sd: Annotated[float, Meta(ge=0)] = 0.5

    def generations(self, fit: Fit) -> torch.Tensor:
        """Call ``fit`` for every generation in turn, each on rows that the one before answered, and
        return all weights (G, d).

        Raises:
            InvalidRun: the method did not ask for the noise.
        """
        if self.noise is None:
            raise InvalidRun(
                "its card does not need 'noise', without which no generation answers; add it to "
                "needs"
            )
        found: list[torch.Tensor] = []
        earlier: list[Rows] = []
        for n, x in enumerate(self.x):
            y = x @ found[-1] + self.noise[n - 1] if n else self.y
            rows, real = Rows(x=x, y=y), None
            if self.real is not None:
                real = Rows(x=self.real[n, :, :-1], y=self.real[n, :, -1])
            found.append(fit(Generation(n=n, rows=rows, earlier=list(earlier), real=real)))
            earlier.append(rows)
        return torch.stack(found)


class Fitted(msgspec.Struct, kw_only=True):
    """What a method returns for a :class:`Chain`.

    Attributes:
        weights: of every generation (G, d), float64.
    """

    weights: Annotated[torch.Tensor, Array("G", "d", dtype="float64")]


class ChainMethod(Method, frozen=True, kw_only=True):
    """Fit generation after generation; methods say how one is fitted."""

    def fit(self, problem: Chain, at: Generation) -> torch.Tensor:
        """Return the weights (d,) of a generation."""
        raise NotImplementedError

    def solve(self, problem: Chain, run: Run) -> Fitted:
        """Fit all generations."""
        run.count(forward=problem.x.shape[0] * problem.x.shape[1])
        return Fitted(weights=problem.generations(lambda at: self.fit(problem, at)))


def ridge(rows: Rows, lam: float) -> torch.Tensor:
    """Return the weights (d,) that minimise ``|y - x w|^2 / T + lam |w|^2``; with 0 least squares.

    Raises:
        InvalidRun: there are fewer rows than inputs, and ``lam`` is 0.
    """
    count, size = rows.x.shape
    if lam == 0 and count < size:
        raise InvalidRun(
            f"least squares on {count} rows of {size} inputs has no one answer; take more rows, or "
            "a penalty"
        )
    gram = rows.x.T @ rows.x / count
    gram += lam * torch.eye(size, dtype=gram.dtype, device=gram.device)
    found: torch.Tensor = torch.linalg.solve(gram, rows.x.T @ rows.y / count)
    return found


class Mixed(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a mixture of Gaussians of variance 1, some clean, the others with noise added.

    Attributes:
        x: rows (N, d), float64.
        levels: standard deviation of the noise of each row (N,), float64, 0 of a clean one; only
            for methods that need ``levels``, as all do that look for centres.
        k: centres.
    """

    x: Annotated[torch.Tensor, Array("N", "d", dtype="float64")]
    levels: Annotated[torch.Tensor | None, Array("N", dtype="float64", ge=0)] = None
    k: Annotated[int, Size("k"), Meta(ge=1)] = 4


class Centres(msgspec.Struct, kw_only=True):
    """What a method returns for :class:`Mixed` rows.

    Attributes:
        centres: in any order (k, d), float64.
    """

    centres: Annotated[torch.Tensor, Array("k", "d", dtype="float64")]


class CentreMethod(Method, frozen=True, kw_only=True):
    """Find centres by expectation maximisation; methods say on which rows, and what variance they
    take each to have.
    """

    def rows(self, x: torch.Tensor, levels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the rows to learn from (n, d) and the variance of each (n,), for all rows (N, d)
        and the levels of their noise (N,).
        """
        raise NotImplementedError

    def solve(self, problem: Mixed, run: Run) -> Centres:
        """Fit the mixture.

        Raises:
            InvalidRun: the method did not ask for the levels.
        """
        if problem.levels is None:
            raise InvalidRun(
                "its card does not need 'levels', which say what rows are clean; add it to needs"
            )
        x, variance = self.rows(problem.x, problem.levels)
        run.count(forward=len(x))
        generator = run.torch_generator("method", "starts", device="cpu")
        return Centres(centres=expectation_maximisation(x, variance, problem.k, generator))


STARTS, ROUNDS = 20, 100


def expectation_maximisation(
    x: torch.Tensor, variance: torch.Tensor, k: int, generator: torch.Generator
) -> torch.Tensor:
    """Return the centres (k, d) of a mixture of equal weights in which every row has a variance of
    its own: the best of 20 starts by likelihood, each of 100 rounds, all at once.

    A round gives row i to centre c with the share r_ic in proportion to
    ``exp(-|x_i - m_c|^2 / 2v_i)``, and moves m_c to the mean of the rows with the weights
    r_ic / v_i.

    Args:
        x: rows (n, d), at least k.
        variance: of each row around its centre (n,), above 0.
        k: centres.
        generator: draws the rows at which a start begins.

    Raises:
        InvalidRun: there are fewer rows than centres.
    """
    if len(x) < k:
        raise InvalidRun(f"{len(x)} rows are fewer than the {k} centres asked for; take more rows")
    first = torch.rand(STARTS, len(x), generator=generator).argsort(-1)[:, :k].to(x.device)
    centres = x[first]
    for _ in range(ROUNDS):
        weight = _scores(x, variance, centres).softmax(-1) / variance[:, None]
        centres = weight.mT @ x / weight.sum(1)[..., None].clamp_min(1e-300)
    likely = _scores(x, variance, centres).logsumexp(-1).sum(-1)
    return centres[likely.argmax()]


def _scores(x: torch.Tensor, variance: torch.Tensor, centres: torch.Tensor) -> torch.Tensor:
    """Return ``-|x_i - m_c|^2 / 2v_i`` (starts, n, k) for centres (starts, k, d)."""
    return -torch.cdist(x, centres).square() / (2 * variance[:, None])
