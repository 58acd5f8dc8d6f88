"""A mixture of Gaussians of few clean rows and many noisy ones (arXiv:2411.02780)."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import torch

from bench import Case, Meta, Metric, Outcome, Preset, Reference, Run, Score, Setup, Task, TaskCard
from bench.declared import Array
from bench.errors import BenchError
from bench.runs.guard import fingerprint
from bench.tracks.synthetic_data import Centres, Mixed, expectation_maximisation
from bench.training.pictures import curves, scatter

SIZES = (20, 40, 80, 160, 320, 640)
"""Numbers of clean rows at which the curve of the clean rows alone is known."""
DRAWS = 8
"""Samples of each."""


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """What no method sees.

    Attributes:
        centres: of the mixture (k, d), float64.
        clean: the rows before the noise (N, d), float64.
        curve: mean squared error of clean rows alone, at each of ``SIZES``, (6,), float64.
    """

    centres: Annotated[torch.Tensor, Array("k", "d", dtype="float64")]
    clean: Annotated[torch.Tensor, Array("N", "d", dtype="float64")]
    curve: Annotated[torch.Tensor, Array("sizes", dtype="float64", ge=0)]


class CleanAndNoisy(Task):
    """60 clean rows of four Gaussians in five dimensions, and 540 with noise of a known level."""

    card: ClassVar = TaskCard(
        name="clean-and-noisy",
        title="Centres of few clean and many noisy rows",
        track="synthetic-data",
        libraries=("scipy",),
        metrics=(
            Metric(
                name="error",
                primary=True,
                direction="min",
                bounds=(0, None),
                title="squared distance of found and true centres, matched, mean over numbers",
            ),
            Metric(
                name="equivalent",
                bounds=(0, None),
                title="clean rows at which clean rows alone have this error",
            ),
        ),
        presets={
            "smoke": Preset(
                variants={"noise1": {"noise": 1.0}},
                params={"clean": 20, "noisy": 40},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"noise1": {"noise": 1.0}, "noise2": {"noise": 2.0}},
                seeds=5,
                timeout=300,
            ),
        },
        budget="20 starts of 100 rounds of expectation maximisation",
        offers={"levels": {}},
        references=(
            Reference(name="clean-only", kind="low"),
            Reference(
                name="all-clean",
                kind="high",
                title="The same rows, all of them without noise",
                solve="tell_clean",
            ),
        ),
        paper="arXiv:2411.02780",
    )
    accepts: ClassVar = Centres

    clean: Annotated[int, Meta(ge=8)] = 60
    """Rows without noise."""
    noisy: Annotated[int, Meta(ge=8)] = 540
    """Rows with noise."""
    noise: Annotated[float, Meta(gt=0, le=1e6)] = 1.0
    """Standard deviation of the noise."""
    k: Annotated[int, Meta(ge=1, le=8)] = 4
    """Gaussians, of variance 1 in every direction."""
    size: Annotated[int, Meta(ge=2)] = 5
    """Dimensions."""
    spread: Annotated[float, Meta(gt=0, le=1e6)] = 2.0
    """Standard deviation of the centres."""

    def prepare(self, run: Setup) -> Case:
        """Draw centres and rows, and add the noise."""
        if self.clean < 2 * self.size:
            raise BenchError(
                f"clean={self.clean} is below twice size={self.size}, which leaves no covariance "
                "to denoise by; take more clean rows."
            )
        draw = run.numpy_generator("split")
        centres = torch.from_numpy(self.spread * draw.standard_normal((self.k, self.size)))
        rows = self.clean + self.noisy
        clean = self.drawn(centres, rows, draw)
        levels = torch.zeros(rows, dtype=torch.float64)
        levels[self.clean :] = self.noise
        added = run.numpy_generator("corruption").standard_normal((rows, self.size))
        x = clean + levels[:, None] * torch.from_numpy(added)
        recipe = {
            "clean-curve": self.card.name,
            "seed": run.seed,
            "centres": fingerprint(Centres(centres=centres)),
            "sizes": list(SIZES),
            "draws": DRAWS,
        }
        built, _ = run.cached(recipe, functools.partial(_curve, self, centres))
        move = run.device
        problem = Mixed(x=x.to(move), levels=levels.to(move), k=self.k)
        hidden = Hidden(
            centres=centres.to(move), clean=clean.to(move), curve=built["errors"].to(move)
        )
        return Case(problems=[problem], hidden=hidden)

    def drawn(self, centres: torch.Tensor, rows: int, draw: np.random.Generator) -> torch.Tensor:
        """Return rows (rows, size) of the mixture with these centres (k, size)."""
        owner = torch.from_numpy(draw.integers(self.k, size=rows))
        return centres[owner] + torch.from_numpy(draw.standard_normal((rows, self.size)))

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Match centres, and say how many clean rows would do as well."""
        found, hidden = outcomes[0].solution.centres, case.hidden
        problem: Mixed = case.problems[0]
        error = matched(found, hidden.centres)
        x, own, true = (one[:, :2].cpu().numpy() for one in (problem.x, found, hidden.centres))
        curve = [(math.log2(n), e) for n, e in zip(SIZES, hidden.curve.tolist(), strict=True)]
        return Score(
            metrics={"error": error, "equivalent": equivalent(error, hidden.curve)},
            images={
                "centres": scatter(
                    {"rows": tuple(x.T), "true centres": tuple(true.T), "found": tuple(own.T)},
                    "Centres in the first two dimensions",
                    "first",
                    "second",
                ),
                "clean-rows": curves(
                    {"clean rows alone": curve, "this method": [(x, error) for x, _ in curve]},
                    "Error against clean rows",
                    "log2 of clean rows",
                    "error",
                ),
            },
        )

    def tell_clean(self, problem: Mixed, hidden: Hidden, run: Run) -> Centres:
        """The upper reference: all rows without noise."""
        generator = run.torch_generator("method", "starts", device="cpu")
        ones = torch.ones_like(hidden.clean[:, 0])
        return Centres(centres=expectation_maximisation(hidden.clean, ones, problem.k, generator))


def _curve(task: CleanAndNoisy, centres: torch.Tensor, run: Run) -> dict[str, torch.Tensor]:
    """Return the mean error of clean rows alone at each of ``SIZES``."""
    draw = run.numpy_generator("corruption", "curve")
    generator = run.torch_generator("corruption", "curve starts", device="cpu")
    errors = []
    for rows in SIZES:
        found = []
        for _ in range(DRAWS):
            x = task.drawn(centres, rows, draw)
            ones = torch.ones_like(x[:, 0])
            found.append(matched(expectation_maximisation(x, ones, task.k, generator), centres))
        errors.append(float(np.mean(found)))
    return {"errors": torch.tensor(errors, dtype=torch.float64)}


def matched(found: torch.Tensor, true: torch.Tensor) -> float:
    """Return the squared distance of centres (k, d) in the assignment where it is least, mean over
    all k d numbers.
    """
    from scipy.optimize import linear_sum_assignment

    apart = torch.cdist(found, true).square().cpu().numpy()
    return float(apart[linear_sum_assignment(apart)].sum() / true.numel())


def equivalent(error: float, curve: torch.Tensor) -> float:
    """Return the number of clean rows at which a curve of errors (6,) at ``SIZES``, made to fall
    everywhere, has this error: linear in both logarithms, and at most the ends of the curve.
    """
    falling = np.minimum.accumulate(np.maximum(curve.cpu().numpy(), 1e-12))
    at = np.interp(-math.log(max(error, 1e-12)), -np.log(falling), np.log(SIZES))
    return float(np.exp(at))
