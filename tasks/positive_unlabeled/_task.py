"""What the tasks of the track share: which positives are known, watching, scoring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import Case, InvalidRun, Meta, Outcome, Run, Score, Setup, Task, Watched
from bench.declared import Array
from bench.tracks.positive_unlabeled import PositiveUnlabeledMethod, Problem, Solution
from bench.training.pictures import curves, histograms
from bench.training.rowwise import rowwise
from bench.training.state import predict

from ._metrics import accuracy, auroc, bias, f1


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """What no method sees.

    Attributes:
        x_test: inputs (T, ...), float32.
        y_test: their labels (T, L), bool.
        y: labels of the training rows (N, L), bool.
        propensity: probability that a label is known if it is positive (N, L); None: it is not one
            number for a row.
    """

    x_test: Annotated[torch.Tensor, Array("T", ..., dtype="float32")]
    y_test: Annotated[torch.Tensor, Array("T", "L", dtype="bool")]
    y: Annotated[torch.Tensor, Array("N", "L", dtype="bool")]
    propensity: Annotated[torch.Tensor | None, Array("N", "L", dtype="float32")] = None


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """Labelled rows before anything is hidden.

    Attributes:
        x: standardised inputs of the training rows (N, ...).
        y: whether they are positive (N,), bool.
        x_test: inputs of the test rows (T, ...).
        y_test: whether they are positive (T,), bool.
        drives: what labelling may depend on (N,), any numbers.
    """

    x: torch.Tensor
    y: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor
    drives: torch.Tensor


class PuTask(Task):
    """Hides most labels of binary rows; judged by all labels of test rows."""

    accepts: ClassVar = Solution

    labelling: Literal["count", "scar", "sar"] = "count"
    """Which positives are known: ``count`` of them, drawn at random; each with the chance ``rate``;
    or each with a chance that depends on the row, eq. 10 of arXiv:1809.03207 with one attribute.
    """
    count: Annotated[int, Meta(ge=1)] = 60
    """Known positives, where ``labelling`` is count."""
    rate: Annotated[float, Meta(gt=0, le=1)] = 0.5
    """Chance of a positive to be known, where ``labelling`` is scar."""
    lowest: Annotated[float, Meta(gt=0, lt=1)] = 0.02
    """Chance of the row with the lowest attribute, where ``labelling`` is sar."""
    highest: Annotated[float, Meta(gt=0, le=1)] = 0.98
    """Chance of the row with the highest attribute, where ``labelling`` is sar."""
    scheme: Literal["single", "case-control"] = "single"
    """``single``: some of all rows are marked; ``case-control``: the unlabelled sample is what is
    left without them, and the prior is of it.
    """
    net: Literal["mlp", "cnn", "linear", "resnet18"] = "mlp"
    """The net that all methods train."""
    widths: tuple[int, ...] = (256,)
    """Widths of the hidden layers of ``mlp``, or channels of a convolutional net."""
    steps: Annotated[int, Meta(ge=1)] = 120
    """Updates."""
    batch_size: Annotated[int, Meta(ge=1)] = 256
    """Rows of the unlabelled sample in a step."""
    positives_a_batch: Annotated[int, Meta(ge=1)] = 64
    """Known rows in a step."""
    lr: Annotated[float, Meta(gt=0)] = 1e-3
    """Of Adam."""
    weight_decay: Annotated[float, Meta(ge=0)] = 5e-3
    """Of Adam, added to the gradient."""

    def rows(self, run: Setup) -> Rows:
        """Return the labelled rows."""
        raise TypeError(f"{type(self).__name__} has no rows; write them.")

    def prepare(self, run: Setup) -> Case:
        """Split, standardise, and forget most labels."""
        rows = shuffled(self.rows(run), run.numpy_generator("corruption", "order"))
        propensity = self._propensity(rows)
        s = self._known(rows.y, propensity, run.numpy_generator("corruption", self.labelling))
        free = ~s if self.scheme == "case-control" else torch.ones_like(s)
        left = rows.y[free]
        problem = Problem(
            x=rows.x,
            s=s[:, None],
            scheme=self.scheme,
            prior=left.float().mean().reshape(1) if len(left) else None,
            propensity=propensity[:, None],
            **self._protocol(),
        )
        hidden = Hidden(
            x_test=rows.x_test,
            y_test=rows.y_test[:, None],
            y=rows.y[:, None],
            propensity=propensity[:, None],
        )
        return Case(problems=[problem], hidden=hidden)

    def _protocol(self) -> dict[str, Any]:
        names = ("net", "steps", "batch_size", "positives_a_batch", "lr", "weight_decay", "widths")
        return {name: getattr(self, name) for name in names}

    def _propensity(self, rows: Rows) -> torch.Tensor:
        """Return the chance of each row to be known if it is positive (N,), float32."""
        positives = int(rows.y.sum())
        if self.labelling == "count":
            if self.count > positives:
                raise InvalidRun(
                    f"count is {self.count}, and the training rows have {positives} positives; ask "
                    "for no more"
                )
            return torch.full_like(rows.drives, self.count / positives)
        if self.labelling == "scar":
            return torch.full_like(rows.drives, self.rate)
        if self.lowest >= self.highest:
            raise InvalidRun(
                f"lowest is {self.lowest:g} and highest is {self.highest:g}; give a lower and a "
                "higher chance"
            )
        low, high = rows.drives.min(), rows.drives.max()
        place = (rows.drives - low) / (high - low).clamp_min(1e-12)
        return self.lowest + place * (self.highest - self.lowest)

    def _known(
        self, y: torch.Tensor, propensity: torch.Tensor, generator: np.random.Generator
    ) -> torch.Tensor:
        """Return which labels are known (N,), bool."""
        if self.labelling == "count":
            rows = y.nonzero()[:, 0].cpu().numpy()
            s = torch.zeros_like(y)
            s[torch.from_numpy(generator.permutation(rows)[: self.count])] = True
            return s
        drawn = torch.from_numpy(generator.random(len(y))).to(y.device)
        return y & (drawn < propensity)

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score a report on the test rows."""
        z = predict(model, case.hidden.x_test)[:, 0].cpu().numpy()
        return Watched(judged(z, case.hidden.y_test[:, 0].cpu().numpy()))

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the final model, and estimated propensities."""
        outcome, hidden = outcomes[0], case.hidden
        solution: Solution = outcome.solution
        z = rowwise(solution.model, hidden.x_test)[:, 0].cpu().numpy()
        y = hidden.y_test[:, 0].cpu().numpy()
        metrics = judged(z, y) | {"propensity_mae": _distance(solution, hidden)}
        return Score(
            metrics=metrics,
            images={
                "scores": histograms(
                    {"positive": z[y], "negative": z[~y]}, "Scores of test rows", "score"
                ),
                "curves": lines_of(outcome.curve, ("acc", "auroc")),
            },
        )

    def train_on_labels(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the baseline, given all true labels."""
        told = msgspec.structs.replace(problem, s=hidden.y, scheme="single")
        return PositiveUnlabeledMethod().solve(told, run)


def judged(z: np.ndarray, y: np.ndarray) -> dict[str, float | None]:
    """Return the figures of scores (n,) of rows with labels (n,), bool."""
    return {"acc": accuracy(z, y), "auroc": auroc(z, y), "f1": f1(z, y), "bias": bias(z, y)}


def _distance(solution: Solution, hidden: Hidden) -> float | None:
    if solution.propensity is None or hidden.propensity is None:
        return None
    return 100 * float((solution.propensity - hidden.propensity).abs().mean())


def lines_of(curve: Sequence[dict[str, Any]], names: Sequence[str]) -> np.ndarray:
    """Draw figures of the test rows over the steps."""
    lines = {name: [(entry["step"], entry.get(name)) for entry in curve] for name in names}
    return curves(lines, "Test rows over the steps", "steps", "%")


def shuffled(rows: Rows, generator: np.random.Generator) -> Rows:
    """Return the training rows in an order of their own: some datasets are sorted by label."""
    order = torch.from_numpy(generator.permutation(len(rows.x)))
    own = {name: getattr(rows, name) for name in ("x", "y", "drives")}
    moved = {name: part[order] for name, part in own.items() if part is not None}
    return msgspec.structs.replace(rows, **moved)
