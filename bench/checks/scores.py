"""What a task says of reports and outcomes: figures by name, conditions
that are met or not, arrays and pictures that can be kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import torch

from bench.checks.arrays import described
from bench.contracts import Score, Watched
from bench.errors import InvalidRun
from bench.runs.guard import valueless

RESERVED = ("step", "problem")
"""What the harness itself writes into an entry of a curve."""


def check_watched(watched: Any) -> Watched:
    """Return what a task made of a report; its figures are not looked at."""
    if not isinstance(watched, Watched):
        raise InvalidRun(
            f"the task's watch returned {described(watched)}; it returns a Watched(scores)."
        )
    _table(watched.scores, "the task's watch gives as scores", "figures")
    if taken := next((name for name in RESERVED if name in watched.scores), None):
        raise InvalidRun(
            f"the task's watch gives a score {taken!r}, which the harness writes itself; give it "
            "another name."
        )
    if not isinstance(watched.keep, list | tuple) or not all(
        isinstance(name, str) for name in watched.keep
    ):
        raise InvalidRun(
            f"the task's watch gives as keep {watched.keep!r:.80}; a tuple of names is wanted, "
            "like ('best',)."
        )
    return watched


def check_score(score: Any) -> Score:
    """Return what ``evaluate`` returned, with plain gates and arrays; its
    metrics are not looked at.
    """
    if not isinstance(score, Score):
        raise InvalidRun(
            f"the task's evaluate returned {described(score)}; it returns a Score(metrics=...)."
        )
    for field, what in (
        ("metrics", "figures"),
        ("gates", "truths"),
        ("arrays", "arrays"),
        ("images", "pictures"),
    ):
        _table(getattr(score, field), f"the task's evaluate gives as {field}", what)
    if score.not_rankable is not None and (
        not isinstance(score.not_rankable, str) or not score.not_rankable.strip()
    ):
        raise InvalidRun(
            f"the task's evaluate gives as not_rankable {score.not_rankable!r:.80}; a sentence "
            "that says why is wanted, or None."
        )
    return msgspec.structs.replace(
        score,
        gates={name: _truth(name, value) for name, value in score.gates.items()},
        arrays={name: _array(name, value) for name, value in score.arrays.items()},
        images={name: _picture(name, value) for name, value in score.images.items()},
    )


def _table(value: Any, said: str, what: str) -> None:
    if not isinstance(value, Mapping):
        raise InvalidRun(f"{said} {described(value)}; a dict of {what} by name is wanted.")
    if wrong := [name for name in value if not isinstance(name, str)]:
        raise InvalidRun(f"{said} one under {wrong[0]!r:.80}; names are texts.")


def _truth(name: str, value: Any) -> bool:
    if isinstance(value, bool | np.bool_) or (
        isinstance(value, torch.Tensor)
        and value.dtype == torch.bool
        and value.numel() == 1
        and not valueless(value)
    ):
        return bool(value)
    raise InvalidRun(
        f"the task gives {value!r:.80} for the gate {name!r}, which is met or not: True or False."
    )


def _plain(value: Any) -> Any:
    """Return a tensor as an array; what NumPy has no type for as float32."""
    if not isinstance(value, torch.Tensor):
        return value
    small = value.dtype.is_floating_point and value.dtype not in (
        torch.float16,
        torch.float32,
        torch.float64,
    )
    return (value.detach().float() if small else value.detach()).cpu().numpy()


def _array(name: str, value: Any) -> np.ndarray:
    try:
        array = None if value is None else np.asarray(_plain(value))
    except (TypeError, ValueError, RuntimeError, NotImplementedError):
        array = None
    if array is None or array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        came = described(value) if array is None else f"of the type {array.dtype}"
        raise InvalidRun(
            f"the task's array {name!r} is {came}; an array of numbers is wanted: bool, whole, or "
            "floats of up to 64 bits."
        )
    return array


def _picture(name: str, value: Any) -> np.ndarray:
    try:
        pixels = _plain(value)
    except (TypeError, ValueError, RuntimeError, NotImplementedError):
        pixels = value
    if (
        isinstance(pixels, np.ndarray)
        and pixels.dtype == np.uint8
        and pixels.size
        and (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3))
    ):
        return np.ascontiguousarray(pixels)
    came = (
        f"{pixels.dtype} of shape {pixels.shape}"
        if isinstance(pixels, np.ndarray)
        else described(value)
    )
    raise InvalidRun(
        f"the task's picture {name!r} is {came}; an array of uint8 is wanted, (height, width) or "
        "(height, width, 3)."
    )
