"""Grey pictures and their labels from IDX files, as MNIST and its successors are given out.

A file begins with two zero bytes, the type of its values (8: unsigned bytes, the only one read
here) and the number of its axes; then come the axes' sizes, each a big-endian uint32, and the
values. Source: yann.lecun.com/exdb/mnist, "The IDX file format".
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from io import BufferedIOBase
from pathlib import Path

import numpy as np
import torch

from bench.errors import DataUnavailable

LARGEST = 1 << 31
"""Bytes of values that are read of one file at most."""

_PREFIXES = {"train": "train", "test": "t10k"}
_BYTES = 0x08


def names(split: str) -> list[str]:
    """Return the names of the files of a split, pictures and labels; none: there is no such."""
    prefix = _PREFIXES.get(split)
    return [f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"] if prefix else []


def files(folder: Path, split: str) -> list[Path]:
    """Return the two files of a split, with or without ``.gz``: in the folder, in its ``raw``, or
    as torchvision lays them out, in the ``raw`` of a subfolder; none: they are not there.
    """
    for home in (folder, folder / "raw", *sorted(folder.glob("*/raw"))):
        packed = [(home / name, home / f"{name}.gz") for name in names(split)]
        found = [next(filter(Path.is_file, either), None) for either in packed]
        if found and None not in found:
            return [path for path in found if path]
    return []


def is_idx(file: Path) -> bool:
    """Say whether a file is one of those that :func:`files` finds."""
    return file.name.removesuffix(".gz").endswith("-ubyte")


def examples(pictures: Path, labels: Path) -> dict[str, torch.Tensor]:
    """Return ``x`` uint8 (n, 1, height, width), ``y`` int64 (n,) and the number of ``classes``, one
    more than the largest label.

    Raises:
        DataUnavailable: a file is damaged or something else, or they differ in length.
    """
    x, y = read(pictures, 3), read(labels, 1)
    if len(x) != len(y) or not len(y):
        raise DataUnavailable(
            f"{str(pictures)!r} has {len(x):,} pictures and {str(labels)!r} {len(y):,} labels, "
            "where one label each is wanted; get fresh copies of both."
        )
    return {
        "x": torch.from_numpy(x)[:, None],
        "y": torch.from_numpy(y).long(),
        "classes": torch.tensor(int(y.max()) + 1),
    }


def read(path: Path, axes: int) -> np.ndarray:
    """Return the values of an IDX file of unsigned bytes with ``axes`` axes, uint8.

    No more is decompressed than its header says there is.

    Raises:
        DataUnavailable: it is something else, or damaged.
    """
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as unpacked:
                return _values(unpacked, axes)
        with path.open("rb") as opened:
            return _values(opened, axes)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise DataUnavailable(
            f"{str(path)!r} could not be read as an IDX file: {error}. Get a fresh copy of it."
        ) from None


def _values(opened: BufferedIOBase, axes: int) -> np.ndarray:
    head = opened.read(4)
    if head != bytes([0, 0, _BYTES, axes]):
        raise ValueError(
            f"it begins with {head.hex(' ') or 'nothing'}, where 00 00 08 0{axes} is wanted "
            f"(unsigned bytes on {axes} ax{'is' if axes == 1 else 'es'})"
        )
    sizes = opened.read(4 * axes)
    if len(sizes) < 4 * axes:
        raise ValueError("it ends within its header")
    shape = struct.unpack(f">{axes}I", sizes)
    wanted = math.prod(shape)
    if wanted > LARGEST:
        raise ValueError(f"its header says {wanted:,} values, and at most {LARGEST:,} are read")
    values = bytearray(opened.read(wanted + 1))
    if len(values) != wanted:
        raise ValueError(
            f"its header says {wanted:,} values, and there are "
            f"{'more' if len(values) > wanted else f'{len(values):,}'}"
        )
    return np.frombuffer(values, dtype=np.uint8).reshape(shape)
