"""Undo what corrupted rows taught a model, when only some of them are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import torch

from bench import Case, InvalidRun, Meta, Outcome, Preset, Reference, Run, Score, Setup, TaskCard
from bench.declared import Array, Size
from bench.tracks.unlearning import Group, Problem, Solution, train
from bench.training.state import predict

from ._corrective import METRICS
from ._data import Data, load
from ._models import Weights, member, models
from ._nets import NetTask
from ._task import cost

UTILITY = 3.0
"""Points of retained accuracy that a method may lose against the oracle and still be ranked."""
HARM = 10.0
"""Points of corrected accuracy that the corruption must cost the original;
else there is nothing to correct.
"""
TARGET = 0
"""The label that poisoned rows are given."""
CONFUSED = (3, 5)
"""The classes whose labels are swapped."""


class Hidden(msgspec.Struct, kw_only=True):
    """What no method sees: all corrupted rows, the test rows, and from ``reveal`` on the oracles.

    Attributes:
        corrupted: training rows that are corrupted (N,), bool.
        x: test inputs of the affected domain, then of the rest.
        y: their true labels.
        affected: how many belong to the affected domain.
        outputs: of the oracles, trained without any corrupted row, on ``x`` (K, n, C).
    """

    corrupted: Annotated[torch.Tensor, Array("N", dtype="bool")]
    x: Annotated[torch.Tensor, Array("T", ..., dtype="float32")]
    y: Annotated[torch.Tensor, Array("T", dtype="int64", ge=0, lt="C")]
    affected: Annotated[int, Size("affected")]
    outputs: torch.Tensor | None = None
    original: Annotated[torch.Tensor, Array("T", "C", dtype="float32")]

    def validate(self) -> None:
        """Raise InvalidRun where every test row belongs to the affected domain."""
        if self.affected >= len(self.y):
            raise InvalidRun(
                f"all {len(self.y)} test rows belong to the affected domain, and none is left to "
                "say what was retained"
            )


class UnlearnCorrective(NetTask):
    """Some training rows are corrupted; a share of them is known.

    Make the model as good as one trained without all of them.
    """

    card: ClassVar = TaskCard(
        name="unlearn-corrective",
        title="Correct what corrupted rows taught",
        track="unlearning-correction",
        datasets=("digits", "mnist5k", "cifar10", "cifar100", "svhn"),
        libraries=("scipy", "sklearn"),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"poison100": {"known": 1.0}},
                params={
                    "data": "digits",
                    "n_train": 900,
                    "n_val": 200,
                    "widths": [64, 64],
                    "epochs": 15,
                    "batch_size": 32,
                    "oracles": 2,
                },
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "poison10": {"known": 0.1},
                    "poison50": {"known": 0.5},
                    "poison100": {"known": 1.0},
                    "confusion50": {"kind": "confusion", "known": 0.5, "corrupted": 0.05},
                },
                seeds=5,
                timeout=300,
            ),
            "shares": Preset(
                variants={
                    "poison30": {"known": 0.3},
                    "poison80": {"known": 0.8},
                    "confusion10": {"kind": "confusion", "known": 0.1, "corrupted": 0.05},
                    "confusion100": {"kind": "confusion", "known": 1.0, "corrupted": 0.05},
                },
                seeds=5,
                timeout=300,
            ),
        },
        budget="what retraining costs; rte says how much of it was used",
        references=(
            Reference(name="original", kind="low"),
            Reference(
                name="oracle",
                kind="high",
                title="Training without any corrupted row",
                solve="train_clean",
            ),
        ),
        paper="arXiv:2402.14015",
        bibtex="""@article{goel2024corrective,
  title = {Corrective Machine Unlearning},
  author = {Goel, Shashwat and Prabhu, Ameya and Torr, Philip and Kumaraguru, Ponnurangam and
    Sanyal, Amartya},
  journal = {Transactions on Machine Learning Research},
  year = {2024},
  eprint = {2402.14015},
  archivePrefix = {arXiv}
}""",
    )

    kind: Literal["poison", "confusion"] = "poison"
    """A 3x3 patch with a fixed label, or swapped labels of two classes."""
    corrupted: Annotated[float, Meta(gt=0, lt=1)] = 0.02
    """Share of the training rows that is corrupted."""
    known: Annotated[float, Meta(gt=0, le=1)] = 1.0
    """Share of the corrupted rows that is given to forget."""
    oracles: Annotated[int, Meta(ge=1)] = 3
    """Models trained without any corrupted row, for the comparison."""
    n_train: Annotated[int, Meta(ge=10)] = 3000
    """Training rows."""
    n_val: Annotated[int, Meta(ge=10)] = 500
    """Validation rows; none is corrupted."""
    epochs: Annotated[int, Meta(ge=1)] = 15
    """Passes of the recipe."""

    def prepare(self, run: Setup) -> Case:
        """Corrupt, train the original, and name some of the corrupted rows."""
        data = self._shuffled(load(run, self.data, self.n_train, self.n_val, 10, 0.0), run)
        generator = run.numpy_generator("corruption", self.kind)
        count = round(self.corrupted * len(data.y))
        x, y = data.x.clone(), data.y.clone()
        if self.kind == "poison":
            chosen = torch.from_numpy(generator.permutation(len(y))[:count]).to(y.device)
            x, y[chosen] = patched(x, chosen), TARGET
        else:
            sides = [(data.y == c).nonzero()[:, 0] for c in CONFUSED]
            sides = [
                side[torch.from_numpy(generator.permutation(len(side))[: count // 2]).to(y.device)]
                for side in sides
            ]
            y[sides[0]], y[sides[1]] = CONFUSED[1], CONFUSED[0]
            chosen = torch.cat(sides)
        order = torch.from_numpy(run.numpy_generator("split", "known").permutation(len(chosen))).to(
            y.device
        )
        corrupted, forget = (
            torch.zeros_like(y, dtype=torch.bool),
            torch.zeros_like(y, dtype=torch.bool),
        )
        corrupted[chosen] = True
        forget[chosen[order[: max(1, round(self.known * len(chosen)))]]] = True
        problem = msgspec.structs.replace(self.blank(data), x=x, y=y, goal="correct")
        tested = self._tested(data)
        originals = models(
            run,
            "corrupted originals",
            problem,
            torch.arange(len(y), device=y.device)[None].expand(2, -1),
            self._recipe(run),
            seen=tested[0],
        )
        problem = msgspec.structs.replace(problem, weights=member(originals, 0), forget=forget)
        return Case(
            problems=[problem],
            hidden=Hidden(
                corrupted=corrupted,
                x=tested[0],
                y=tested[1],
                affected=tested[2],
                original=originals["outputs"][0],
            ),
        )

    def _shuffled(self, data: Data, run: Setup) -> Data:
        """Return the data with the training rows in an order that the seed draws: where they are
        sorted by class, a label unlike its neighbours' would tell that it was swapped.
        """
        order = run.numpy_generator("split", "order").permutation(len(data.y))
        rows = torch.from_numpy(order).to(data.y.device)
        parts = {name: getattr(data, name)[rows] for name in ("x", "y", "y_true")}
        return msgspec.structs.replace(data, **parts)

    def _tested(self, data: Data) -> tuple[torch.Tensor, torch.Tensor, int]:
        """Return test inputs and labels, those of the affected domain
        first, and how many these are.
        """
        x, y = data.x_test, data.y_test
        if self.kind == "poison":
            other = y != TARGET  # a row of the target class shows no harm
            struck, y_struck, x_rest, y_rest = patched(x[other], slice(None)), y[other], x, y
        else:
            confused = (y == CONFUSED[0]) | (y == CONFUSED[1])
            struck, y_struck, x_rest, y_rest = x[confused], y[confused], x[~confused], y[~confused]
        return torch.cat([struck, x_rest]), torch.cat([y_struck, y_rest]), len(y_struck)

    def _recipe(self, run: Setup) -> dict[str, Any]:
        return self.recipe(run, "kind", "corrupted", "n_train", "n_val")

    def reveal(self, case: Case, run: Setup) -> None:
        """Train the oracles, without any corrupted row."""
        hidden: Hidden = case.hidden
        clean = (~hidden.corrupted).nonzero()[:, 0].expand(self.oracles, -1)
        oracles: Weights = models(
            run, "clean oracles", case.problems[0], clean, self._recipe(run), seen=hidden.x
        )
        hidden.outputs = oracles["outputs"]

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score where the corruption struck, and elsewhere."""
        hidden: Hidden = case.hidden
        problem = case.problems[0]
        solution: Solution = outcomes[0].solution
        assert hidden.outputs is not None, "reveal comes before evaluate"

        def accuracies(outputs: torch.Tensor) -> tuple[float, float]:
            right = (outputs.argmax(-1) == hidden.y).double()
            return 100 * float(right[..., : hidden.affected].mean()), 100 * float(
                right[..., hidden.affected :].mean()
            )

        outputs = predict(solution.model, hidden.x)
        (corr, retain), (corr_oracle, retain_oracle) = (
            accuracies(outputs),
            accuracies(hidden.outputs),
        )
        corr_original = accuracies(hidden.original)[0]
        fitted = predict(solution.model, problem.x).argmax(-1) == problem.y
        unknown = hidden.corrupted & ~problem.forget
        metrics: dict[str, float | None] = {
            "acc_corr": corr,
            "acc_retain": retain,
            "acc_corr_oracle": corr_oracle,
            "acc_corr_original": corr_original,
            "retain_gap": retain - retain_oracle,
            "fa": 100 * float(fitted[problem.forget].double().mean()),
            "fa_unknown": 100 * float(fitted[unknown].double().mean()) if unknown.any() else None,
        }
        gates = {
            "retained-accuracy": retain >= retain_oracle - UTILITY,
            "unlearned": not torch.allclose(outputs, hidden.original, rtol=0, atol=1e-4),
        }
        harm = corr_oracle - corr_original
        reason = None
        if solution.weights is None:
            reason = (
                "another model: the solution has no weights of the original's form, and what takes "
                "the original's place unlearns nothing"
            )
        if harm < HARM:
            reason = (
                f"not informative: the corruption costs the original only {harm:.1f} points of "
                "corrected accuracy"
            )
        return Score(metrics=metrics | cost(outcomes, problem), gates=gates, not_rankable=reason)

    def train_clean(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """Train on all rows but the corrupted ones: what an unlearner that
        knew them all could reach.
        """
        group = Group([problem], [run])
        clean = (~hidden.corrupted).nonzero()[:, 0][None]
        nets = train(group, group.fresh(), group.rows(clean, "retain"))
        return Solution(model=nets.member(0), weights=nets.net(0), exact=True)


def patched(x: torch.Tensor, rows: torch.Tensor | slice) -> torch.Tensor:
    """Return a copy of pictures (n, ..., h, w) in which ``rows`` have a
    bright 3x3 patch in the lower right corner.
    """
    copy = x.clone()
    copy[rows, ..., -3:, -3:] = x.max()
    return copy
