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

from ._attacks import auc, contrast, distances, per_example
from ._data import Data, load, rehearsed
from ._models import Weights, member, models
from ._nets import NetTask
from ._pictures import pictures
from ._quality import forgetting_quality
from ._views import Views

INFORMATIVE = 0.6
"""An original that an attack tells from retrained models with less than
this AUC leaves nothing to forget.
"""
UTILITY = 2.0
"""Points of retained and of test accuracy that a method may lose against
retraining and still be ranked.
"""


class Hidden(msgspec.Struct, kw_only=True):
    """What no method sees; ``retrained`` is built by ``reveal`` after solving."""

    data: Data
    originals: Annotated[Weights, Array("models", ..., dtype="number")]
    retrained: Weights | None = None
    svc: float = 0.0


class UnlearningTask(NetTask):
    """Train K originals on all rows, ask for some rows to be forgotten,
    compare with models retrained without them.
    """

    noise: Annotated[float, Meta(ge=0, lt=1)] = 0.1
    """Share of wrong labels: the more of them, the more a model has to memorise."""
    originals: Annotated[int, Meta(ge=1)] = 1
    """Original models, each to be unlearned; with 3 or more of them uAUC decides."""
    retrains: Annotated[int, Meta(ge=3)] = 8
    """Retrained models to compare with; as many as originals where there are several."""
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
        """Retrain without the rows to forget, from seeds of their own."""
        hidden, problem = case.hidden, case.problems[0]
        count = self.originals if self.originals > 1 else self.retrains
        retain = (~problem.forget).nonzero()[:, 0].expand(count, -1)
        hidden.retrained = models(
            run, "retrained", problem, retain, self._recipe(run), seen=_seen(hidden.data)
        )
        views = Views(hidden.retrained["outputs"], problem, hidden.data)
        recipe = {
            "what": "unlearning legacy attack",
            "count": count,
            "forget": digest(problem.forget.int().tolist()),
            **self._recipe(run),
        }
        found, _ = run.cached(
            recipe, lambda child: {"svc": torch.tensor(views.svc(), dtype=torch.float64)}
        )
        hidden.svc = float(found["svc"])

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Compare with the retrained models."""
        hidden: Hidden = case.hidden
        assert hidden.retrained is not None, "reveal comes before evaluate"
        seen = _seen(hidden.data)
        ours = Views(
            torch.stack(
                [
                    predict(outcome.solution.model, seen).to(hidden.retrained["outputs"])
                    for outcome in outcomes
                ]
            ),
            case.problems[0],
            hidden.data,
        )
        theirs = Views(hidden.retrained["outputs"], case.problems[0], hidden.data)
        originals = Views(hidden.originals["outputs"], case.problems[0], hidden.data)
        gates = {
            "retained-accuracy": ours.ra >= theirs.ra - UTILITY,
            "test-accuracy": ours.ta >= theirs.ta - UTILITY,
            "unlearned": not torch.allclose(ours.outputs, originals.outputs, rtol=0, atol=1e-4),
        }
        metrics = compare(ours, theirs, hidden.svc)
        if self.rehearse:  # what fails a gate is worth no more than what is told apart at once
            return Score(
                metrics={"gap_val": metrics["privacy_gap"] if all(gates.values()) else 0.5},
                not_rankable="a rehearsal on validation rows",
            )
        before = privacy(originals, theirs)
        metrics |= {"uauc_original": before["uauc"], "cauc_original": before["cauc"]}
        metrics |= cost(outcomes, case.problems[0]) | self.extras(ours)
        seconds = hidden.retrained["seconds"].tolist()
        clocks = [
            outcomes[0].cost.get(name, 0.0) / len(outcomes) / per_model
            for name, per_model in zip(("solve_s", "solve_cpu_s"), seconds, strict=True)
        ]
        deciding = before["uauc"] if before["uauc"] is not None else before["cauc"]
        assert deciding is not None
        reason = (
            (
                "not informative: original and retrained models can hardly be told apart (AUC "
                f"{deciding:.2f})"
            )
            if deciding < INFORMATIVE
            else None
        )
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


def privacy(ours: Views, theirs: Views) -> dict[str, float | None]:
    """Return the per-example attacks: ``uauc`` and its companions with
    three models or more, and ``cauc``.
    """
    phi, phi_held, other, other_held = (
        ours.phi("forget"),
        ours.phi("held"),
        theirs.phi("forget"),
        theirs.phi("held"),
    )
    found: dict[str, float | None] = {"uauc": None, "uacc": None, "tpr1": None}
    if len(phi) == len(other):
        found |= per_example(phi, other)
    found["cauc"] = float(
        np.mean(
            [
                contrast(one, held, other, other_held)
                for one, held in zip(phi, phi_held, strict=True)
            ]
        )
    )
    return found


def compare(ours: Views, theirs: Views, svc_theirs: float) -> dict[str, float | None]:
    """Return every metric that compares unlearned with retrained models."""
    found = privacy(ours, theirs)
    deciding = found["uauc"] if found["uauc"] is not None else found["cauc"]
    assert deciding is not None
    svc = ours.svc()
    gaps = [ours.fa - theirs.fa, ours.ra - theirs.ra, ours.ta - theirs.ta, svc - svc_theirs]
    quality = (
        forgetting_quality(ours.phi("forget"), theirs.phi("forget"))
        if found["uauc"] is not None
        else None
    )
    return found | {
        "privacy_gap": abs(deciding - 0.5),
        **distances(ours.probabilities("forget"), theirs.probabilities("forget")),
        "mia_svc": svc,
        "mia_gap": svc - svc_theirs,
        "avg_gap": float(np.mean(np.abs(gaps))),
        "fa": ours.fa,
        "fa_gap": ours.fa - theirs.fa,
        "ra": ours.ra,
        "ta": ours.ta,
        "auc_population": float(
            np.mean(
                [
                    auc(one, held)
                    for one, held in zip(ours.phi("forget"), ours.phi("held"), strict=True)
                ]
            )
        ),
        "forgetting_quality": None
        if quality is None
        else quality * ours.ra / theirs.ra * ours.ta / theirs.ta,
    }


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
