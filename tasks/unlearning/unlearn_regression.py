"""Forget rows of a regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import Case, InvalidRun, Meta, Outcome, Preset, Reference, Score, Setup, Task, TaskCard
from bench.declared import Array, Size
from bench.tracks.unlearning import Problem, Solution
from bench.training.data import standardised
from bench.training.state import predict

from ._attacks import contrast
from ._models import Weights, member, models
from ._regression import METRICS, error_mia, predict_loss, relearning_steps, run_noise, wasserstein
from ._task import INFORMATIVE, cost

UTILITY = 0.1
"""What a method may add to the mean absolute error on retained and on test
rows and still be ranked; targets have variance 1.
"""


class Hidden(msgspec.Struct, kw_only=True):
    """What no method sees: held-out rows, test rows, the original's
    outputs, and from ``reveal`` on the retrained models.
    """

    x: Annotated[torch.Tensor, Array("H", ..., dtype="float32")]
    y: Annotated[torch.Tensor, Array("H", dtype="float32")]
    held: Annotated[int, Size("held")]
    original: Annotated[torch.Tensor, Array("seen", dtype="float32")]
    retrained: Weights | None = None

    def validate(self) -> None:
        """Raise InvalidRun where no row is left to test on."""
        if self.held >= len(self.y):
            raise InvalidRun(
                f"{self.held} of the {len(self.y)} held-out rows are for the attack, and none is "
                "left to test on"
            )


class UnlearnRegression(Task):
    """Forget rows of a regression: drawn at random, or those with the lowest targets."""

    card: ClassVar = TaskCard(
        name="unlearn-regression",
        title="Forget rows of a regression",
        track="unlearning-regression",
        datasets=("diabetes", "digits"),
        libraries=("scipy", "sklearn"),
        clock_arrays=("rte",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"random": {}}, params={"retrains": 4, "epochs": 30}, seeds=1, timeout=60
            ),
            "default": Preset(
                variants={
                    "random": {},
                    "low": {"kind": "low"},
                    "ink-random": {"data": "digits", "n_train": 600, "n_val": 200, "n_pool": 400},
                },
                seeds=3,
                timeout=300,
            ),
        },
        budget="what retraining costs; rte says how much of it was used",
        references=(Reference(name="original", kind="low"), Reference(name="retrain", kind="high")),
    )

    data: Literal["diabetes", "digits"] = "diabetes"
    """Data set; of digits the target is the sum of the pixels, standardised, plus noise."""
    kind: Literal["random", "low"] = "random"
    """Rows at random, or those with the lowest targets."""
    share: Annotated[float, Meta(gt=0, lt=1)] | None = None
    """Share of the rows to forget; none: 0.1 at random, 0.3 of the lowest."""
    noise: Annotated[float, Meta(ge=0)] = 0.5
    """Standard deviation of the noise on the digits' targets, but the test rows'."""
    retrains: Annotated[int, Meta(ge=3)] = 8
    """Retrained models to compare with."""
    n_train: Annotated[int, Meta(ge=10)] = 200
    """Training rows."""
    n_val: Annotated[int, Meta(ge=1)] = 40
    """Validation rows, which methods see."""
    n_pool: Annotated[int, Meta(ge=10)] = 100
    """Held-out rows of the attack."""
    widths: tuple[int, ...] = (64, 64)
    """Widths of the hidden layers."""
    epochs: Annotated[int, Meta(ge=1)] = 60
    """Passes of the recipe."""
    batch_size: Annotated[int, Meta(ge=1)] = 32
    """Rows of a batch."""
    lr: Annotated[float, Meta(gt=0)] = 0.01
    """Learning rate at the start of the cosine."""

    def prepare(self, run: Setup) -> Case:
        """Split, train the original, and ask."""
        x, y = self._table(run)
        order = torch.from_numpy(run.numpy_generator("split").permutation(len(y))).to(y.device)
        train, val, pool, test = order.split(
            [
                self.n_train,
                self.n_val,
                self.n_pool,
                len(y) - self.n_train - self.n_val - self.n_pool,
            ]
        )
        clean = y
        y = y + self.noise * run_noise(run, len(y)).to(y.device) if self.data == "digits" else y
        share = self.share if self.share is not None else {"random": 0.1, "low": 0.3}[self.kind]
        size = round(share * self.n_train)
        drawn = torch.from_numpy(run.numpy_generator("split", "forget").permutation(self.n_train))
        chosen = (
            drawn[:size].to(y.device)
            if self.kind == "random"
            else y[train].sort(stable=True).indices[:size]
        )
        forget = torch.zeros(self.n_train, dtype=torch.bool, device=y.device)
        forget[chosen] = True
        blank = Problem(
            weights={},
            x=x[train],
            y=y[train],
            forget=torch.zeros_like(forget),
            x_val=x[val],
            y_val=y[val],
            n_classes=0,
            widths=self.widths,
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr,
        )
        hidden_x, hidden_y = torch.cat([x[pool], x[test]]), torch.cat([y[pool], clean[test]])
        rows = torch.arange(self.n_train, device=y.device).expand(2, -1)
        originals = models(
            run,
            "regression originals",
            blank,
            rows,
            self._recipe(run),
            seen=torch.cat([x[train], hidden_x]),
        )
        problem = msgspec.structs.replace(blank, weights=member(originals, 0), forget=forget)
        return Case(
            problems=[problem],
            hidden=Hidden(
                x=hidden_x, y=hidden_y, held=self.n_pool, original=originals["outputs"][0, :, 0]
            ),
        )

    def _table(self, run: Setup) -> tuple[torch.Tensor, torch.Tensor]:
        examples = run.dataset(self.data)
        if self.data == "diabetes":
            return examples.x, examples.y
        ink = examples.x.flatten(1).float().sum(1)
        return standardised(examples.x)[0].flatten(1), (ink - ink.mean()) / ink.std()

    def _recipe(self, run: Setup) -> dict[str, Any]:
        names = ("data", "noise", "n_train", "n_val", "n_pool")
        names += ("widths", "epochs", "batch_size", "lr")
        return {"seed": run.seed, **{name: getattr(self, name) for name in names}}

    def reveal(self, case: Case, run: Setup) -> None:
        """Retrain without the rows to forget."""
        problem, hidden = case.problems[0], case.hidden
        retain = (~problem.forget).nonzero()[:, 0].expand(self.retrains, -1)
        hidden.retrained = models(
            run,
            "regression retrained",
            problem,
            retain,
            self._recipe(run),
            seen=torch.cat([problem.x, hidden.x]),
        )

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Compare with the retrained models."""
        problem, hidden = case.problems[0], case.hidden
        assert hidden.retrained is not None, "reveal comes before evaluate"
        solution: Solution = outcomes[0].solution
        y = torch.cat([problem.y, hidden.y]).double().cpu().numpy()
        forget = problem.forget.cpu().numpy()
        n = len(forget)
        rows = np.arange(len(y))
        size = int(forget.sum())
        parts = {
            "f": rows[:n][forget],
            "r": rows[:n][~forget],
            "h": rows[n : n + min(hidden.held, size)],
            "t": rows[n + hidden.held :],
        }
        theirs = hidden.retrained["outputs"][..., 0].double().cpu().numpy()
        ours = (
            predict(solution.model, torch.cat([problem.x, hidden.x]))[:, 0].double().cpu().numpy()
        )
        original = hidden.original.double().cpu().numpy()

        def mae(outputs: np.ndarray, part: str) -> float:
            return float(np.abs(outputs[..., parts[part]] - y[parts[part]]).mean())

        def cauc(outputs: np.ndarray) -> float:
            phi, phi_r = -((outputs - y) ** 2), -((theirs - y) ** 2)
            return contrast(
                phi[parts["f"]], phi[parts["h"]], phi_r[:, parts["f"]], phi_r[:, parts["h"]]
            )

        def svc(outputs: np.ndarray) -> float:
            error = np.abs(outputs - y)
            return error_mia(error[parts["r"]], error[parts["t"]], error[parts["f"]])

        found, before = cauc(ours), cauc(original)
        svc_theirs = float(np.mean([svc(one) for one in theirs]))
        metrics: dict[str, float | None] = {
            "privacy_gap": abs(found - 0.5),
            "cauc": found,
            "cauc_original": before,
            "w1": float(
                np.mean([wasserstein(ours[parts["f"]], one[parts["f"]]) for one in theirs])
            ),
            "w1_floor": float(
                np.mean([wasserstein(theirs[0][parts["f"]], one[parts["f"]]) for one in theirs[1:]])
            ),
            "mae_f": mae(ours, "f"),
            "mae_f_gap": mae(ours, "f") - mae(theirs, "f"),
            "mae_r": mae(ours, "r"),
            "mae_t": mae(ours, "t"),
            "mia_svc": svc(ours),
            "mia_gap": svc(ours) - svc_theirs,
            "ain": self._anamnesis(solution, problem, hidden),
        }
        gates = {
            "retained-error": mae(ours, "r") <= mae(theirs, "r") + UTILITY,
            "test-error": mae(ours, "t") <= mae(theirs, "t") + UTILITY,
            "unlearned": not np.allclose(ours, original, rtol=0, atol=1e-4),
        }
        reason = (
            (
                "not informative: original and retrained models can hardly be told apart (AUC "
                f"{before:.2f})"
            )
            if before < INFORMATIVE
            else None
        )
        return Score(metrics=metrics | cost(outcomes, problem), gates=gates, not_rankable=reason)

    def _anamnesis(self, solution: Solution, problem: Problem, hidden: Hidden) -> float | None:
        """Return the anamnesis index, for solutions that are nets of the original's form."""
        assert hidden.retrained is not None, "reveal comes before evaluate"
        if solution.weights is None:
            return None
        original = predict_loss(problem.weights, problem)
        steps = relearning_steps(
            [solution.weights, *(member(hidden.retrained, k) for k in range(self.retrains))],
            problem,
            1.05 * original,
        )
        return steps[0] / max(1.0, float(np.mean(steps[1:])))
