"""Tasks whose label and attribute stand in coordinates of their own, so that either can be
shuffled.
"""

from __future__ import annotations

from typing import Any

import torch

from bench import Metric, Setup
from bench.tracks.group_shift import Problem
from bench.training.state import predict

from ._metrics import METRICS
from ._spurious import SpuriousTask
from ._task import Hidden

BLOCK_METRICS: tuple[Metric, ...] = (
    *METRICS,
    Metric(
        name="rand_core",
        unit="%",
        bounds=(0, 100),
        title="accuracy when the coordinates of the label are shuffled among rows",
    ),
    Metric(
        name="rand_attr",
        unit="%",
        bounds=(0, 100),
        title="accuracy when the coordinates of the attribute are shuffled among rows",
    ),
)


class BlockTask(SpuriousTask):
    """Shuffle one block of the test inputs and see what is left of the accuracy."""

    def core(self, x: torch.Tensor) -> torch.Tensor:
        """Return which numbers of an input show the label, of the shape of one row of ``x``,
        bool.
        """
        raise NotImplementedError

    def attribute(self, x: torch.Tensor) -> torch.Tensor:
        """Return which numbers of an input show the attribute, of the shape of one row of ``x``,
        bool.
        """
        raise NotImplementedError

    def figures(
        self, model: Any, hidden: Hidden, problem: Problem, run: Setup
    ) -> tuple[dict[str, float | None], dict[str, Any]]:
        """Return the figures of groups, and the accuracies on shuffled inputs."""
        found, arrays = super().figures(model, hidden, problem, run)
        x, generator = hidden.x_test, run.numpy_generator("eval", "shuffle")
        for name, block in (("rand_core", self.core(x)), ("rand_attr", self.attribute(x))):
            order = torch.from_numpy(generator.permutation(len(x))).to(x.device)
            said = predict(model, torch.where(block, x[order], x)).argmax(-1)
            found[name] = 100 * float((said == hidden.y_test).double().mean())
        return found, arrays
