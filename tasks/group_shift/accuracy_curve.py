"""Many trainings that differ in their protocol: how do accuracies on majority and minority rows go
together?
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
import torch

from bench import (
    Case,
    InvalidRun,
    Meta,
    Metric,
    Outcome,
    Preset,
    Run,
    Score,
    Setup,
    TaskCard,
    Watched,
)
from bench.tracks.group_shift import GroupMethod, Problem
from bench.training.data import Examples
from bench.training.pictures import scatter
from bench.training.state import predict

from ._metrics import ERM
from ._spurious import SpuriousTask
from ._task import Hidden
from .noisy_environments import in_channel

KEPT = 60.0
"""Trainings with a majority accuracy of at most so many per cent are left out."""
PROTOCOLS = 2305
"""Seed of the protocols."""
LEAST = 4
"""Trainings that a parabola with an error needs."""


class AccuracyCurve(SpuriousTask):
    """Coloured MNIST digits under protocols that are drawn at random."""

    card: ClassVar = TaskCard(
        name="accuracy-curve",
        title="Accuracy on minority rows against that on majority rows, over many protocols",
        track="group-shift",
        datasets=("mnist5k",),
        metrics=(
            Metric(
                name="effective",
                primary=True,
                unit="points",
                bounds=(-100, 100),
                title="mean minority accuracy above the baseline's parabola at the same majority "
                "accuracy",
            ),
            Metric(
                name="pearson",
                title="correlation of majority and minority accuracy",
                direction="none",
                bounds=(-1, 1),
            ),
            Metric(
                name="r2_line",
                title="share of the variance that a line explains",
                direction="none",
                bounds=(0, 1),
            ),
            Metric(
                name="r2_parabola",
                title="share of the variance that a parabola explains",
                direction="none",
                bounds=(0, 1),
            ),
            Metric(
                name="curvature",
                title="coefficient of the square, per 100 points",
                direction="none",
                bounds=(None, None),
            ),
            Metric(
                name="p_square",
                title="p of the F test of the square",
                direction="none",
                bounds=(0, 1),
            ),
            Metric(
                name="kept",
                direction="none",
                unit="%",
                bounds=(0, 100),
                title="trainings whose majority accuracy is above 60 %",
            ),
            Metric(
                name="minority",
                unit="%",
                bounds=(0, 100),
                title="mean accuracy on minority rows of the kept trainings",
            ),
            Metric(
                name="score_val",
                validation=True,
                unit="%",
                bounds=(0, 100),
                title="the same on validation rows",
            ),
        ),
        presets={
            "smoke": Preset(
                variants={"rho95": {"rho": 0.95}},
                params={"n_train": 400, "trainings": 8},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"rho95": {"rho": 0.95}},
                seeds=5,
                timeout=900,
                methods=("erm", "erm-decay", "deep-ensemble", "jtt", "mat", "poe"),
            ),
            "extended": Preset(
                variants={"rho50": {"rho": 0.5}, "rho95": {"rho": 0.95}, "rho99": {"rho": 0.99}},
                params={"trainings": 60},
                seeds=5,
                timeout=3600,
            ),
        },
        budget="each training has epochs, batch, rate, decay and width of its own, the same "
        "for every seed",
        tuning={"judged": "validation"},
        references=(ERM,),
        paper="arXiv:2305.02995",
    )
    source: ClassVar = "mnist5k"
    trainings: Annotated[int, Meta(ge=4)] = 20
    """Problems of a run, alike but for their protocol."""

    def pictures(self, data: Examples) -> torch.Tensor:
        """Return every second pixel (n, 1, 14, 14), on [0, 1]."""
        return data.x[:, :, ::2, ::2].float() / 255

    def marked(
        self, x: torch.Tensor, attribute: torch.Tensor, generator: np.random.Generator
    ) -> torch.Tensor:
        """Draw the digit in the channel of its attribute alone, (n, 2, 14, 14)."""
        return in_channel(x, attribute)

    def prepare(self, run: Setup) -> Case:
        """Draw the rows once, for problems of several protocols.

        The protocols are the same for every seed, so that seeds of one protocol train as a stack.
        """
        case = super().prepare(run)
        generator = np.random.default_rng(PROTOCOLS)
        problems = [
            msgspec.structs.replace(
                case.problems[0],
                lr=float(np.exp(generator.uniform(np.log(1e-4), np.log(6e-3)))),
                weight_decay=float(np.exp(generator.uniform(np.log(1e-5), np.log(2.0)))),
                epochs=int(generator.choice([1, 2, 4, 8, 16])),
                batch_size=int(generator.choice([64, 128, 256])),
                widths=(int(generator.choice([16, 64, 256])),),
            )
            for _ in range(self.trainings)
        ]
        return Case(problems=problems, hidden=case.hidden)

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Watch nothing: the last epoch of each training counts."""
        return Watched({})

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Hold the points of the method against the baseline's parabola.

        Raises:
            InvalidRun: too few trainings of the baseline or of the method are above ``KEPT``.
        """
        hidden: Hidden = case.hidden
        part = "val" if self.judged == "validation" else "test"
        points = np.array(
            [accuracies(outcome.solution.model, hidden, part) for outcome in outcomes]
        )
        kept = points[points[:, 0] > KEPT]
        if part == "val":
            mean = float(kept[:, 1].mean()) if len(kept) else None
            return Score(metrics={"score_val": mean}, not_rankable="scored on validation rows")
        baseline = np.array([self._baseline(case, k, run) for k in range(len(points))])
        demand("baseline", baseline, LEAST)
        demand("method", points, 1)
        return Score(
            metrics=curve_figures(points, baseline),
            arrays={"points": points, "baseline": baseline},
            images={
                "curve": scatter(
                    {"erm": tuple(baseline.T), "method": tuple(points.T)},
                    "One dot a training",
                    "accuracy on majority rows, %",
                    "minority rows, %",
                )
            },
        )

    def _baseline(self, case: Case, k: int, run: Setup) -> tuple[float, float]:
        """Return the point of the baseline on problem ``k``, trained once a seed."""
        recipe = {"accuracy-curve": k, "seed": run.seed, "task": str(sorted(self.values_of()))}
        build = functools.partial(_trained, problem=case.problems[k], hidden=case.hidden)
        found, _ = run.cached(recipe, build)
        majority, minority = found["point"].tolist()
        return majority, minority

    def values_of(self) -> list[tuple[str, str]]:
        """Return the parameters by name, as text."""
        return [(name, str(getattr(self, name))) for name in self.__struct_fields__]


def _trained(run: Run, *, problem: Problem, hidden: Hidden) -> dict[str, torch.Tensor]:
    model = GroupMethod().solve(problem, run).model
    return {"point": torch.tensor(accuracies(model, hidden, "test"), dtype=torch.float64)}


def accuracies(model: Any, hidden: Hidden, part: str) -> tuple[float, float]:
    """Return a model's accuracies in percent on majority and minority rows of ``test`` or
    ``val``.
    """
    x, y, a = (getattr(hidden, f"{name}_{part}") for name in "xya")
    right = (predict(model, x).argmax(-1) == y).double()
    return 100 * float(right[a == y].mean()), 100 * float(right[a != y].mean())


def demand(whose: str, points: np.ndarray, least: int) -> None:
    """Refuse points (n, 2), in percent, of which fewer than ``least`` are above ``KEPT``.

    Raises:
        InvalidRun: there are fewer.
    """
    above = int((points[:, 0] > KEPT).sum())
    if above < least:
        raise InvalidRun(
            f"{above} of {len(points)} trainings of the {whose} have a majority accuracy above "
            f"{KEPT:g} %, and the figures need {least}; raise trainings or n_train."
        )


def curve_figures(points: np.ndarray, baseline: np.ndarray) -> dict[str, float | None]:
    """Return what is measured of points (n, 2), majority and minority accuracy in percent, held
    against those of the baseline (m, 2).
    """
    kept, held = points[points[:, 0] > KEPT], baseline[baseline[:, 0] > KEPT]
    found: dict[str, float | None] = {"kept": 100 * len(kept) / len(points)}
    if len(kept):
        found["minority"] = float(kept[:, 1].mean())
    if len(held) >= LEAST and len(kept):
        # where the method left the range of the baseline, the parabola's nearest end counts
        at = kept[:, 0].clip(held[:, 0].min(), held[:, 0].max())
        expected = np.polyval(_fit(held, 2), at)
        found["effective"] = float((kept[:, 1] - expected).mean())
    if len(kept) < LEAST or not kept.std(0).all():
        return found
    x, y = kept.T
    total = float(((y - y.mean()) ** 2).sum())
    left = [float(((y - np.polyval(_fit(kept, degree), x)) ** 2).sum()) for degree in (1, 2)]
    found |= {
        "pearson": float(np.corrcoef(x, y)[0, 1]),
        "r2_line": min(1.0, max(0.0, 1 - left[0] / total)),
        "r2_parabola": min(1.0, max(0.0, 1 - left[1] / total)),
        "curvature": 100 * float(_fit(kept, 2)[0]),
    }
    free = len(x) - 3
    if left[1] > 0:
        from scipy.stats import f

        found["p_square"] = float(f.sf((left[0] - left[1]) / (left[1] / free), 1, free))
    return found


def _fit(points: np.ndarray, degree: int) -> np.ndarray:
    """Return the coefficients of a polynomial through points (n, 2), the highest power first."""
    found: np.ndarray = np.polyfit(points[:, 0], points[:, 1], degree)
    return found
