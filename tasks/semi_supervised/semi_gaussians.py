"""Two Gaussians, few rows labelled, and a pool that has moved (arXiv:2310.00027)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from torch.nn import functional as F

from bench import Case, Meta, Outcome, Preset, Reference, Run, Score, Setup, Task, TaskCard, Watched
from bench.declared import Array
from bench.tracks.semi_supervised import Problem, Solution
from bench.training.rowwise import rowwise
from bench.training.state import predict

from ._metrics import LINEAR
from ._task import Hidden, percent, pool_figures

_TEST = 20_000


class Truth(Hidden, frozen=True, kw_only=True):
    """What no method sees: besides the rows, the mean.

    Attributes:
        mean: of the positive class (D,).
    """

    mean: Annotated[torch.Tensor, Array("D", dtype="float64")]


class SemiGaussians(Task):
    """Ten labelled rows of 50 columns around plus and minus a mean of length 1.5; a pool of 1,000
    rows around a mean that is moved.
    """

    card: ClassVar = TaskCard(
        name="semi-gaussians",
        title="Two Gaussians, ten labels, shifted pool",
        track="semi-supervised",
        metrics=LINEAR,
        presets={
            "smoke": Preset(
                variants={"m10-shift5": {"shift": 0.5}},
                params={"pool_rows": 200, "steps": 40},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "m10-shift0": {"shift": 0.0},
                    "m10-shift5": {"shift": 0.5},
                    "m10-shift10": {"shift": 1.0},
                },
                seeds=5,
                timeout=300,
            ),
        },
        inputs="table",
        budget="400 steps of 10 labelled rows and 30 of the pool on a linear model, or a closed "
        "form",
        offers={"class-prior": {}, "symmetric": {}},
        references=(
            Reference(name="sup", kind="low", title="labelled rows alone"),
            Reference(
                name="bayes", kind="high", title="the best classifier there is", solve="know_mean"
            ),
        ),
    )
    accepts: ClassVar = Solution
    labels: Annotated[int, Meta(ge=1)] = 10
    """Labelled rows."""
    pool_rows: Annotated[int, Meta(ge=0)] = 1000
    """Rows of the pool."""
    columns: Annotated[int, Meta(ge=2)] = 50
    """Columns."""
    length: Annotated[float, Meta(gt=0)] = 1.5
    """Length of the mean, in standard deviations."""
    shift: Annotated[float, Meta(ge=0)] = 0.0
    """How far the pool's mean is moved, in a random direction."""
    steps: Annotated[int, Meta(ge=1)] = 400
    """Updates of methods that take steps."""

    def prepare(self, run: Setup) -> Case:
        """Draw mean, direction and rows."""
        generator = run.numpy_generator("split")
        mean, away = (_unit(generator, self.columns) for _ in range(2))
        mean, away = self.length * mean, self.shift * away
        parts = [
            _rows(generator, count, centre)
            for count, centre in (
                (self.labels, mean),
                (self.pool_rows, mean + away),
                (_TEST, mean),
            )
        ]
        (x, y), (pool, y_pool), (x_test, y_test) = parts
        problem = Problem(
            x=torch.cat([x, pool]),
            y=y,
            labelled=torch.arange(self.labels),
            unlabelled=torch.arange(self.labels, self.labels + self.pool_rows),
            n_classes=2,
            net="linear",
            steps=self.steps,
            batch_size=10,
            class_prior=torch.tensor([0.5, 0.5]),
            symmetric=True,
        )
        hidden = Truth(x_test=x_test, y_test=y_test, y_pool=y_pool, mean=torch.from_numpy(mean))
        return Case(problems=[problem], hidden=hidden)

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score a report on the test rows."""
        said = predict(model, case.hidden.x_test).argmax(-1)
        return Watched({"acc": percent(said == case.hidden.y_test)})

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the final model exactly if it is linear, and what it makes of the pool."""
        hidden: Truth = case.hidden
        solution: Solution = outcomes[0].solution
        z = rowwise(solution.model, hidden.x_test)
        metrics = pool_figures(solution, hidden)
        metrics.pop("stranger_weight")
        metrics["acc"] = exact(solution.model, hidden, z)
        if metrics["acc"] is None:
            metrics["acc"] = percent(z.argmax(-1) == hidden.y_test)
        if solution.average is not None:
            metrics["acc_ema"] = exact(
                solution.average, hidden, predict(solution.average, hidden.x_test)
            )
        return Score(metrics=metrics)

    def know_mean(self, problem: Problem, hidden: Truth, run: Run) -> Solution:
        """The upper reference: knows the mean."""
        w = hidden.mean.float().to(problem.x.device)
        return Solution(model=lambda x: F.linear(x, torch.stack([-w, w])))


def exact(model: Any, hidden: Truth, z: torch.Tensor) -> float | None:
    """Return the accuracy in percent of a linear model, from its weights w and constant b: the mean
    of Phi((w mean + b) / |w|) and Phi((w mean - b) / |w|); None if its outputs on the test rows (T,
    2) are not linear.
    """
    columns = len(hidden.mean)
    probe = torch.cat([torch.zeros(1, columns), torch.eye(columns)]).to(hidden.x_test)
    out = predict(model, probe)
    score = (out[:, 1] - out[:, 0]).double().cpu()
    b, w = score[0], score[1:] - score[0]
    said = (z[:, 1] - z[:, 0]).double().cpu()
    wanted = hidden.x_test.double().cpu() @ w + b
    size = float(w.norm())
    if not size or float((said - wanted).abs().max()) > 1e-3 * float(wanted.abs().max()):
        return None
    middle = float(w @ hidden.mean.cpu())
    ends = ((middle + float(b)) / size, (middle - float(b)) / size)
    return 50 * sum(0.5 * math.erfc(-end / math.sqrt(2)) for end in ends)


def _unit(generator: np.random.Generator, columns: int) -> np.ndarray:
    drawn = generator.standard_normal(columns)
    found: np.ndarray = drawn / np.linalg.norm(drawn)
    return found


def _rows(
    generator: np.random.Generator, count: int, centre: np.ndarray
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows around plus and minus a centre, half of them each, and their classes."""
    y = generator.permutation(count) % 2
    x = generator.standard_normal((count, len(centre))) + (2 * y - 1)[:, None] * centre
    return torch.from_numpy(x).float(), torch.from_numpy(y)
