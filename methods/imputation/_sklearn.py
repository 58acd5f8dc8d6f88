"""Imputers of scikit-learn as imputers of tensors."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from sklearn.exceptions import ConvergenceWarning

# imported here and not in a run: the import draws from the global random streams
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer

from bench.tracks.imputation import Filled

__all__ = ["IterativeImputer", "filled_by"]


def filled_by(imputer: Any, x: torch.Tensor) -> Filled:
    """Fit an imputer of scikit-learn on x (N, d), and return what it fills; one whose rounds end
    before they converge is no error.
    """

    def array(rows: torch.Tensor) -> Any:
        return rows.double().cpu().numpy()

    def fill(rows: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(imputer.transform(array(rows))).to(rows)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        table = torch.from_numpy(imputer.fit_transform(array(x))).to(x)
    return Filled(table=table, fill=fill)
