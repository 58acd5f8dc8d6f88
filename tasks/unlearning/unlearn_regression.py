"""Forget rows of a regression."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import Case, InvalidRun, Meta, Outcome, Preset, Reference, Score, Setup, Task, TaskCard
from bench.declared import Array, Size
from bench.tracks.unlearning import Problem, Solution
from bench.training.data import standardised
from bench.training.state import predict

from ._attacks import own_level, per_example
from ._compare import gap, neighbours, uninformative
from ._models import Weights, member, models
from ._regression import (
    METRICS,
    error_mia,
    predict_loss,
    relearning_steps,
    run_noise,
    wasserstein,
)
from ._task import cost
from ._views import places

UTILITY = 0.1
"""What a method may add to the mean absolute error on retained and on test
rows and still be ranked; targets have variance 1.
"""
FLOOR = 0.1
"""Added to the standard deviations of predictions."""


class Hidden(msgspec.Struct, kw_only=True):
    """What no method sees.

    Attributes:
        x: held-out rows, then test rows.
        y: their targets; clean ones of the test rows.
        held: how many are for the attack.
        originals: predictions of the K originals on training rows and ``x``, and from ``reveal`` on
            on neighbours of the forgotten rows.
        near: from ``reveal`` on, these neighbours (S, ...).
        retrained: from ``reveal`` on, 2 K models trained without the forgotten rows. Methods are
            compared with the first K; all of them say how far such models lie from each other.
    """

    x: Annotated[torch.Tensor, Array("H", ..., dtype="float32")]
    y: Annotated[torch.Tensor, Array("H", dtype="float32")]
    held: Annotated[int, Size("held")]
    originals: Annotated[torch.Tensor, Array("models", "seen", dtype="float32")]
    near: torch.Tensor | None = None
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
                variants={"random": {}}, params={"originals": 4, "epochs": 30}, seeds=1, timeout=60
            ),
            "default": Preset(
                variants={
                    "random": {},
                    "low": {"kind": "low"},
                    "ink-random": {
                        "data": "digits",
                        "n_train": 600,
                        "n_val": 200,
                        "n_pool": 400,
                        "share": 1 / 6,
                    },
                },
                seeds=3,
                timeout=300,
            ),
        },
        budget="what retraining costs; rte says how much of it was used",
        references=(Reference(name="original", kind="low"), Reference(name="retrain", kind="high")),
    )

    data: Literal["diabetes", "digits"] = "diabetes"
    """Dataset; of digits the target is the sum of the pixels, standardised, plus noise."""
    kind: Literal["random", "low"] = "random"
    """Rows at random, or those with the lowest targets."""
    share: Annotated[float, Meta(gt=0, lt=1)] | None = None
    """Share of the rows to forget; none: 0.1 at random, 0.3 of the lowest."""
    noise: Annotated[float, Meta(ge=0)] = 0.5
    """Standard deviation of the noise on the digits' targets, but the test rows'."""
    originals: Annotated[int, Meta(ge=3)] = 8
    """K, the original models, each to be unlearned, and as many retrained ones to compare with; an
    attack fits a spread to all but one of them, so 3 are the least.
    """
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
        """Split, train the originals, and ask."""
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
        rows = torch.arange(self.n_train, device=y.device).expand(self.originals, -1)
        originals = models(
            run,
            "regression originals",
            blank,
            rows,
            self._recipe(run),
            seen=torch.cat([x[train], hidden_x]),
        )
        return Case(
            problems=[
                msgspec.structs.replace(blank, weights=member(originals, k), forget=forget)
                for k in range(self.originals)
            ],
            hidden=Hidden(
                x=hidden_x, y=hidden_y, held=self.n_pool, originals=originals["outputs"][..., 0]
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
        """Retrain without the rows to forget, and draw neighbours of them."""
        problem, hidden = case.problems[0], case.hidden
        hidden.near = neighbours(run, problem)
        retain = (~problem.forget).nonzero()[:, 0].expand(2 * self.originals, -1)
        hidden.retrained = models(
            run,
            "regression retrained",
            problem,
            retain,
            self._recipe(run),
            seen=torch.cat([problem.x, hidden.x, hidden.near]),
        )
        before = problem.architecture.of([each.weights for each in case.problems], run.device)
        with torch.no_grad():
            near = before.eval()(hidden.near.expand(self.originals, *hidden.near.shape))
        hidden.originals = torch.cat([hidden.originals, near[..., 0]], 1)

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Compare with the retrained models."""
        problem, hidden = case.problems[0], case.hidden
        assert hidden.retrained is not None, "reveal comes before evaluate"
        solutions: list[Solution] = [outcome.solution for outcome in outcomes]
        seen = torch.cat([problem.x, hidden.x, hidden.near])
        forget = problem.forget.cpu().numpy()
        y = torch.cat([problem.y, hidden.y, problem.y[problem.forget]]).double().cpu().numpy()
        parts = places(forget, hidden.held, len(hidden.y) - hidden.held)
        everyone = hidden.retrained["outputs"][..., 0].double().cpu().numpy()
        theirs = everyone[: self.originals]
        ours = np.stack(
            [predict(each.model, seen)[:, 0].double().cpu().numpy() for each in solutions]
        )
        originals = hidden.originals.double().cpu().numpy()

        def attacked(outputs: np.ndarray) -> dict[str, list[np.ndarray]]:
            return {part: [outputs[:, parts[part]]] for part in ("forget", "near", "held", "some")}

        def mae(outputs: np.ndarray, part: str) -> float:
            return float(np.abs(outputs[:, parts[part]] - y[parts[part]]).mean())

        def svc(outputs: np.ndarray) -> float:
            errors = [np.abs(outputs - y)[:, parts[part]] for part in ("retain", "test", "forget")]
            return float(np.mean([error_mia(*each) for each in zip(*errors, strict=True)]))

        def w1(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
            rows = parts["forget"]
            return float(np.mean([wasserstein(one[rows], other[rows]) for one, other in pairs]))

        level = own_level(attacked(everyone), FLOOR)
        told, told_r = attacked(ours), attacked(theirs)
        uaucs = {part: per_example(told[part][0], told_r[part][0], FLOOR)["uauc"] for part in told}
        before = gap(attacked(originals), told_r, level, FLOOR)
        svc_ours = svc(ours)
        metrics: dict[str, float | None] = {
            "privacy_gap": gap(told, told_r, level, FLOOR),
            "uauc": uaucs.pop("forget"),
            **{f"uauc_{part}": uauc for part, uauc in uaucs.items()},
            "level": level,
            "gap_original": before,
            "uauc_original": per_example(
                attacked(originals)["forget"][0], told_r["forget"][0], FLOOR
            )["uauc"],
            "w1": w1(itertools.product(ours, theirs)),
            "w1_floor": w1(itertools.combinations(theirs, 2)),
            "mae_f": mae(ours, "forget"),
            "mae_f_gap": mae(ours, "forget") - mae(theirs, "forget"),
            "mae_r": mae(ours, "retain"),
            "mae_t": mae(ours, "test"),
            "mia_svc": svc_ours,
            "mia_gap": svc_ours - svc(theirs),
            "ain": self._anamnesis(solutions, case.problems, hidden),
        }
        gates = {
            "retained-error": mae(ours, "retain") <= mae(theirs, "retain") + UTILITY,
            "test-error": mae(ours, "test") <= mae(theirs, "test") + UTILITY,
            "unlearned": not np.allclose(ours, originals, rtol=0, atol=1e-4),
        }
        return Score(
            metrics=metrics | cost(outcomes, problem),
            gates=gates,
            not_rankable=uninformative(before),
        )

    def _anamnesis(
        self, solutions: Sequence[Solution], problems: Sequence[Problem], hidden: Hidden
    ) -> float | None:
        """Return the anamnesis index, for solutions that are nets of the original's form."""
        assert hidden.retrained is not None, "reveal comes before evaluate"
        weights = [each.weights for each in solutions if each.weights is not None]
        if len(weights) < len(solutions):
            return None
        target = 1.05 * float(np.mean([predict_loss(each.weights, each) for each in problems]))
        retrained = [member(hidden.retrained, k) for k in range(self.originals)]
        steps = relearning_steps([*weights, *retrained], problems[0], target)
        ours, theirs = steps[: len(weights)], steps[len(weights) :]
        return float(np.mean(ours)) / max(1.0, float(np.mean(theirs)))
