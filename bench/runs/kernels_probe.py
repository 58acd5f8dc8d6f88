"""Says which kernels NumPy, SciPy and torch choose here: a program of its own, run by
:mod:`bench.runs.kernels`.

Its stderr has a line that begins with ``MARK``, followed by JSON: ``kernels``, a text for each
library, and ``files``, with size and time. Its stdout is what MKL and oneDNN tell about themselves
when their variables ask for it, which they tell in no other way.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

MARK = "kernels: "


def kernels() -> dict[str, Any]:
    """Import the libraries and return what they chose, with the files that decide it."""
    from threadpoolctl import threadpool_info

    seen = threadpool_info()
    import numpy

    config: Any = numpy.show_config(mode="dicts")  # type: ignore[no-untyped-call, unused-ignore]
    said = {
        "libc": c_library(),
        "numpy_simd": " ".join(config["SIMD Extensions"].get("found", [])) or "baseline",
    }
    with_numpy = threadpool_info()
    said["numpy_blas"] = blas(seen, with_numpy) or str(
        config["Build Dependencies"]["blas"].get("name")
    )
    import scipy.linalg

    with_scipy = threadpool_info()
    # one library may serve both
    said["scipy_blas"] = blas(with_numpy, with_scipy) or said["numpy_blas"]
    import torch

    said["torch"] = " ".join(
        filter(None, (torch.backends.cpu.get_cpu_capability(), blas(with_scipy, threadpool_info())))
    )
    files = {entry["filepath"] for entry in threadpool_info()} | {
        torch.__file__,
        numpy.__file__,
        scipy.__file__,
    }
    return {"kernels": said, "files": {file: stamp(file) for file in sorted(files)}}


def blas(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> str:
    """Return name, version and kernel of each BLAS that is loaded now and
    was not before; empty where none is new.
    """
    known = {entry["filepath"] for entry in before}
    new = [entry for entry in now if entry["user_api"] == "blas" and entry["filepath"] not in known]
    return ", ".join(
        " ".join(
            str(entry[part])
            for part in ("internal_api", "version", "architecture")
            if entry.get(part)
        )
        for entry in new
    )


def c_library() -> str:
    """Return name and version of the C library, whose ``exp`` and ``log``
    Python, NumPy and torch call.
    """
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or platform.version()
    except (AttributeError, ValueError, OSError):
        return platform.version()


def stamp(file: str) -> list[int]:
    """Return size and time of a file: what changes when it is replaced."""
    status = Path(file).stat()
    return [status.st_size, status.st_mtime_ns]


def operate() -> None:
    """Do one product and one convolution, so that MKL and oneDNN have something to tell."""
    import torch

    torch.set_num_threads(1)
    one = torch.ones(64, 64)
    torch.mm(one, one)
    torch.nn.functional.conv2d(torch.ones(2, 4, 8, 8), torch.ones(16, 4, 3, 3))


if __name__ == "__main__":
    sys.stderr.write(f"\n{MARK}{json.dumps(kernels())}\n")
    operate()
