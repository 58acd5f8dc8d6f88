"""What the classification tasks of the track share: originals before,
retrained models after, and the attacks between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
import torch

from bench import Case, Meta, Outcome, Score, Setup
from bench.declared import Array
from bench.digests import digest
from bench.tracks.unlearning import Problem, Solution
from bench.training.state import predict

from ._attacks import own_level, per_example
from ._compare import compare, gap, neighbours, uninformative
from ._data import Data, load, rehearsed
from ._models import Weights, member, models
from ._nets import NetTask
from ._pictures import pictures
from ._views import Views

UTILITY = 2.0
"""Points of retained and of test accuracy that a method may lose against
retraining and still be ranked.
"""


class Hidden(msgspec.Struct, kw_only=True):
    """What no method sees.

    Attributes:
        data: all rows.
        originals: K originals, with their outputs.
        retrained: from ``reveal`` on, after solving: 2 K models trained without the forgotten rows.
            Methods are compared with the first K; all of them say how far such models lie from
            each other.
        near: from ``reveal`` on, a neighbour of each forgotten row (S, ...).
        svc: the legacy attack on the first K retrained models (%).
        level: the gap that retrained models show among themselves, in [0, 0.5].
    """

    data: Data
    originals: Annotated[Weights, Array("models", ..., dtype="number")]
    retrained: Weights | None = None
    near: torch.Tensor | None = None
    svc: float = 0.0
    level: float = 0.0

    @property
    def seen(self) -> torch.Tensor:
        """The rows whose outputs are compared, as :class:`Views` orders them."""
        return _seen(self.data) if self.near is None else torch.cat([_seen(self.data), self.near])

    @property
    def anew(self) -> torch.Tensor:
        """The outputs of the first K retrained models on these rows, (K, n, C)."""
        assert self.retrained is not None, "reveal comes before evaluate"
        outputs = self.retrained["outputs"]
        return outputs[: len(outputs) // 2]


class UnlearningTask(NetTask):
    """Train K originals on all rows, ask for some rows to be forgotten,
    compare with models retrained without them.
    """

    noise: Annotated[float, Meta(ge=0, lt=1)] = 0.1
    """Share of wrong labels: the more of them, the more a model has to memorise."""
    originals: Annotated[int, Meta(ge=3)] = 8
    """K, the original models, each to be unlearned, and as many retrained ones to compare with; an
    attack fits a spread to all but one of them, so 3 are the least.
    """
    n_train: Annotated[int, Meta(ge=10)] = 2000
    """Training rows."""
    n_val: Annotated[int, Meta(ge=10)] = 500
    """Validation rows, which methods see."""
    n_pool: Annotated[int, Meta(ge=10)] = 1000
    """Held-out rows of the attacks."""
    rehearse: bool = False
    """Rehearse with what a method may see, for choosing parameters: half of the validation rows
    stand for the pool and the test rows.
    """

    def forget_rows(self, run: Setup, data: Data, problem: Problem) -> torch.Tensor:
        """Return which training rows are to be forgotten (N,), bool.

        ``problem`` holds an original, and no request yet.
        """
        raise TypeError(
            f"task {self.name_of()!r} does not say which rows to forget; write forget_rows(self, "
            "run, data, problem)."
        )

    def extras(self, ours: Views) -> dict[str, float | None]:
        """Return metrics of this task alone."""
        return {}

    def prepare(self, run: Setup) -> Case:
        """Train the originals, and ask."""
        data = load(run, self.data, self.n_train, self.n_val, self.n_pool, self.noise)
        if self.rehearse:
            data = rehearsed(data, run.numpy_generator("split", "rehearsal"))
        blank = self.blank(data)
        rows = torch.arange(len(data.y), device=data.y.device).expand(self.originals, -1)
        originals = models(run, "originals", blank, rows, self._recipe(run), seen=_seen(data))
        forget = self.forget_rows(
            run, data, msgspec.structs.replace(blank, weights=member(originals, 0))
        )
        problems = [
            msgspec.structs.replace(blank, weights=member(originals, k), forget=forget)
            for k in range(self.originals)
        ]
        return Case(problems=problems, hidden=Hidden(data=data, originals=originals))

    def _recipe(self, run: Setup) -> dict[str, Any]:
        return self.recipe(run, "noise", "n_train", "n_val", "n_pool", "rehearse")

    def reveal(self, case: Case, run: Setup) -> None:
        """Retrain without the rows to forget, from seeds of their own, and draw neighbours."""
        hidden, problem = case.hidden, case.problems[0]
        hidden.near = neighbours(run, problem)
        retain = (~problem.forget).nonzero()[:, 0].expand(2 * self.originals, -1)
        hidden.retrained = models(
            run, "retrained", problem, retain, self._recipe(run), seen=hidden.seen
        )
        before = problem.architecture.of([each.weights for each in case.problems], run.device)
        with torch.no_grad():
            near = before.eval()(hidden.near.expand(self.originals, *hidden.near.shape))
        hidden.originals["outputs"] = torch.cat([hidden.originals["outputs"], near], 1)
        theirs = Views(hidden.anew, problem, hidden.data)
        everyone = Views(hidden.retrained["outputs"], problem, hidden.data)
        recipe = {
            "what": "unlearning retrained models' own figures",
            "count": self.originals,
            "forget": digest(problem.forget.int().tolist()),
            **self._recipe(run),
        }
        found, _ = run.cached(
            recipe,
            lambda child: {
                "svc": torch.tensor(theirs.svc(), dtype=torch.float64),
                "level": torch.tensor(own_level(everyone.attacked()), dtype=torch.float64),
            },
        )
        hidden.svc, hidden.level = float(found["svc"]), float(found["level"])

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Compare with the retrained models."""
        hidden: Hidden = case.hidden
        assert hidden.retrained is not None, "reveal comes before evaluate"
        ours = Views(
            torch.stack(
                [
                    predict(outcome.solution.model, hidden.seen).to(hidden.anew)
                    for outcome in outcomes
                ]
            ),
            case.problems[0],
            hidden.data,
        )
        theirs = Views(hidden.anew, case.problems[0], hidden.data)
        originals = Views(hidden.originals["outputs"], case.problems[0], hidden.data)
        gates = {
            "retained-accuracy": ours.ra >= theirs.ra - UTILITY,
            "test-accuracy": ours.ta >= theirs.ta - UTILITY,
            "unlearned": not torch.allclose(ours.outputs, originals.outputs, rtol=0, atol=1e-4),
        }
        metrics = compare(ours, theirs, hidden.svc, hidden.level)
        if self.rehearse:  # what fails a gate is worth no more than what is told apart at once
            return Score(
                metrics={"gap_val": metrics["privacy_gap"] if all(gates.values()) else 0.5},
                not_rankable="a rehearsal on validation rows",
            )
        before = gap(originals.attacked(), theirs.attacked(), hidden.level)
        metrics |= {
            "gap_original": before,
            "uauc_original": per_example(originals.phi("forget"), theirs.phi("forget"))["uauc"],
        }
        metrics |= cost(outcomes, case.problems[0]) | self.extras(ours)
        seconds = hidden.retrained["seconds"].tolist()
        clocks = [
            outcomes[0].cost.get(name, 0.0) / len(outcomes) / per_model
            for name, per_model in zip(("solve_s", "solve_cpu_s"), seconds, strict=True)
        ]
        reason = uninformative(before)
        arrays = {
            "phi_forget": ours.phi("forget"),
            "phi_held": ours.phi("held"),
            "phi_forget_retrained": theirs.phi("forget"),
            "rte": np.array([*clocks, metrics["rte"]]),
        }
        return Score(
            metrics=metrics,
            gates=gates,
            not_rankable=reason,
            arrays=arrays,
            images=pictures(ours, theirs, originals),
        )


def cost(outcomes: Sequence[Outcome], problem: Problem) -> dict[str, float | None]:
    """Return what unlearning one model cost in visits of examples, over
    retraining it, and what a method keeps.
    """
    solutions: list[Solution] = [outcome.solution for outcome in outcomes]
    retraining = 2 * problem.epochs * int((~problem.forget).sum())
    visits = float(np.mean([sum(outcome.counters.values()) for outcome in outcomes]))
    before = float(np.mean([solution.precompute for solution in solutions]))
    return {
        "rte": (visits - before) / retraining,
        "precompute": before / retraining,
        "exact": float(all(solution.exact for solution in solutions)),
        "stored": float(np.mean([solution.stored for solution in solutions])),
    }


def _seen(data: Data) -> torch.Tensor:
    return torch.cat([data.x, data.x_pool, data.x_test])
