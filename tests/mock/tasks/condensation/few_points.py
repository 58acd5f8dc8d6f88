"""Condensation: what is returned is a small dataset, and it must keep to its budget."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Case, InvalidRun, Meta, Metric, Preset, Reference, Score, Task, TaskCard

from ...contracts import Condense, SmallSet


class FewPoints(Task):
    """Classify by the nearest returned point."""

    card: ClassVar = TaskCard(
        name="few-points",
        title="Two blobs in a few points",
        track="mock-condensation",
        datasets=("mock-blobs",),
        metrics=(Metric(name="acc", primary=True, unit="%", bounds=(0, 100), chance=50),),
        presets={
            "smoke": Preset(
                variants={"ipc1": {"per_class": 1}, "ipc2": {"per_class": 2}}, seeds=2, timeout=60
            )
        },
        budget="per_class points a class",
        references=(
            Reference(name="rows", kind="low"),
            Reference(name="full-data", kind="control", solve="everything"),
        ),
    )

    per_class: Annotated[int, Meta(ge=1)] = 1

    def prepare(self, run):
        data = run.dataset("mock-blobs", n=300)
        order = run.numpy_generator("split").permutation(len(data.y))
        train, test = torch.from_numpy(order[:100]), torch.from_numpy(order[100:])
        return Case(
            problems=[Condense(x=data.x[train], y=data.y[train], per_class=self.per_class)],
            hidden=(data.x[test], data.y[test]),
        )

    def evaluate(self, case, outcomes, run):
        small, (x, y) = outcomes[0].solution, case.hidden
        for c in range(2):
            if (count := int((small.y == c).sum())) > self.per_class:
                raise InvalidRun(
                    f"the solution has {count} points of class {c}; the budget is {self.per_class}."
                )
        return self._score(small, x, y)

    def _score(self, small, x, y):
        predicted = small.y[torch.cdist(x, small.x).argmin(1)]
        shown = small.x.numpy()
        pixels = np.clip((shown - shown.min()) / (np.ptp(shown) + 1e-9) * 255, 0, 255).astype(
            np.uint8
        )
        arrays = {"x": shown, "y": small.y.numpy()}
        return Score(
            metrics={"acc": 100 * float((predicted == y).double().mean())},
            arrays=arrays,
            images={"points": pixels},
        )

    def everything(self, problem, hidden, run):
        """A control that may see what is hidden: one hidden row of each
        class, the one nearest to its mean.
        """
        x, y = hidden
        chosen = [
            torch.where(y == c)[0][(x[y == c] - x[y == c].mean(0)).norm(dim=1).argmin()]
            for c in range(2)
        ]
        rows = torch.stack(chosen)
        return SmallSet(x=x[rows], y=y[rows])
