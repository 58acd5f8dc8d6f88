"""What comes of a run: the part of a record that the worker knows."""

from __future__ import annotations

import math
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from bench.contracts import Score
from bench.errors import InvalidRun

_STATUSES = {"DataUnavailable": "unavailable", "InvalidRun": "invalid", "MemoryError": "oom", "OutOfMemoryError": "oom"}
"""Name of an error or of a base of it -> status; any other error is ``failed``."""


class Result(msgspec.Struct, kw_only=True):
    """What a worker says of one spec: the part of a record that it knows. ``status`` may also be ``unavailable``."""

    status: str
    metrics: dict[str, float | None] = {}
    gates: dict[str, bool] = {}
    not_rankable: str | None = None
    cost: dict[str, float | None] = {}
    counters: dict[str, int] = {}
    curve: list[dict[str, Any]] = []
    logs: list[dict[str, Any]] = []
    images: dict[str, str] = {}
    arrays: str = ""
    files: str = ""
    error: dict[str, Any] | None = None
    warnings: list[str] = []
    flags: dict[str, Any] = {}
    choices: dict[str, str] = {}
    """What was chosen by a tuned table, with the shape: see :mod:`bench.training.tuned`."""
    started: str = ""
    ended: str = ""


def failed(error: BaseException) -> Result:
    """Return the result of a run that raised ``error``, which is printed to the run's log."""
    names = {base.__name__ for base in type(error).__mro__}
    status = next((_STATUSES[name] for name in _STATUSES if name in names), "failed")
    frames = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)[-6:]]
    traceback.print_exception(error)
    return Result(status=status, error={"type": type(error).__name__, "message": str(error)[:4000], "frames": frames}, started=now(), ended=now())


def figure(name: str, value: Any) -> float | None:
    """Return a figure as a float; None stays None.

    Raises:
        InvalidRun: it is not finite.
    """
    if value is None:
        return None
    number = float(value)
    if not math.isfinite(number):
        raise InvalidRun(f"{name} is {number}; the method's output is not finite.")
    return number


def save_files(score: Score, folder: Path, result: Result) -> None:
    """Write a score's arrays and pictures into ``folder`` and name them in ``result``."""
    if not score.arrays and not score.images:
        return
    folder.mkdir(exist_ok=True)
    result.files = str(folder)
    if score.arrays:
        import numpy as np
        from safetensors.numpy import save_file

        save_file({name: np.ascontiguousarray(array) for name, array in score.arrays.items()}, folder / "arrays.safetensors")
        result.arrays = "arrays.safetensors"
    for position, (name, pixels) in enumerate(score.images.items()):
        from PIL import Image

        Image.fromarray(pixels).save(folder / f"image-{position}.png", compress_level=1)  # a third of the time for a few more kilobytes
        result.images[name] = f"image-{position}.png"


def now() -> str:
    """Return the time in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
