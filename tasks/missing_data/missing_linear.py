"""A linear function of many columns that depend on each other (arXiv:2301.13585)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import torch

from bench import Case, Meta, Metric, Outcome, Preset, Score, Setup, TaskCard
from bench.training.pictures import scatter
from bench.training.rowwise import rowwise

from ._task import HIGH, LOW, MissingTask, Rows

RANK, NOISE = 10, 0.1
"""Of the covariance of the columns: directions that they share, and variance of each alone."""


class MissingLinear(MissingTask):
    """400 rows to train on, 1,000 to judge by; the covariance has rank 10 but for a tenth of the
    identity, and targets are a linear function of the columns plus noise.
    """

    card: ClassVar = TaskCard(
        name="missing-linear",
        title="A linear function of columns with holes",
        track="missing-data",
        metrics=(
            Metric(
                name="r2",
                primary=True,
                bounds=(None, 1),
                chance=0,
                title="share of the variance of the test targets that is explained",
            ),
        ),
        presets={
            "smoke": Preset(
                variants={"d20": {"columns": 20}},
                params={"n_train": 60, "n_test": 60, "steps": 20},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"d20": {"columns": 20}, "d200": {"columns": 200}},
                seeds=5,
                timeout=300,
            ),
            "extended": Preset(variants={"d800": {"columns": 800}}, seeds=5, timeout=1800),
        },
        budget="least squares on 400 rows, whatever fills or reads the holes",
        inputs="table",
        references=(LOW, HIGH),
        paper="arXiv:2301.13585",
    )
    columns: Annotated[int, Meta(ge=2)] = 200
    """Columns, d."""
    n_train: Annotated[int, Meta(ge=10)] = 400
    """Training rows."""
    n_test: Annotated[int, Meta(ge=10)] = 1000
    """Test rows."""
    noise: Annotated[float, Meta(ge=0)] = 0.3
    """Standard deviation of the targets around the function, whose own is 1."""
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.3
    """Share of a column that is hidden; with ``mar`` 30 % of the columns are complete."""
    net: Literal["mlp", "least-squares"] = "least-squares"
    """What all imputers train on the filled rows."""

    def complete_rows(self, run: Setup) -> Rows:
        """Draw columns, weights and noise; targets have mean 0 and variance 1 in training rows."""
        generator = run.numpy_generator("split")
        total = self.n_train + self.n_test
        loadings = generator.standard_normal((RANK, self.columns)) / RANK**0.5
        x = generator.standard_normal((total, RANK)) @ loadings
        x += NOISE**0.5 * generator.standard_normal((total, self.columns))
        said = x @ generator.standard_normal(self.columns)
        y = said / said.std() + self.noise * generator.standard_normal(total)
        train = slice(0, self.n_train)
        y = (y - y[train].mean()) / y[train].std()
        rows, targets = torch.from_numpy(x).float(), torch.from_numpy(y).float()
        rows, targets = rows.to(run.device), targets.to(run.device)
        return Rows(
            x=rows[train],
            y=targets[train],
            x_test=rows[self.n_train :],
            y_test=targets[self.n_train :],
            classes=1,
        )

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the model on test rows with holes."""
        said = rowwise(outcomes[0].solution.model, case.hidden.x_test)[:, 0].double()
        y = case.hidden.y_test.double()
        r2 = 1 - float((said - y).square().mean() / (y - y.mean()).square().mean())
        points = {"test rows": (y.cpu().numpy(), said.cpu().numpy())}
        drawn = scatter(points, "Predictions against truth", "target, in sd", "predicted, in sd")
        return Score(metrics={"r2": r2}, images={"predictions": drawn})
