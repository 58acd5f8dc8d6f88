"""What ``bench describe`` says of a dataset: it is loaded, and its rows are looked at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError, PluginError, UsageError

if TYPE_CHECKING:
    import torch

    from bench.plugins.entries import Entry

MOST = 5000
"""Rows whose neighbours are looked for; of more a part is drawn, always the same."""
PAIRS = 1000
"""Rows of which all pairs are looked at for the sharpness of labels."""


def loaded(
    entry: Entry, texts: Mapping[str, Sequence[str]], folder: Path
) -> tuple[Any, dict[str, Any]]:
    """Load a dataset, and return it with its parameters that differ from the defaults.

    Raises:
        UsageError: it does not take the parameters. DataUnavailable: it is not on this machine.
            PluginError: its code fails.
    """
    import torch

    from bench.runs.context import Setup
    from bench.runs.data_calls import params_of
    from bench.runs.loading import kind_of

    name, device = entry.name, torch.device("cpu")
    if several := [key for key, values in texts.items() if len(values) > 1]:
        raise UsageError(
            f"{name!r} is given several values of {several[0]!r} ({'|'.join(texts[several[0]])}); "
            "one dataset is described at a time, so give one."
        )
    try:
        kind = kind_of(entry.target, name)
        params = params_of(name, kind.schema(), {key: values[0] for key, values in texts.items()})
        run = Setup(seed=0, task=f"describe {name}", method="", device=device, workdir=folder)
        return kind.make(params).load(run), params
    except BenchError:
        raise
    except Exception as error:  # the plugin's own code may raise anything
        raise PluginError(
            f"the dataset {name!r} ({entry.source}) failed to load ({type(error).__name__}: "
            f"{error}); 'bench check' runs it and shows where.",
            name,
        ) from error


def described(name: str, data: Any) -> dict[str, Any]:
    """Return what can be said of a dataset's rows and labels.

    Raises:
        UsageError: it holds no rows of numbers.
    """
    import torch

    from bench.training import descriptors

    x = _rows(name, data)
    y = _labels(name, data, x)
    found: dict[str, Any] = {
        "rows": len(x),
        "shape": list(x.shape[1:]),
        "classes": None if y is None else len(torch.unique(y)),
        "class_rows": None if y is None else _counts(y),
        "duplicates": int(descriptors.repeated(x).sum()),
        "class_balance": None if y is None else descriptors.balance(y),
    }
    missing = float(x.isnan().double().mean()) if x.is_floating_point() else 0.0
    part = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:MOST]
    rows = descriptors.scaled(x)[part]
    found["intrinsic_dim"] = descriptors.intrinsic_dim(rows)
    own = None if y is None else y[part]
    sharp = None if own is None else descriptors.label_sharpness(rows[:PAIRS], own[:PAIRS])
    found["label_sharpness"] = None if sharp is None or math.isinf(sharp) else sharp
    found["equal_rows_differ"] = sharp is not None and math.isinf(sharp)
    found["neighbour_agreement"] = (
        None if own is None else descriptors.neighbour_agreement(rows, own)
    )
    found["missing"] = 100 * missing
    return found


def _rows(name: str, data: Any) -> torch.Tensor:
    """Return the rows (n, ...) of numbers that a dataset holds as ``x``."""
    x = _tensor(getattr(data, "x", data.get("x") if isinstance(data, dict) else None))
    if x is None or x.dim() < 2:
        raise UsageError(
            f"the dataset {name!r} holds no rows of numbers: bench describe reads a field 'x' of "
            "shape (n, ...) and labels 'y', as tables and pictures have; 'bench show' says what "
            "it holds."
        )
    if not len(x) or not x[0].numel():
        raise UsageError(
            f"the dataset {name!r} has x of shape {tuple(x.shape)}, which holds no number; look "
            "whether its file is empty, or whether load filters everything out."
        )
    if x.is_floating_point() and bool(x.isinf().any()):
        raise UsageError(
            f"the dataset {name!r} has infinite values in x, between which there are no distances; "
            "drop such rows, or write NaN where a value is missing."
        )
    return x


def _labels(name: str, data: Any, x: torch.Tensor) -> torch.Tensor | None:
    """Return the labels (n,), or None where there are none or they are real values."""
    y = _tensor(getattr(data, "y", data.get("y") if isinstance(data, dict) else None))
    if y is None or y.is_floating_point() or y.dim() != 1:
        return None
    if len(y) != len(x):
        raise UsageError(
            f"the dataset {name!r} has {len(x)} rows and {len(y)} labels; give each row one."
        )
    return y


def _tensor(value: Any) -> torch.Tensor | None:
    import numpy as np
    import torch

    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        value = torch.from_numpy(np.ascontiguousarray(value))
    if isinstance(value, torch.Tensor) and not value.is_complex() and not value.is_sparse:
        return value.cpu()
    return None


def _counts(y: torch.Tensor) -> dict[str, int]:
    import torch

    classes, counts = torch.unique(y, return_counts=True)
    return {
        str(label): count for label, count in zip(classes.tolist(), counts.tolist(), strict=True)
    }
