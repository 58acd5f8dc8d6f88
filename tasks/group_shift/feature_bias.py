"""An easy and a hard feature that are learned equally well: which fills the net's features?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch

from bench import Meta, Metric, Outcome, Preset, Score, Setup, TaskCard, Watched
from bench.tracks.group_shift import Problem
from bench.training.state import predict

from . import _scores as scores
from ._metrics import ERM
from ._task import GroupTask, Hidden, Parts, Rows

PARITY = (1, 2, 3)
"""Coordinates whose product is the hard feature; the easy one is coordinate 0."""
LEARNED = 95.0
"""Per cent from which a feature counts as learned."""


class FeatureBias(GroupTask):
    """Rows of signs; the class says a sign and the product of three others."""

    card: ClassVar = TaskCard(
        name="feature-bias",
        title="An easy and a hard feature in one label",
        track="group-shift",
        metrics=(
            Metric(
                name="acc_hard",
                primary=True,
                unit="%",
                bounds=(0, 100),
                title="accuracy on the product of three signs",
            ),
            Metric(
                name="acc_easy",
                unit="%",
                bounds=(0, 100),
                title="accuracy on the sign",
            ),
            Metric(
                name="epoch_easy",
                direction="none",
                bounds=(1, None),
                title="first epoch with the sign right on 95 % of validation rows",
            ),
            Metric(
                name="epoch_hard",
                direction="none",
                bounds=(1, None),
                title="first epoch with the product right on 95 % of validation rows",
            ),
            Metric(
                name="r2_easy",
                direction="none",
                bounds=(0, 1),
                title="share of the features' variance that the sign explains",
            ),
            Metric(
                name="r2_hard",
                direction="none",
                bounds=(0, 1),
                title="share of the features' variance that the product explains",
            ),
            Metric(
                name="r2_excess",
                direction="none",
                bounds=(-4, 1),
                title="share that the sign explains minus four times that of the product",
            ),
            Metric(
                name="score_val",
                validation=True,
                unit="%",
                bounds=(0, 100),
                title="accuracy on validation rows",
            ),
        ),
        presets={
            "smoke": Preset(
                variants={"parity3": {}},
                params={"n_train": 300, "epochs": 3, "widths": [32]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"parity3": {}}, seeds=5, timeout=300),
            "extended": Preset(variants={"rare": {"told": 0.25}}, seeds=5, timeout=300),
        },
        budget="30 epochs of batch 128; what a method trains besides is its own cost",
        inputs="table",
        tuning={"judged": "validation"},
        references=(ERM,),
        paper="arXiv:2405.05847",
    )
    classes: ClassVar = 4
    values: ClassVar = 1
    select: Literal["val-wga", "val-wca", "val-avg", "last"] = "last"
    """What chooses the epoch: nothing, features are those of the last."""
    told: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """Share of training rows whose class tells the product; it is drawn at random in the others."""
    n_train: Annotated[int, Meta(ge=2)] = 4000
    """Training rows."""

    def parts(self, run: Setup) -> Parts:
        """Draw signs, and the class of each row."""

        def part(name: str, rows: int, told: float) -> Rows:
            generator = run.numpy_generator("split", name)
            x = 2.0 * generator.integers(0, 2, (rows, 32)) - 1
            hard = x[:, PARITY].prod(1) > 0
            free = generator.random(rows) >= told
            hard = np.where(free, generator.random(rows) < 0.5, hard)
            y = torch.from_numpy(2 * (x[:, 0] > 0) + hard).long()
            return Rows(x=torch.from_numpy(x).float(), y=y, attribute=torch.zeros_like(y))

        return Parts(
            train=part("train", self.n_train, self.told),
            val=part("val", 1000, 1.0),
            test=part("test", 2000, 1.0),
        )

    def watch(self, case: Any, k: int, step: int, model: Any) -> Watched:
        """Score an epoch on validation rows, feature by feature."""
        easy, hard = _accuracies(model, case.hidden.x_val, case.hidden.y_val)
        return Watched({"easy_val": easy, "hard_val": hard})

    def evaluate(self, case: Any, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the model as returned."""
        outcome = outcomes[0]
        if self.judged == "validation":
            return self._score_of_validation(outcome.solution.model, case.hidden)
        metrics, arrays = self.figures(outcome.solution.model, case.hidden, case.problems[0], run)
        for name in ("easy", "hard"):
            steps = [
                entry["step"]
                for entry in outcome.curve
                if (entry.get(f"{name}_val") or 0.0) >= LEARNED
            ]
            metrics[f"epoch_{name}"] = float(min(steps)) if steps else None
        return Score(metrics=metrics, arrays=arrays)

    def figures(
        self, model: Any, hidden: Hidden, problem: Problem, run: Setup
    ) -> tuple[dict[str, float | None], dict[str, Any]]:
        """Return accuracies on both features, and what they explain of the net's features."""
        easy, hard = _accuracies(model, hidden.x_test, hidden.y_test)
        found: dict[str, float | None] = {"acc_easy": easy, "acc_hard": hard}
        if (features := scores.features_of(model, hidden.x_test)) is not None:
            shares = [scores.explained(features, part) for part in _bits(hidden.y_test)]
            found |= {"r2_easy": shares[0], "r2_hard": shares[1]}
            if shares[0] is not None and shares[1] is not None:
                found["r2_excess"] = shares[0] - 4 * shares[1]
        return found, {}


def _bits(y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the easy and the hard part of classes (n,)."""
    return y // 2, y % 2


def _accuracies(model: Any, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    said = predict(model, x).argmax(-1)
    easy, hard = (
        100 * float((mine == true).double().mean())
        for mine, true in zip(_bits(said), _bits(y), strict=True)
    )
    return easy, hard
