"""What detectors share that read probabilities from models which did not see the row."""

from __future__ import annotations

from typing import Literal

import torch

from bench import Method, Run
from bench.tracks.label_errors import Problem, out_of_fold


class OutOfFoldDetector(Method):
    """A detector that judges by out-of-fold probabilities."""

    oof: Literal["knn", "logistic"] = "knn"
    """The model that gives the probabilities: 20 nearest neighbours, or logistic regression."""

    def probabilities(self, problem: Problem, run: Run) -> torch.Tensor:
        """Return the probabilities (N, C), float64."""
        run.count(forward=len(problem.y))
        return out_of_fold(problem, run, self.oof)
