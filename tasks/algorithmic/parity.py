"""The parity of signs, of which some rows are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
import torch

from bench import (
    Case,
    Meta,
    Metric,
    Outcome,
    Preset,
    Reference,
    Run,
    Score,
    Setup,
    Task,
    TaskCard,
    Watched,
)
from bench.errors import BenchError
from bench.tracks.algorithmic import Problem, Solution
from bench.training.pictures import curves
from bench.training.state import predict

from ._cube import Hidden, cube, parity
from .gotu import whole_cube


class Parity(Task):
    """The product of ten signs: no row says anything of another, unless the function is found."""

    card: ClassVar = TaskCard(
        name="parity",
        title="Parity of ten signs",
        track="algorithmic",
        metrics=(
            Metric(
                name="acc",
                primary=True,
                unit="%",
                bounds=(0, 100),
                chance=50,
                title="accuracy on rows that were not shown",
            ),
            Metric(
                name="updates",
                direction="min",
                bounds=(0, None),
                title="first report at which it is above 99 %",
            ),
            Metric(
                name="train_acc",
                direction="none",
                unit="%",
                bounds=(0, 100),
                title="accuracy on the shown rows",
            ),
        ),
        presets={
            "smoke": Preset(
                variants={"d10": {}},
                params={"d": 4, "rows": 12, "steps": 40, "widths": [16]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"d10": {}}, seeds=5, timeout=300),
        },
        offers={"signs": {}},
        budget="2500 updates of batch 64",
        references=(
            Reference(name="plain", kind="low"),
            Reference(
                name="all-data",
                kind="high",
                title="Plain training on the whole cube",
                solve="train_on_all",
            ),
        ),
        paper="arXiv:2301.13105",
    )
    accepts: ClassVar = Solution

    d: Annotated[int, Meta(ge=2, le=16)] = 10
    """Bits."""
    rows: Annotated[int, Meta(ge=1)] = 512
    """Rows of the cube that are shown."""
    steps: Annotated[int, Meta(ge=1)] = 2500
    """Updates."""
    widths: tuple[int, ...] = (128, 128)
    """Widths of the hidden layers."""
    lr: Annotated[float, Meta(gt=0)] = 1e-3
    """Rate of Adam."""

    def prepare(self, run: Setup) -> Case:
        """Draw which rows are shown."""
        x = cube(self.d)
        if self.rows >= len(x):
            raise BenchError(f"rows={self.rows} leaves none of {len(x)} unseen; take fewer.")
        order = run.numpy_generator("split", "rows").permutation(len(x))
        shown, others = order[: self.rows], order[self.rows :]
        y = parity(x)

        def on(values: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(values).float().to(run.device)

        problem = Problem(
            x=on(x[shown]),
            y=on(y[shown]),
            n_out=1,
            signs=True,
            widths=self.widths,
            steps=self.steps,
            lr=self.lr,
        )
        unseen = on(y[others])
        hidden = Hidden(
            x_test=on(x[others]),
            y_test=unseen,
            simple=unseen.clone(),
            whole=on(x[order]),
            values=on(y[order]),
        )
        return Case(problems=[problem], hidden=hidden)

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score the other and the shown rows."""
        problem, hidden = case.problems[k], case.hidden
        return Watched(
            {
                "acc": _signs(model, hidden.x_test, hidden.y_test),
                "train": _signs(model, problem.x, problem.y),
            }
        )

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the final model."""
        model, problem, hidden = outcomes[0].solution.model, case.problems[0], case.hidden
        curve = outcomes[0].curve
        found = [point["step"] for point in curve if (point.get("acc") or 0) > 99]
        lines = {
            name: [(point["step"], point.get(key)) for point in curve]
            for name, key in (("other rows", "acc"), ("shown rows", "train"))
        }
        return Score(
            metrics={
                "acc": _signs(model, hidden.x_test, hidden.y_test),
                "updates": float(found[0]) if found else None,
                "train_acc": _signs(model, problem.x, problem.y),
            },
            images={"steps": curves(lines, "", "step", "accuracy (%)")},
        )

    def train_on_all(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: plain training on the whole cube."""
        return whole_cube(problem, hidden, run)


def _signs(model: Any, x: torch.Tensor, y: torch.Tensor) -> float:
    return 100 * float(((predict(model, x)[:, 0] > 0) == (y > 0)).double().mean())
