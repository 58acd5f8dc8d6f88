"""Objects in common settings to train on, in uncommon ones to be judged by."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch

from bench import Meta, Metric, Preset, Reference, Setup, TaskCard
from bench.tracks.group_shift import Problem
from bench.training.state import predict

from . import _scores as scores
from ._metrics import ECE, EPOCH, ERM, SCORE_VAL
from ._spurious import split
from ._task import GroupTask, Hidden, Parts, Rows

COUNTS = ("acc_common", "acc_one", "acc_two", "acc_three")


class Focus(GroupTask):
    """Ten categories of objects; time, weather and location are the usual ones in training."""

    card: ClassVar = TaskCard(
        name="focus",
        title="Objects in uncommon settings (FOCUS)",
        track="group-shift",
        datasets=("focus",),
        metrics=(
            Metric(
                name="acc_uncommon",
                primary=True,
                unit="%",
                bounds=(0, 100),
                title="accuracy where time, weather or location is uncommon",
            ),
            Metric(
                name="acc_common",
                unit="%",
                bounds=(0, 100),
                title="accuracy where all three are common",
            ),
            Metric(name="acc_one", unit="%", bounds=(0, 100), title="where one is uncommon"),
            Metric(name="acc_two", unit="%", bounds=(0, 100), title="where two are uncommon"),
            Metric(name="acc_three", unit="%", bounds=(0, 100), title="where all are uncommon"),
            ECE,
            EPOCH,
            SCORE_VAL,
        ),
        presets={
            "smoke": Preset(
                variants={"settings": {"size": 16}},
                params={"epochs": 2, "widths": [32]},
                seeds=1,
                timeout=120,
            ),
            "extended": Preset(
                variants={"settings": {"net": "resnet18", "widths": []}},
                params={"epochs": 50},
                seeds=5,
                timeout=14400,
            ),
        },
        budget="50 epochs of batch 128; what a method trains besides is its own cost",
        tuning={"judged": "validation"},
        references=(
            ERM,
            Reference(
                name="all-settings",
                kind="high",
                title="The baseline with half of its rows from uncommon settings",
                solve="train_balanced",
            ),
        ),
        paper="https://proceedings.mlr.press/v162/kattakinda22a.html",
        bibtex="""@inproceedings{kattakinda2022focus,
  title = {{FOCUS}: Familiar Objects in Common and Uncommon Settings},
  author = {Kattakinda, Priyatham and Feizi, Soheil},
  booktitle = {International Conference on Machine Learning},
  year = {2022}
}""",
    )
    classes: ClassVar = 10
    values: ClassVar = 4
    select: Literal["val-wga", "val-wca", "val-avg", "last"] = "val-avg"
    """What chooses the epoch, on validation rows in common settings."""
    size: Annotated[int, Meta(ge=8, le=512)] = 64
    """Pixels of a side."""

    def parts(self, run: Setup) -> Parts:
        """Split the rows in common settings; of the others half are test rows, and half the upper
        reference's.
        """
        data = run.dataset("focus", size=self.size)
        count = data.uncommon.sum(1).cpu().numpy()
        generator = run.numpy_generator("split")
        common, other = np.flatnonzero(count == 0), np.flatnonzero(count)
        train, val, test = (common[rows] for rows in split(len(common), generator))
        other = generator.permutation(other)
        half = len(other) // 2

        def part(rows: np.ndarray) -> Rows:
            own = torch.from_numpy(rows).to(data.x.device)
            return Rows(
                x=data.x[own].float() / 255,
                y=data.y[own],
                attribute=torch.from_numpy(count[rows]).to(data.x.device),
            )

        swapped = _swapped(train, other[half:], data.y.cpu().numpy(), generator)
        return Parts(
            train=part(train),
            val=part(val),
            test=part(np.concatenate([test, other[:half]])),
            upper=part(swapped).x,
        )

    def conflicts(self, problem: Problem, hidden: Hidden) -> torch.Tensor:
        """Return that no training row is in an uncommon setting (N,)."""
        return torch.zeros_like(problem.y, dtype=torch.bool)

    def last(self, returned: Any, chosen: Any, hidden: Hidden) -> dict[str, float | None]:
        """Return nothing: the model as returned is not judged."""
        return {}

    def figures(
        self, model: Any, hidden: Hidden, problem: Problem, run: Setup
    ) -> tuple[dict[str, float | None], dict[str, Any]]:
        """Return accuracies by how much of the setting is uncommon; None where no row is so."""
        logits = predict(model, hidden.x_test)
        right, count = logits.argmax(-1) == hidden.y_test, hidden.a_test

        def accuracy(rows: torch.Tensor) -> float | None:
            return 100 * float(right[rows].double().mean()) if bool(rows.any()) else None

        found = {name: accuracy(count == number) for number, name in enumerate(COUNTS)}
        found["acc_uncommon"] = accuracy(count > 0)
        found["ece"] = scores.calibration_error(logits, hidden.y_test)
        return found, {}


def _swapped(
    rows: np.ndarray, pool: np.ndarray, y: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Return the rows (n,) with half of them, drawn at random, in exchange for rows of the pool
    with the same labels.
    """
    found = rows.copy()
    for label in np.unique(y[rows]):
        mine, theirs = np.flatnonzero(y[rows] == label), pool[y[pool] == label]
        if len(theirs):
            places = generator.permutation(mine)[: len(mine) // 2]
            found[places] = generator.choice(theirs, len(places))
    return found
