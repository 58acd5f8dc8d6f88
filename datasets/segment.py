"""Segments of pictures, from the file that ships with river."""

from __future__ import annotations

import csv
import functools
import zipfile
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from bench import Dataset, DatasetCard, DataUnavailable, Run, Setup
from bench.training.data import Examples

from ._molecules import file_of
from ._tables import examples

LABEL = "category"


class Segment(Dataset):
    """2,310 segments of outdoor pictures, 18 features, and what they show."""

    card: ClassVar = DatasetCard(
        name="segment",
        title="Segments of pictures (UCI)",
        licence="BSD-3-Clause, of the package; none is named for the data there",
        source="river 0.26.1, river/datasets/segment.csv.zip; UCI Statlog (Image Segmentation)",
        size="2,310 rows of 18 columns, 7 classes, 330 each; 224 rows repeat another",
        had="shipped",
        get="pip install 'datacentric-bench[tables]'",
        fingerprint="23032cc02bf314f1e23db4527c273ad53e8dcd9d2a7bb28d69c945ff9f165268",
    )

    def load(self, run: Setup) -> Examples:
        """Return x (2310, 18) float32 and y int64 (2310,), the classes in alphabetical order.

        Raises:
            DataUnavailable: river's file is not there, or can't be read.
        """
        file = file_of("river", "datasets/segment.csv.zip", "0.26.1")
        tensors, _ = run.cached(
            {"dataset": "segment", "file": str(file)}, functools.partial(_read, file)
        )
        return Examples(tensors["x"], tensors["y"], int(tensors["classes"]))


def _read(file: Path, run: Run) -> dict[str, torch.Tensor]:
    try:
        with zipfile.ZipFile(file) as opened:
            text = opened.read(opened.namelist()[0]).decode()
        rows = list(csv.DictReader(text.splitlines()))
        labels = np.array([row.pop(LABEL) for row in rows])
        x = np.array([list(row.values()) for row in rows], dtype=np.float64)
        return examples(x, labels, sorted(set(labels.tolist())))
    except Exception as error:  # a damaged archive raises whatever its reader meets first
        raise DataUnavailable(
            f"{str(file)!r} could not be read as river's table ({type(error).__name__}: "
            f"{error}); run 'pip install --force-reinstall --no-deps river==0.26.1'."
        ) from None
