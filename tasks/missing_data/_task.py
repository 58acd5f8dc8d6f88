"""What the tasks of the track share: holes in training and test rows, the protocol, the scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import msgspec
import torch
from torch.nn import functional as F

from bench import Case, Meta, Metric, Outcome, Reference, Run, Score, Setup, Task
from bench.declared import Array
from bench.tracks.missing_data import Model, Problem, Solution, trained
from bench.training.data import stratified_split
from bench.training.missing import hidden_cells, observed_scale
from bench.training.pictures import histograms
from bench.training.rowwise import rowwise

FEW, MOST = 0.1, 0.7
"""Shares of holes between which confidence is compared."""

LOW = Reference(name="mean", kind="low")
HIGH = Reference(
    name="no-holes", kind="high", title="The standard net without holes", solve="train_on_complete"
)

ACCURACY = (
    Metric(
        name="acc",
        primary=True,
        unit="%",
        bounds=(0, 100),
        title="accuracy on test rows with holes",
    ),
    Metric(
        name="nll",
        direction="min",
        bounds=(0, None),
        title="mean negative log-likelihood of the labels of test rows with holes",
    ),
    Metric(
        name="confidence_drop",
        direction="none",
        unit="%",
        bounds=(-100, 100),
        title="mean largest probability with 10 % of holes minus that with 70 %",
    ),
)

_PROTOCOL = ("net", "widths", "epochs", "batch_size", "lr", "optimiser", "steps")


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """Complete rows before anything is hidden.

    Attributes:
        x: training rows (N, d).
        y: their labels (N,), int64, or values, float32.
        x_test: test rows (T, d).
        y_test: their labels or values (T,).
        classes: C, 1 for values.
    """

    x: torch.Tensor
    y: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor
    classes: int


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """What no method sees.

    Attributes:
        x: the complete training rows (N, d), in the units of the problem's.
        x_test: test rows with holes (T, d), float32.
        y_test: their labels (T,), int64, or values, float32.
        few: test rows with 10 % of holes (T, d).
        most: test rows with 70 % of holes (T, d).
        whole: the complete test rows (T, d).
    """

    x: Annotated[torch.Tensor, Array("N", "d", dtype="float32")]
    x_test: Annotated[torch.Tensor, Array("T", "d", dtype="float32", nan=True)]
    y_test: torch.Tensor
    few: Annotated[torch.Tensor, Array("T", "d", dtype="float32", nan=True)]
    most: Annotated[torch.Tensor, Array("T", "d", dtype="float32", nan=True)]
    whole: Annotated[torch.Tensor, Array("T", "d", dtype="float32")]


class MissingTask(Task):
    """Hides cells of training and of test rows alike."""

    accepts: ClassVar = Solution

    mechanism: Literal["mcar", "mar", "mnar"] = "mcar"
    """Whether a cell is hidden at random, by the complete columns, or by its own value."""
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    """Share of a column that is hidden; with ``mar`` 30 % of the columns are complete."""
    net: Literal["mlp", "least-squares"] = "mlp"
    """What all imputers train on the filled rows."""
    widths: tuple[int, ...] = (64,)
    """Widths of the hidden layers of ``mlp``."""
    epochs: Annotated[int, Meta(ge=1)] = 30
    """Passes of ``mlp`` over the training rows."""
    batch_size: Annotated[int, Meta(ge=1)] = 64
    """Rows of a batch."""
    lr: Annotated[float, Meta(gt=0)] = 3e-3
    """Learning rate at the start; it falls on half a cosine."""
    optimiser: Literal["adam", "sgd"] = "adam"
    """Whose rate it is."""

    steps: Annotated[int, Meta(ge=0)] = 0
    """The most gradient steps that an imputer takes; 0: as many as it likes."""

    def complete_rows(self, run: Setup) -> Rows:
        """Return the rows before anything is hidden, drawn or split by the seed."""
        raise TypeError(f"{type(self).__name__} has no complete_rows; write them.")

    def prepare(self, run: Setup) -> Case:
        """Hide cells of all rows by one mechanism, and scale by what training rows still show."""
        rows = self.complete_rows(run)
        train, device = len(rows.y), rows.x.device
        both = torch.cat([rows.x, rows.x_test]).double()
        spread = rows.x.double().std(0, correction=0)
        both = (both - rows.x.double().mean(0)) / spread.clamp_min(1e-8)
        table, generator = both.cpu().numpy(), run.numpy_generator("corruption")
        drawn = torch.from_numpy(hidden_cells(table, self.mechanism, self.share, generator))
        given = both.masked_fill(drawn.to(device), torch.nan)
        mean, scale = observed_scale(given[:train])
        given, both = (given - mean) / scale, (both - mean) / scale
        test = both[train:]
        levels = [
            hidden_cells(
                table[train:], "mcar", share, run.numpy_generator("corruption", str(share))
            )
            for share in (FEW, MOST)
        ]
        few, most = (
            test.masked_fill(torch.from_numpy(level).to(device), torch.nan).float()
            for level in levels
        )
        problem = Problem(
            x=given[:train].float(),
            y=rows.y,
            n_classes=rows.classes,
            **{name: getattr(self, name) for name in _PROTOCOL},
        )
        hidden = Hidden(
            x=both[:train].float(),
            x_test=given[train:].float(),
            y_test=rows.y_test,
            few=few,
            most=most,
            whole=test.float(),
        )
        return Case(problems=[problem], hidden=hidden)

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the model on test rows with holes."""
        hidden, model = case.hidden, outcomes[0].solution.model
        logits = rowwise(model, hidden.x_test).double()
        chance = logits.softmax(1).amax(1)
        right = logits.argmax(1) == hidden.y_test
        confidence = [
            float(rowwise(model, rows).double().softmax(1).amax(1).mean())
            for rows in (hidden.few, hidden.most)
        ]
        groups = {
            "right": (100 * chance[right]).cpu().numpy(),
            "wrong": (100 * chance[~right]).cpu().numpy(),
        }
        return Score(
            metrics={
                "acc": 100 * float(right.double().mean()),
                "nll": float(F.cross_entropy(logits, hidden.y_test)),
                "confidence_drop": 100 * (confidence[0] - confidence[1]),
            },
            images={
                "confidence": histograms(groups, "Test rows with holes", "largest share, in %")
            },
        )

    def train_on_complete(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the standard net on complete rows, in training and in the test."""
        device = problem.x.device
        own = msgspec.structs.replace(problem, x=hidden.x.to(device))
        known = torch.cat([hidden.x_test, hidden.few, hidden.most]).to(device)
        whole = hidden.whole.to(device).repeat(3, 1)
        return trained([own], [run], [own.x], [completing(known, whole)])[0]


def completing(known: torch.Tensor, whole: torch.Tensor) -> Model:
    """Return what gives each of the known rows with holes (n, d) its complete row of ``whole``
    (n, d).
    """
    keys = torch.cat([known.nan_to_num(0.0), known.isnan().float()], 1)

    def complete(x: torch.Tensor) -> torch.Tensor:
        asked = torch.cat([x.nan_to_num(0.0), x.isnan().float()], 1)
        # exact, not by products of matrices: a row's own key is at distance 0
        apart = torch.cdist(asked, keys, compute_mode="donot_use_mm_for_euclid_dist")
        return whole[apart.argmin(1)]

    return complete


def split(run: Setup, dataset: str, n_test: int) -> Rows:
    """Return the rows of a dataset, ``n_test`` of them as test rows."""
    data = run.dataset(dataset)
    train, test = (
        torch.from_numpy(part).to(data.y.device)
        for part in stratified_split(
            data.y.cpu().numpy(), n_test, run.numpy_generator("split", "test")
        )
    )
    return Rows(
        x=data.x[train].float(),
        y=data.y[train],
        x_test=data.x[test].float(),
        y_test=data.y[test],
        classes=data.classes,
    )
