"""Two features, each of which tells the class: one that is easy to learn, and a weak one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Case, Meta, Metric, Outcome, Preset, Score, Setup, TaskCard
from bench.training.data import standardised, stratified_split
from bench.training.state import predict

from ._metrics import CALIBRATION, REFERENCES, TRAINING
from ._scores import accuracy, reliability
from ._split import level_split
from ._task import Hidden, RecipeTask

_TEST, _VAL = 797, 300


class TwoViews(RecipeTask):
    """A digit k beside a faint digit k + 5 (modulo 10): either tells the class, and a net mostly
    learns the bright one.
    """

    card: ClassVar = TaskCard(
        name="two-views",
        title="A bright and a faint digit, either of which tells the class",
        track="recipes",
        datasets=("digits",),
        metrics=(
            Metric(
                name="acc_weak",
                primary=True,
                unit="%",
                bounds=(0, 100),
                chance=10,
                title="accuracy where the faint digit stands alone",
            ),
            Metric(
                name="acc_strong",
                unit="%",
                bounds=(0, 100),
                title="accuracy where the bright digit stands alone",
                column=True,
            ),
            Metric(
                name="acc",
                unit="%",
                bounds=(0, 100),
                title="accuracy on whole pictures",
                column=True,
            ),
            *CALIBRATION,
            *TRAINING,
        ),
        presets={
            "smoke": Preset(
                variants={"faint30": {"n_train": 100}},
                params={"epochs": 5, "widths": [64]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"faint30": {}}, seeds=5, timeout=300),
        },
        budget="100 epochs of batch 32; what a method spends beyond one pass a step is counted",
        references=REFERENCES,
        paper="arXiv:2210.13512",
    )
    n_train: Annotated[int, Meta(ge=10, le=700)] = 400
    """Training rows, as many of each class."""
    epochs: Annotated[int, Meta(ge=1)] = 100
    """Passes over the training rows."""
    faint: Annotated[float, Meta(gt=0, le=1)] = 0.3
    """Brightness of the faint digit beside the bright one."""

    def prepare(self, run: Setup) -> Case:
        """Pair digits; the partners of training rows are training rows."""
        data = run.dataset("digits")
        greys, y = data.x.float() / 16, data.y.cpu().numpy()
        generator = run.numpy_generator("split")
        pool, test = stratified_split(y, _TEST, generator)
        rest, train = level_split(y[pool], self.n_train, generator)
        val = pool[generator.permutation(rest)[:_VAL]]
        more = np.concatenate([pool[train], pool[generator.permutation(rest)]])
        pairs = {
            name: self._paired(greys, y, rows, within, generator)
            for name, rows, within in (
                ("train", pool[train], pool[train]),
                ("test", test, test),
                ("val", val, pool),
                ("more", more, pool),
            )
        }
        x, x_test, x_val, x_more, black = standardised(
            pairs["train"], pairs["test"], pairs["val"], pairs["more"], greys.new_zeros(1)
        )
        labels = {
            name: torch.from_numpy(y[rows]).to(greys.device)
            for name, rows in (("train", pool[train]), ("test", test), ("val", val), ("more", more))
        }
        hidden = HiddenViews(
            x_test=x_test,
            y_test=labels["test"],
            x_val=x_val,
            y_val=labels["val"],
            x_more=x_more,
            y_more=labels["more"],
            black=float(black),
        )
        return Case(problems=[self.problem(x, labels["train"], data.classes)], hidden=hidden)

    def _paired(
        self,
        greys: torch.Tensor,
        y: np.ndarray,
        rows: np.ndarray,
        within: np.ndarray,
        generator: np.random.Generator,
    ) -> torch.Tensor:
        """Return pictures (n, 1, 8, 16): the digits ``rows`` beside faint ones that are drawn from
        the rows ``within`` whose class is five further.
        """
        partners = np.empty_like(rows)
        for label in range(10):
            mine = y[rows] == label
            partners[mine] = generator.choice(
                within[y[within] == (label + 5) % 10], int(mine.sum())
            )
        return torch.cat([greys[rows], self.faint * greys[partners]], -1)

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the final model on whole pictures, and with either half black."""
        solution, hidden = outcomes[0].solution, case.hidden
        metrics, _, judged = self.judged(case, solution)
        for name, half in (("acc_strong", slice(8, None)), ("acc_weak", slice(None, 8))):
            alone = hidden.x_test.clone()
            alone[..., half] = hidden.black
            metrics[name] = accuracy(predict(solution.model, alone), hidden.y_test)
        return Score(metrics=metrics, images={"reliability": reliability(judged)})


class HiddenViews(Hidden, frozen=True):
    """What no method sees, and the value of a black pixel."""

    black: float = 0.0
