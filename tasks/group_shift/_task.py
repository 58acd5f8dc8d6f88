"""What the tasks of the track share: the protocol, the choice of the epoch, scores, references that
see the hidden part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import torch

from bench import Case, InvalidRun, Meta, Outcome, Run, Score, Setup, Task, Watched
from bench.declared import Array
from bench.tracks.group_shift import GroupMethod, LabelledGroups, Problem, Solution
from bench.training.data import standardised
from bench.training.schedules import Schedule
from bench.training.state import predict

from . import _scores as scores
from ._pictures import pictures_of

_PROTOCOL = ("net", "widths", "epochs", "batch_size", "lr", "weight_decay")
"""Parameters that the problem takes over as they are."""


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one part.

    Attributes:
        x: inputs (n, ...).
        y: labels (n,), int64, as given.
        attribute: value of what is not the label but may stand for it (n,), int64.
        env: environment (n,), int64.
    """

    x: torch.Tensor
    y: torch.Tensor
    attribute: torch.Tensor
    env: torch.Tensor | None = None

    def to(self, device: torch.device) -> Rows:
        """Return the rows on a device."""
        env = None if self.env is None else self.env.to(device)
        return Rows(
            x=self.x.to(device), y=self.y.to(device), attribute=self.attribute.to(device), env=env
        )


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """Training, validation and test rows, their inputs on one scale.

    Attributes:
        train: what methods train on.
        val: what the epoch is chosen by.
        test: what is scored.
        upper: inputs of the training rows without the shortcut (N, ...), for the upper reference.
    """

    train: Rows
    val: Rows
    test: Rows
    upper: torch.Tensor | None = None


class Hidden(msgspec.Struct, kw_only=True):
    """What no method sees: validation and test rows, the training rows' attribute, and the best
    validation score so far with its epoch.
    """

    x_val: Annotated[torch.Tensor, Array("V", ..., dtype="float32")]
    y_val: Annotated[torch.Tensor, Array("V", dtype="int64", ge=0, lt="C")]
    a_val: Annotated[torch.Tensor, Array("V", dtype="int64", ge=0)]
    x_test: Annotated[torch.Tensor, Array("T", ..., dtype="float32")]
    y_test: Annotated[torch.Tensor, Array("T", dtype="int64", ge=0, lt="C")]
    a_test: Annotated[torch.Tensor, Array("T", dtype="int64", ge=0)]
    a_train: Annotated[torch.Tensor, Array("N", dtype="int64", ge=0)]
    upper: Annotated[torch.Tensor | None, Array("N", ..., dtype="float32")] = None
    best: dict[int, float] = {}
    chosen: dict[int, int] = {}


class GroupTask(Task):
    """Train on given rows; validation rows choose the epoch, test rows of every group judge it."""

    classes: ClassVar[int] = 2
    """C."""
    values: ClassVar[int] = 2
    """Values of the attribute."""

    select: Literal["val-wga", "val-wca", "val-avg", "last"] = "val-wga"
    """What chooses the epoch: accuracy on validation rows of the worst group, of the worst class,
    or of all; or nothing does, and the last one counts.
    """
    net: Literal["mlp", "cnn", "resnet18"] = "mlp"
    """The net that all methods train."""
    widths: tuple[int, ...] = (256, 256)
    """Widths of the hidden layers of ``mlp``, or channels of the stages of another net."""
    epochs: Annotated[int, Meta(ge=1)] = 30
    """Passes over the training rows."""
    batch_size: Annotated[int, Meta(ge=1)] = 128
    """Rows of a batch."""
    lr: Annotated[float, Meta(gt=0)] = 1e-3
    """Learning rate of AdamW, the same throughout."""
    weight_decay: Annotated[float, Meta(ge=0)] = 1e-4
    """Decoupled weight decay."""
    judged: Literal["test", "validation"] = "test"
    """``validation``: nothing is scored on test rows, for choosing parameters."""

    def parts(self, run: Setup) -> Parts:
        """Return the rows of the three parts."""
        raise NotImplementedError

    def prepare(self, run: Setup) -> Case:
        """Draw the parts; hide all but the training rows."""
        return self.case_of(self.parts(run), run)

    def case_of(self, parts: Parts, run: Setup) -> Case:
        """Return the case of drawn parts."""
        train, val, test = (part.to(run.device) for part in (parts.train, parts.val, parts.test))
        extra = [] if parts.upper is None else [parts.upper.to(run.device)]
        x, x_val, x_test, *upper = standardised(train.x, val.x, test.x, *extra)
        protocol = {name: getattr(self, name) for name in _PROTOCOL}
        problem = Problem(
            x=x,
            y=train.y,
            n_classes=self.classes,
            schedule=Schedule("steps"),
            n_groups=self.classes * self.values,
            **self._asked_for(train, x_val, val),
            **protocol,
        )
        hidden = Hidden(
            x_val=x_val.clone(),
            y_val=val.y.clone(),
            a_val=val.attribute,
            x_test=x_test,
            y_test=test.y,
            a_test=test.attribute,
            a_train=train.attribute,
            upper=upper[0] if upper else None,
        )
        return Case(problems=[problem], hidden=hidden)

    def _asked_for(self, train: Rows, x_val: torch.Tensor, val: Rows) -> dict[str, Any]:
        """Return the fields that the card offers: any other would be shown to every method."""
        found = {
            "train-groups": self.groups(train.y, train.attribute),
            "val-groups": LabelledGroups(x=x_val, y=val.y, group=self.groups(val.y, val.attribute)),
            "env": train.env,
        }
        return {
            need.replace("-", "_"): value
            for need, value in found.items()
            if need in self.card.offers
        }

    def groups(self, y: torch.Tensor, attribute: torch.Tensor) -> torch.Tensor:
        """Return the groups of labels (n,) with these values of the attribute (n,), (n,)."""
        return y * self.values + attribute

    def _cells(self, y: torch.Tensor, attribute: torch.Tensor) -> tuple[torch.Tensor, int]:
        return self.groups(y, attribute), self.classes * self.values

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score an epoch on validation rows; of equal epochs the first is kept."""
        hidden: Hidden = case.hidden
        right = predict(model, hidden.x_val).argmax(-1) == hidden.y_val
        found = {
            "wga_val": scores.worst(right, *self._cells(hidden.y_val, hidden.a_val))[0],
            "wca_val": scores.worst(right, hidden.y_val, self.classes)[0],
            "acc_val": 100 * float(right.double().mean()),
        }
        if self.select == "last":
            return Watched(dict(found))
        score = found[
            {"val-wga": "wga_val", "val-wca": "wca_val", "val-avg": "acc_val"}[self.select]
        ]
        if score <= hidden.best.get(k, -1.0):
            return Watched(dict(found))
        hidden.best[k], hidden.chosen[k] = score, step
        return Watched(dict(found), keep=("selected",))

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the model of the chosen epoch."""
        outcome, hidden, problem = outcomes[0], case.hidden, case.problems[0]
        chosen = outcome.kept.get("selected", outcome.solution.model)
        if self.judged == "validation":
            return self._score_of_validation(chosen, hidden)
        conflict = self.conflicts(problem, hidden)
        images = pictures_of(problem.x, problem.y, hidden.a_train, outcome.curve)
        metrics, arrays = self.figures(chosen, hidden, problem, run)
        metrics |= self.last(outcome.solution.model, chosen, hidden)
        metrics |= scores.found_minority(outcome.solution, conflict)
        if 0 in hidden.chosen:
            metrics["epoch"] = float(hidden.chosen[0])
        if outcome.solution.weight is not None:
            arrays["weight"] = outcome.solution.weight.cpu().numpy()
        return Score(metrics=metrics, arrays=arrays, images=images)

    def _score_of_validation(self, model: Any, hidden: Hidden) -> Score:
        right = predict(model, hidden.x_val).argmax(-1) == hidden.y_val
        found = {
            "val-wca": lambda: scores.worst(right, hidden.y_val, self.classes)[0],
            "val-avg": lambda: 100 * float(right.double().mean()),
        }.get(
            self.select,
            lambda: scores.worst(right, *self._cells(hidden.y_val, hidden.a_val))[0],
        )()
        return Score(
            metrics={"score_val": found}, not_rankable="scored on the rows that choose the epoch"
        )

    def conflicts(self, problem: Problem, hidden: Hidden) -> torch.Tensor:
        """Return which training rows contradict the shortcut (N,), bool."""
        return hidden.a_train != problem.y

    def figures(
        self, model: Any, hidden: Hidden, problem: Problem, run: Setup
    ) -> tuple[dict[str, float | None], dict[str, Any]]:
        """Return what is measured of a model on the test rows, and arrays to keep."""
        logits = predict(model, hidden.x_test)
        said, y, attribute = logits.argmax(-1), hidden.y_test, hidden.a_test
        right, (group, groups) = said == y, self._cells(y, attribute)
        wga, hits, size = scores.worst(right, group, groups)
        train, _ = self._cells(problem.y, hidden.a_train)
        mix = scores.weighted(right, group, groups, train.bincount(minlength=groups).double())
        found: dict[str, float | None] = {
            "wga": wga,
            "acc_groupmean": scores.mean_of_groups(right, group, groups),
            "acc_trainmix": mix,
            "wga_gap": None if mix is None else mix - wga,
            "worst_class": scores.worst(right, y, self.classes)[0],
            "ece": scores.calibration_error(logits, y),
        }
        if self.classes == 2:
            found["parity_gap"] = scores.parity_gap(said, attribute)
        if (features := scores.features_of(model, hidden.x_test)) is not None:
            found |= {
                "r2_core": scores.explained(features, y),
                "r2_attr": scores.explained(features, attribute),
            }
        counts = torch.stack(scores.shares(right, group, groups)).cpu().numpy()
        return found, {
            "groups": counts,
            "worst_interval": torch.tensor(scores.wilson(hits, size)).numpy(),
        }

    def last(self, returned: Any, chosen: Any, hidden: Hidden) -> dict[str, float | None]:
        """Return what is measured of the model as returned."""
        right = predict(returned, hidden.x_test).argmax(-1) == hidden.y_test
        return {"wga_last": scores.worst(right, *self._cells(hidden.y_test, hidden.a_test))[0]}

    def train_balanced(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the baseline on the same rows without the shortcut."""
        if hidden.upper is None:
            raise InvalidRun("the task has no training rows without the shortcut")
        found: Any = GroupMethod().solve(msgspec.structs.replace(problem, x=hidden.upper), run)
        return found
