"""Tables that packages ship: read once, then kept as tensors.

No package is imported for its data, and R is not needed.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench import DataUnavailable, Run, Setup
from bench.runs.inputs import data_root
from bench.training.data import Examples

PACKAGE = "r-cran-mlbench"
"""The package of Debian and Ubuntu that has the tables of R's mlbench."""


def mlbench(run: Setup, name: str, frame: str, label: str) -> Examples:
    """Return a table of R's package mlbench: x (n, d) float32, the columns in the order of the
    file, and y (n,), the classes in the order of the factor's levels.

    Args:
        run: asks for it.
        name: of the data set.
        frame: name of the data frame, and of its file.
        label: the column of classes.

    Raises:
        DataUnavailable: it is not on this machine, or can't be read; the message says how to get
            it.
    """
    places = [data_root() / "mlbench", *(home / "mlbench" / "data" for home in _libraries())]
    path = next((home / f"{frame}.rda" for home in places if (home / f"{frame}.rda").is_file()), "")
    if not path:
        raise DataUnavailable(
            f"the data set {name!r} is not on this machine; run 'apt-get install {PACKAGE}' (1 MB, "
            f"GPL-2), or put {frame}.rda of R's package mlbench into {str(places[0])!r} "
            "(BENCH_DATA names the folder above)."
        )
    tensors, _ = run.cached(
        {"mlbench": frame, "file": str(path)}, functools.partial(_read, path, frame, label)
    )
    return Examples(tensors["x"], tensors["y"], int(tensors["classes"]))


def examples(x: np.ndarray, labels: np.ndarray, levels: list[str]) -> dict[str, torch.Tensor]:
    """Return the tensors of numbers (n, d) and labels (n,), of which ``levels`` are the classes."""
    places = {level: place for place, level in enumerate(levels)}
    return {
        "x": torch.from_numpy(np.ascontiguousarray(x, dtype=np.float32)),
        "y": torch.tensor([places[label] for label in labels], dtype=torch.int64),
        "classes": torch.tensor(len(levels)),
    }


def _libraries() -> list[Path]:
    """Return where R keeps the packages of the system."""
    found = os.environ.get("R_LIBS_SITE") or "/usr/local/lib/R/site-library:/usr/lib/R/site-library"
    return [Path(home) for home in found.split(":") if home]


def _read(path: Path, frame: str, label: str, run: Run) -> dict[str, torch.Tensor]:
    import rdata

    try:
        table: Any = rdata.read_rda(path, default_encoding="ASCII")[frame]
        levels = list(map(str, table[label].cat.categories))
        x = table.drop(columns=label).to_numpy(dtype=np.float64)
        found = examples(x, table[label].to_numpy(dtype=str), levels)
    except Exception as error:  # a damaged file raises whatever its reader meets first
        reason = (str(error).strip().splitlines() or [""])[0][:160]
        raise DataUnavailable(
            f"{str(path)!r} could not be read as R's table {frame} ({type(error).__name__}: "
            f"{reason}); get a fresh copy of it, such as that of {PACKAGE}."
        ) from None
    return found
