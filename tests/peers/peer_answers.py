"""What the scripts that run in a peer's environment share; NumPy is all they have in common."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np


def main(*questions):
    """Answer the question that the command line names, from a file of arrays to another."""
    known = {question.__name__: question for question in questions}
    name, asked, answered = sys.argv[1:]
    with np.load(asked) as arrays:
        given = {key: arrays[key] for key in arrays.files}
    np.savez(answered, **known[name](**given))


def seconds(step, repeats=3):
    """Return the least processor time of some turns."""
    found = []
    for _ in range(repeats):
        start = time.process_time()
        step()
        found.append(time.process_time() - start)
    return min(found)


def grown(step):
    """Return what a step returns, and by how many bytes the memory of this process grows in it at
    most (Linux, which can forget the peak before).
    """
    Path("/proc/self/clear_refs").write_text("5")
    before = _held("VmRSS")
    return step(), _held("VmHWM") - before


def _held(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(field))


def reference(x, y, x_val, y_val, fits=100):
    """The reference loop: least squares on the first 3, 6, ... rows, one solve of NumPy a fit. Times
    here and there are given as multiples of one of its fits.
    """
    wanted = np.eye(int(y.max()) + 1)[y]
    right = 0
    for size in range(len(y) // fits, len(y) + 1, len(y) // fits):
        part = x[:size]
        weights = np.linalg.solve(part.T @ part + np.eye(x.shape[1]), part.T @ wanted[:size])
        right += ((x_val @ weights).argmax(1) == y_val).mean()
    return right


def fit_seconds(x, y, x_val, y_val):
    """Return the processor time of one fit of the reference loop."""
    return seconds(lambda: reference(x, y, x_val, y_val), 5) / 100
