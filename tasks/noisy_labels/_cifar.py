"""What the two CIFAR tasks share: the data's own test part, colour, and labels given by people."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from bench import DataUnavailable
from bench.training.data import Examples
from bench.training.hub import data_root

from ._official import OfficialTask

PAPER = {
    "net": "resnet34",
    "precision": "bfloat16",
    "flip": True,
    "crop": 4,
    "n_train": 45000,
    "epochs": 150,
    "batch_size": 128,
    "lr": 0.02,
    "weight_decay": 0.001,
}
"""ELR's protocol (arXiv:2007.00151) but for its schedules: ResNet-34 on
the 45,000 rows that it does not hold out.
"""

# The variants "fast-": a ResNet-18 of half the width and 30 epochs on one cosine. Their figures are
# not comparable with the papers'.
FAST_SYM = {
    "net": "resnet18",
    "channels": [32, 64, 128, 256],
    "n_train": 0,
    "epochs": 30,
    "batch_size": 256,
    "lr": 0.1,
    "weight_decay": 0.0005,
    "noise": "sym",
    "rate": 0.4,
}
FAST_ASYM = {
    "net": "resnet18",
    "channels": [32, 64, 128, 256],
    "n_train": 0,
    "epochs": 30,
    "batch_size": 256,
    "lr": 0.1,
    "weight_decay": 0.0005,
    "noise": "asym",
    "rate": 0.4,
}
FAST_PAIR = {
    "net": "resnet18",
    "channels": [32, 64, 128, 256],
    "n_train": 0,
    "epochs": 30,
    "batch_size": 256,
    "lr": 0.1,
    "weight_decay": 0.0005,
    "noise": "pair",
    "rate": 0.45,
}
FAST_HUMAN = {
    "net": "resnet18",
    "channels": [32, 64, 128, 256],
    "n_train": 0,
    "epochs": 30,
    "batch_size": 256,
    "lr": 0.1,
    "weight_decay": 0.0005,
    "noise": "human",
}


class CifarTask(OfficialTask):
    """A CIFAR dataset with corrupted labels, judged on its own test part.

    Attributes:
        confusions: class -> the class that ``asym`` moves it to.
        people: name of the file of labels by people, within ``$BENCH_DATA`` or the dataset's
            folder there.
    """

    n_test: ClassVar = 10000
    by_channel: ClassVar = True
    confusions: ClassVar[Mapping[int, int]]
    people: ClassVar[str]

    def look_alikes(self) -> Mapping[int, int]:
        """Return the confusions."""
        return self.confusions

    def given(
        self, train: Examples, rows: np.ndarray, x: torch.Tensor, generator: np.random.Generator
    ) -> np.ndarray:
        """Return the given labels: by people, or as other data have them."""
        if self.noise == "human":
            return self.labels_by_people(train.y.cpu().numpy())[rows]
        return super().given(train, rows, x, generator)

    def field(self) -> str:
        """Return the field of the file that holds the labels wanted."""
        raise NotImplementedError

    def labels_by_people(self, y: np.ndarray) -> np.ndarray:
        """Return the labels by people (n,) of all training rows, whose true labels are ``y``.

        Raises:
            DataUnavailable: the file is not there, not readable, or not in the order of the data.
        """
        places = (data_root() / self.people, data_root() / self.source / self.people)
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            raise DataUnavailable(
                f"the labels by people of {self.source!r} are not on this machine: there is no "
                f"{str(places[0])!r}. Get {self.people} from the authors' repository "
                "UCSC-REAL/cifar-10-100n and put it there, or name its folder in BENCH_DATA."
            )
        labels = read_labels(path)
        missing = [name for name in ("clean_label", self.field()) if name not in labels]
        if missing:
            raise DataUnavailable(
                f"{str(path)!r} has no field {missing[0]!r}, only {', '.join(labels)}; get "
                f"{self.people} from UCSC-REAL/cifar-10-100n again."
            )
        if labels["clean_label"].shape != y.shape or (labels["clean_label"] != y).any():
            raise DataUnavailable(
                f"{str(path)!r} lists its {len(labels['clean_label'])} rows in another order than "
                f"the {len(y)} of {self.source!r}: its 'clean_label' is not "
                "their labels. The file follows the order of the Python version of the data; take "
                "a copy of the data in that order."
            )
        return labels[self.field()]


def read_labels(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a file that torch saved, as int64.

    Nothing in the file is run: only tensors, arrays and plain values are taken.

    Raises:
        DataUnavailable: it holds anything else, or is damaged.
    """
    try:
        with torch.serialization.safe_globals(_arrays()):
            found: Any = torch.load(
                io.BytesIO(path.read_bytes()), map_location="cpu", weights_only=True
            )
        return {
            str(name): np.asarray(values).astype(np.int64).reshape(-1)
            for name, values in dict(found).items()
        }
    except Exception as error:  # a damaged archive raises whatever its reader meets first
        reason = (str(error).strip().splitlines() or [""])[0][:160]
        raise DataUnavailable(
            f"{str(path)!r} could not be read as a table of labels ({type(error).__name__}: "
            f"{reason}); a file that holds more than arrays is refused."
        ) from None


def _arrays() -> list[Any]:
    """Return what makes a NumPy array of plain numbers when a file is
    read, under the names that old and new NumPy gave it.
    """
    from numpy._core import multiarray

    made: list[Any] = [np.ndarray, np.dtype]
    for home in ("numpy.core.multiarray", "numpy._core.multiarray"):
        made += [
            (getattr(multiarray, name), f"{home}.{name}") for name in ("_reconstruct", "scalar")
        ]
    with contextlib.suppress(AttributeError):
        made += [type(np.dtype(kind)) for kind in ("int64", "int32", "uint8")]
    return made
