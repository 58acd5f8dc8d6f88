"""A regression that is fitted again and again on its own answers (arXiv:2402.07712)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import Case, Meta, Metric, Outcome, Preset, Reference, Run, Score, Setup, Task, TaskCard
from bench.declared import Array
from bench.errors import BenchError
from bench.tracks.synthetic_data import Chain, Fitted, Rows, ridge
from bench.training.pictures import curves


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """What no method sees: the truth, and real answers of every generation's rows.

    Attributes:
        weights: of the truth (d,), float64.
        spectrum: variances of the inputs (d,), float64.
        answers: real ones (G, T), float64.
    """

    weights: Annotated[torch.Tensor, Array("d", dtype="float64")]
    spectrum: Annotated[torch.Tensor, Array("d", dtype="float64", ge=0)]
    answers: Annotated[torch.Tensor, Array("G", "T", dtype="float64")]


class CollapseRegression(Task):
    """Answers of generation n are those of the model that was fitted on generation n - 1, plus
    noise; the inputs are fresh.
    """

    card: ClassVar = TaskCard(
        name="collapse-regression",
        title="Regression on its own answers",
        track="synthetic-data",
        metrics=(
            Metric(
                name="excess",
                primary=True,
                direction="min",
                bounds=(0, None),
                chance=1,
                title="squared error of the last generation beyond the noise, of answers with "
                "variance 1 without it",
            ),
            Metric(
                name="excess_first",
                direction="min",
                bounds=(0, None),
                title="the same of the first generation, which sees real answers",
            ),
            Metric(
                name="growth",
                direction="min",
                bounds=(0, None),
                title="excess of the last generation over that of the first",
            ),
            Metric(
                name="r2",
                unit="%",
                bounds=(None, 100),
                title="share of the variance of true answers that the last generation explains",
            ),
        ),
        presets={
            "smoke": Preset(
                variants={"iso": {}},
                params={"size": 10, "rows": 30, "generations": 3},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "iso": {"size": 50, "rows": 100},
                    "power": {"spectrum": "power", "size": 200, "rows": 300},
                },
                seeds=5,
                timeout=300,
            ),
        },
        budget="11 generations; every one sees as many rows of its own",
        offers={"noise": {}, "real": {}},
        references=(
            Reference(name="ols", kind="low"),
            Reference(
                name="all-real",
                kind="high",
                title="Least squares on all rows so far, with real answers",
                solve="tell_answers",
            ),
        ),
        paper="arXiv:2402.07712",
    )
    accepts: ClassVar = Fitted

    spectrum: Literal["iso", "power"] = "iso"
    """Variances of the inputs: all 1, or j^-2 of input j."""
    size: Annotated[int, Meta(ge=1)] = 50
    """Inputs."""
    rows: Annotated[int, Meta(ge=2)] = 100
    """Rows of a generation."""
    generations: Annotated[int, Meta(ge=1)] = 10
    """Generations after the first."""
    sd: Annotated[float, Meta(ge=0)] = 0.5
    """Standard deviation of the noise of answers; without it they have variance 1."""
    share: Annotated[float, Meta(gt=0, le=1)] = 0.2
    """Rows with real answers for methods that need them, as a share of a generation's; at
    least one row.
    """

    def prepare(self, run: Setup) -> Case:
        """Draw the truth, and inputs and noise of all generations."""
        if self.rows < self.size:
            raise BenchError(
                f"rows={self.rows} is below size={self.size}, so that least squares has no one "
                "answer; take as many rows as inputs, or more."
            )
        draw = run.numpy_generator("split")
        spectrum = np.ones(self.size)
        if self.spectrum == "power":
            spectrum = np.arange(1, self.size + 1) ** -2.0
        weights = draw.standard_normal(self.size)
        weights /= np.sqrt((spectrum * weights**2).sum())
        count = self.generations + 1
        x, noise = self._drawn(draw, spectrum, count, self.rows)
        answers = x @ weights + noise
        told = max(1, round(self.share * self.rows))
        x_real, noise_real = self._drawn(draw, spectrum, count, told)
        real = np.concatenate([x_real, (x_real @ weights + noise_real)[..., None]], -1)
        later = self.sd * run.numpy_generator("corruption").standard_normal((count - 1, self.rows))
        tensors = [torch.from_numpy(one).to(run.device) for one in (x, answers, later, real)]
        problem = Chain(
            x=tensors[0], y=tensors[1][0].clone(), noise=tensors[2], real=tensors[3], sd=self.sd
        )
        hidden = Hidden(
            weights=torch.from_numpy(weights).to(run.device),
            spectrum=torch.from_numpy(spectrum).to(run.device),
            answers=tensors[1],
        )
        return Case(problems=[problem], hidden=hidden)

    def _drawn(
        self, draw: np.random.Generator, spectrum: np.ndarray, count: int, rows: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs (count, rows, size) and noise (count, rows)."""
        x = draw.standard_normal((count, rows, self.size)) * np.sqrt(spectrum)
        return x, self.sd * draw.standard_normal((count, rows))

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Hold every generation's weights against the truth."""
        solution: Fitted = outcomes[0].solution
        found = excess(solution.weights, case.hidden.weights, case.hidden.spectrum)
        first, last = float(found[0]), float(found[-1])
        line = list(enumerate((100 * (1 - found)).tolist()))
        return Score(
            metrics={
                "excess": last,
                "excess_first": first,
                "growth": last / first if first else None,
                "r2": 100 * (1 - last),
            },
            arrays={"excess": found.cpu().numpy()},
            images={
                "generations": curves(
                    {"variance explained": line}, "Accuracy against generation", "generation", "%"
                )
            },
        )

    def tell_answers(self, problem: Chain, hidden: Hidden, run: Run) -> Fitted:
        """The upper reference: every generation sees real answers, of its rows and all before."""
        weights = [
            ridge(
                Rows(x=problem.x[: n + 1].flatten(0, 1), y=hidden.answers[: n + 1].flatten()),
                0.0,
            )
            for n in range(len(problem.x))
        ]
        return Fitted(weights=torch.stack(weights))


def excess(weights: torch.Tensor, true: torch.Tensor, spectrum: torch.Tensor) -> Any:
    """Return (w - w0)' S (w - w0) of each generation (G,), for weights (G, d), those of the truth
    (d,) and the variances of the inputs (d,).
    """
    return ((weights - true).square() * spectrum).sum(-1)
