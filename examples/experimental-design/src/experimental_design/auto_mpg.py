"""Cars of 1970 to 1982, and how far they go on a gallon."""

from __future__ import annotations

from typing import ClassVar

import msgspec
import torch

from bench import Dataset, DatasetCard, Run, Setup


class Cars(msgspec.Struct, frozen=True, kw_only=True):
    """Columns x (392, 8), float64: cylinders, displacement, horsepower, weight, acceleration, year,
    from Europe, from Japan; miles a gallon y (392,).
    """

    x: torch.Tensor
    y: torch.Tensor


class AutoMpg(Dataset):
    """392 cars, eight columns, and their miles a gallon."""

    card: ClassVar = DatasetCard(
        name="auto-mpg",
        title="Auto MPG (UCI)",
        licence="CC BY 4.0",
        source="mlxtend, mlxtend.data.autompg_data; UCI Auto MPG, the 392 cars whose horsepower "
        "is known",
        size="392 cars, 8 columns, one target",
        had="shipped",
        fingerprint="27a79b6ac78807e6b14f3a7398a5b452acf2151a7c03703249434d87532112a3",
        libraries=("mlxtend",),
    )

    def load(self, run: Setup) -> Cars:
        """Return the cars; the country of origin is two columns of zeros
        and ones beside the United States.
        """
        tensors, _ = run.cached({"dataset": "auto-mpg"}, _read)
        return Cars(x=tensors["x"], y=tensors["y"])


def _read(run: Run) -> dict[str, torch.Tensor]:
    from mlxtend.data import autompg_data

    x, y = (torch.from_numpy(part).double() for part in autompg_data())
    origin = x[:, 6:7]
    return {"x": torch.cat([x[:, :6], (origin == 2).double(), (origin == 3).double()], 1), "y": y}
