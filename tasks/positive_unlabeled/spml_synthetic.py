"""Rows with several labels, of which one positive a row is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import Case, Meta, Outcome, Preset, Run, Score, Setup, Task, TaskCard, Watched
from bench.tracks.positive_unlabeled import PositiveUnlabeledMethod, Problem, Solution
from bench.training.data import standardised
from bench.training.rowwise import rowwise
from bench.training.state import predict

from ._metrics import REFERENCES, SEVERAL, bias, f1, mean_precision
from ._task import Hidden, lines_of


class SpmlSynthetic(Task):
    """Counts of 40 words in 3,000 texts of ten topics, three topics a text on average; one of a
    text's topics is known.
    """

    card: ClassVar = TaskCard(
        name="spml-synthetic",
        title="Generated texts with one known topic each",
        track="positive-unlabeled",
        libraries=("sklearn",),
        metrics=SEVERAL,
        presets={
            "smoke": Preset(
                variants={"one": {}},
                params={"n_train": 300, "n_test": 200, "steps": 20},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"one": {}}, seeds=5, timeout=300),
        },
        budget="600 steps of Adam, each of 128 rows, and 128 rows more for methods that read known "
        "labels apart",
        offers={"prior": {}},
        references=REFERENCES,
    )
    accepts: ClassVar = Solution
    n_train: Annotated[int, Meta(ge=20)] = 3000
    """Training rows."""
    n_test: Annotated[int, Meta(ge=20)] = 1000
    """Test rows."""
    labels: Annotated[int, Meta(ge=2)] = 10
    """L, columns of labels."""
    net: Literal["mlp", "linear"] = "mlp"
    """The net that all methods train."""
    steps: Annotated[int, Meta(ge=1)] = 600
    """Updates."""
    lr: Annotated[float, Meta(gt=0)] = 1e-3
    """Of Adam."""
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0
    """Of Adam, added to the gradient."""

    def prepare(self, run: Setup) -> Case:
        """Generate texts, and forget all labels but one a row."""
        from sklearn.datasets import make_multilabel_classification

        generator = run.numpy_generator("split")
        counts, y = make_multilabel_classification(
            self.n_train + self.n_test,
            40,
            n_classes=self.labels,
            n_labels=3,
            length=60,
            allow_unlabeled=False,
            random_state=int(generator.integers(2**31)),
        )
        x = torch.from_numpy(np.log1p(counts)).float()
        y = torch.from_numpy(y).bool()
        train, test = standardised(x[: self.n_train], x[self.n_train :])
        own = y[: self.n_train]
        known = one_each(own, run.numpy_generator("corruption"))
        problem = Problem(
            x=train,
            s=known,
            steps=self.steps,
            net=self.net,
            batch_size=128,
            positives_a_batch=128,
            lr=self.lr,
            weight_decay=self.weight_decay,
            prior=own.float().mean(0),
        )
        return Case(problems=[problem], hidden=Hidden(x_test=test, y_test=y[self.n_train :], y=own))

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score a report on the test rows."""
        z = predict(model, case.hidden.x_test).cpu().numpy()
        return Watched(judged_columns(z, case.hidden.y_test.cpu().numpy()))

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the final model."""
        z = rowwise(outcomes[0].solution.model, case.hidden.x_test).cpu().numpy()
        return Score(
            metrics=judged_columns(z, case.hidden.y_test.cpu().numpy()),
            images={"curves": lines_of(outcomes[0].curve, ("map", "f1"))},
        )

    def train_on_labels(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the baseline, given all true labels."""
        told = msgspec.structs.replace(problem, s=hidden.y)
        return PositiveUnlabeledMethod().solve(told, run)


def one_each(y: torch.Tensor, generator: np.random.Generator) -> torch.Tensor:
    """Return labels (N, L), bool, of which one positive a row, each as likely, is left."""
    drawn = torch.from_numpy(generator.random(tuple(y.shape))).to(y.device)
    place = drawn.masked_fill(~y, -1.0).argmax(1)
    return torch.zeros_like(y).scatter_(1, place[:, None], True) & y


def judged_columns(z: np.ndarray, y: np.ndarray) -> dict[str, float | None]:
    """Return the mean over columns of the figures of scores (n, L) against labels (n, L), bool."""
    columns = range(y.shape[1])
    return {
        "map": mean_precision(z, y),
        "f1": float(np.mean([f1(z[:, at], y[:, at]) for at in columns])),
        "bias": float(np.mean([bias(z[:, at], y[:, at]) for at in columns])),
    }
