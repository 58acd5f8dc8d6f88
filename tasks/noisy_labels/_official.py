"""What tasks share whose data bring a test part, and classes with look-alikes of their own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from bench import Setup
from bench.training.data import Examples

from ._noise import asym
from ._task import NoisyLabelTask


class OfficialTask(NoisyLabelTask):
    """Corrupt the training part; judge on all of the test part that the data bring."""

    def look_alikes(self) -> Mapping[int, int]:
        """Return the class that ``asym`` moves a class to, of those that it moves."""
        raise NotImplementedError

    def parts(self, run: Setup) -> tuple[Examples, Examples]:
        """Return the data's training and test part."""
        return run.dataset(self.source, split="train"), run.dataset(self.source, split="test")

    def given(
        self, train: Examples, rows: np.ndarray, x: torch.Tensor, generator: np.random.Generator
    ) -> np.ndarray:
        """Return the given labels: moved along the data's own confusions, or by the noise model."""
        if self.noise == "asym":
            y = train.y.cpu().numpy()[rows]
            return asym(y, self.rate, train.classes, generator, self.look_alikes())
        return super().given(train, rows, x, generator)
