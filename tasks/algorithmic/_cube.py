"""What the tasks on the cube of signs share: functions, influences, scores."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Annotated

import msgspec
import numpy as np
import torch

from bench.declared import Array

Function = Callable[[np.ndarray], np.ndarray]
POINTERS = 3
"""Bits of the pointer of a pointer value retrieval."""


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """What no method sees.

    Attributes:
        x_test: unseen rows (m, d), signs.
        y_test: the function's values there (m,).
        simple: values of the interpolator of the least degree there (m,).
        whole: all rows of the cube (n, d).
        values: the function's values there (n,).
    """

    x_test: Annotated[torch.Tensor, Array("m", "d", dtype="float32")]
    y_test: Annotated[torch.Tensor, Array("m", dtype="float32")]
    simple: Annotated[torch.Tensor, Array("m", dtype="float32")]
    whole: Annotated[torch.Tensor, Array("n", "d", dtype="float32")]
    values: Annotated[torch.Tensor, Array("n", dtype="float32")]


def cube(d: int) -> np.ndarray:
    """Return all rows of signs (2^d, d)."""
    return np.array(list(itertools.product((1.0, -1.0), repeat=d)))


def both(x: np.ndarray) -> np.ndarray:
    """Return x_0 x_1 (n,)."""
    return np.asarray(x[:, 0] * x[:, 1])


def parity(x: np.ndarray) -> np.ndarray:
    """Return the product of all signs (n,)."""
    return np.asarray(x.prod(1))


def retrieved(x: np.ndarray) -> np.ndarray:
    """Return the value bit (n,) that three pointer bits name, of eight."""
    places = ((x[:, :POINTERS] < 0) @ (4, 2, 1)).astype(int)
    return np.asarray(x[np.arange(len(x)), POINTERS + places])


def influence(function: Function, d: int, bit: int) -> float:
    """Return E (f(x) - f(x with the bit turned))^2 / 4 over the cube."""
    x = cube(d)
    turned = x.copy()
    turned[:, bit] *= -1
    return float(((function(x) - function(turned)) ** 2).mean() / 4)
