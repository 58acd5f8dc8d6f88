"""The accuracy on the source: what everyone reports who does not know of the shift."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import Method, MethodCard, Run
from bench.tracks.accuracy_estimation import Problem, Solution


class SourceAccuracy(Method):
    """Say that the net does as well as on the validation rows."""

    card: ClassVar = MethodCard(
        name="source-acc",
        title="Accuracy on the source",
        track="accuracy-estimation",
        signal="held-out",
        plain=True,
        defaults_from="here",
    )

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Return the same number for each set."""
        found = torch.full((problem.n_targets,), problem.source_accuracy, dtype=torch.float64)
        return Solution(accuracy=found)
