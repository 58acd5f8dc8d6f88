"""Two Gaussian blobs."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Dataset, DatasetCard, Meta

from ..contracts import Blobs


class MockBlobs(Dataset):
    """Rows around -1 and +1."""

    card: ClassVar = DatasetCard(
        name="mock-blobs", title="Two blobs", source="drawn", size="60 rows", had="generated"
    )

    n: Annotated[int, Meta(ge=4)] = 60

    def load(self, run):
        generator = np.random.default_rng(0)
        y = np.arange(self.n) % 2
        x = generator.standard_normal((self.n, 6)) * 1.5 + (2.0 * y - 1)[:, None]
        return Blobs(torch.from_numpy(x), torch.from_numpy(y))
