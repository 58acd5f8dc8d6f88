"""Whether a model judges each row by itself."""

from __future__ import annotations

from typing import Any

import torch

from bench.errors import InvalidRun
from bench.training.state import predict

__all__ = ["rowwise"]

_PARTS = 3
"""Every third row is asked for without the others."""
_TOLERANCE = 1e-3
"""Of the largest score: kernels of other sizes round otherwise."""


def rowwise(model: Any, x: torch.Tensor) -> torch.Tensor:
    """Return the model's outputs (n, C) on rows (n, ...), if those of a row do not depend on the
    rows beside it: a threshold that is moved by the test rows would learn from them.

    Raises:
        InvalidRun: they do.
    """
    found = predict(model, x)
    some = predict(model, x[::_PARTS])
    scale = found.abs().amax().clamp_min(1e-6) if found.numel() else 1.0
    if bool(((found[::_PARTS] - some).abs() > _TOLERANCE * scale).any()):
        raise InvalidRun(
            "what the model says of a row depends on the rows that it is shown together with, "
            "which are test rows; return a model that judges each row by itself"
        )
    return found
