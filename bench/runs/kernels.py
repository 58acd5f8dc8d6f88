"""Which kernels compute: of BLAS, of NumPy's loops, of torch.

The same sum has other last bits under another kernel, so they are in the key.

NumPy and torch are not imported for it: a process of its own is asked once, and its answer is kept
in the cache under the processor, the libraries and the variables that steer them.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.digests import digest
from bench.errors import EnvironmentFault
from bench.files import put
from bench.plugins.cache_folder import cache_folder
from bench.runs.kernels_probe import MARK, stamp

FORMAT = 1
"""Raised when the answer of the probe changes its form."""

TITLES = {
    "numpy_blas": "the BLAS kernel of NumPy",
    "scipy_blas": "the BLAS kernel of SciPy",
    "numpy_simd": "the instruction set of NumPy's loops",
    "torch": "the instruction set of torch's kernels",
    "mkl": "the kernel of MKL in torch",
    "onednn": "the kernel of oneDNN in torch",
    "libc": "the C library",
}
"""What each part of the answer is called in a sentence; any other is a
variable of the environment.
"""

_STEERS = re.compile(
    r"(OPENBLAS|GOTO|GOTOBLAS|BLIS|FLEXIBLAS|MKL|ATEN|ONEDNN|DNNL|NPY|TORCH_MKLDNN)_\w+|FLEXIBLAS|GLIBC_TUNABLES|LD_PRELOAD|DYLD_INSERT_LIBRARIES"
)
_STEERS_GPU = re.compile(
    r"NVIDIA_TF32_OVERRIDE|TORCH_ALLOW_TF32\w*|(TORCH_BLAS|TORCH_LINALG|TORCH_CUDNN|CUDNN|CUBLAS|CUBLASLT)_\w+"
)
_ASKED = re.compile(
    r"OPENBLAS_CORETYPE|ATEN_CPU_CAPABILITY|MKL_(CBWR|ENABLE_INSTRUCTIONS)|(ONEDNN|DNNL)_(MAX_CPU_ISA|DEFAULT_FPMATH_MODE)|NPY_(DIS|EN)ABLE_CPU_FEATURES"
)
"""What the probe sees the effect of."""
_OF_NO_EFFECT = re.compile(
    r"\w+_(NUM_THREADS|VERBOSE\w*|LOG\w*|WORKSPACE_CONFIG)|MKL_(DYNAMIC|INTERFACE_LAYER|THREADING_LAYER)|OPENBLAS_(MAIN_FREE|THREAD_TIMEOUT)|(ONEDNN|DNNL)_JIT_\w+"
)
"""What is written changes no number, and threads and cuBLAS's workspace are pinned in every run."""

_LIBRARIES = ("numpy", "scipy", "torch", "threadpoolctl")
_PATIENCE = 300.0


def kernels(versions: Mapping[str, str], processor: str, device: str = "cpu") -> dict[str, str]:
    """Return the kernels that a process of this environment computes with.

    Two settings that choose the same kernels give the same answer. A variable whose effect can't be
    asked is part of it, by its name.

    Args:
        versions: of the libraries.
        processor: its model and flags.
        device: ``cpu`` or ``cuda``, for which more variables count.

    Raises:
        EnvironmentFault: the libraries can't be loaded.
    """
    steering = _variables(_STEERS)
    unasked = {name: value for name, value in steering.items() if not _ASKED.fullmatch(name)}
    return {
        **_asked(json.dumps([sorted(steering.items()), dict(versions)]), processor),
        **unasked,
        **(_variables(_STEERS_GPU) if device == "cuda" else {}),
    }


def differences(then: Mapping[str, str] | None, now: Mapping[str, str]) -> list[str]:
    """Say in words which kernels are others than those of a record;
    ``then`` is None where a record does not name them.
    """
    if then is None:
        return ["the kernels of NumPy, SciPy and torch that computed it are not recorded"]
    said = []
    for name in sorted({*then, *now}):
        before, after = then.get(name, "not set"), now.get(name, "not set")
        if before != after:
            said.append(f"{TITLES.get(name, f'the variable {name}')} was {before}, is {after}")
    return said


def in_words(found: Mapping[str, str]) -> str:
    """Return the kernels as one line for people."""
    said = [
        f"NumPy {found.get('numpy_blas', '?')}",
        f"SciPy {found.get('scipy_blas', '?')}",
        f"torch {found.get('torch', '?')}",
    ]
    said += [f"{name}={value}" for name, value in found.items() if name not in TITLES]
    return ", ".join(said)


def _variables(wanted: re.Pattern[str]) -> dict[str, str]:
    found = {
        name: value
        for name, value in os.environ.items()
        if value and wanted.fullmatch(name) and not _OF_NO_EFFECT.fullmatch(name)
    }
    # of its many settings those of the processor alone choose functions
    if "GLIBC_TUNABLES" in found:
        kept = ":".join(
            sorted(
                part
                for part in found.pop("GLIBC_TUNABLES").split(":")
                if part.startswith("glibc.cpu.")
            )
        )
        found |= {"GLIBC_TUNABLES": kept} if kept else {}
    return dict(sorted(found.items()))


# by all that decides the answer, so that a changed variable is noticed within a process too
@functools.cache
def _asked(settings: str, processor: str) -> dict[str, str]:
    places = {
        name: str(spec.origin) for name in _LIBRARIES if (spec := find_spec(name)) is not None
    }
    wanted = [FORMAT, settings, processor, places, sys.executable, platform.release()]
    file = cache_folder() / "kernels" / f"{digest(wanted)}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, AttributeError, TypeError):
        kept = json.loads(file.read_bytes())
        if kept["files"] == {name: stamp(name) for name in kept["files"]}:
            return {str(name): str(said) for name, said in kept["kernels"].items()}
    found = _probe()
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        put(file, json.dumps(found).encode())
    answer: dict[str, str] = found["kernels"]
    return answer


def _probe() -> dict[str, Any]:
    program = Path(__file__).with_name("kernels_probe.py")
    told = {"MKL_VERBOSE": "1", "ONEDNN_VERBOSE": "1", "DNNL_VERBOSE": "1"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.endswith(("VERBOSE_OUTPUT_FILE", "VERBOSE_TIMESTAMP"))
    }
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(program)],
            env={**kept, **told},
            capture_output=True,
            check=False,
            timeout=_PATIENCE,
        )
        stdout, stderr = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentFault(
            f"NumPy, SciPy and torch could not be asked for their kernels ({error}); run 'python "
            '-c "import numpy, scipy, torch"\'.'
        ) from None
    answer = next(
        (line.removeprefix(MARK) for line in stderr.splitlines() if line.startswith(MARK)), None
    )
    if answer is None:
        why = next(
            (line for line in reversed(stderr.splitlines()) if line.strip()),
            f"it ended with {done.returncode}",
        )
        raise EnvironmentFault(
            f"NumPy, SciPy and torch could not be asked for their kernels ({why}); install "
            "datacentric-bench again with 'pip install'."
        )
    found: dict[str, Any] = json.loads(answer)
    found["kernels"] |= told_by(stdout.splitlines())
    return found


def told_by(lines: Iterable[str]) -> dict[str, str]:
    """Read what MKL and oneDNN wrote of themselves and of what they did;
    without the processor's clock, which changes by itself.
    """
    mkl, onednn = [], []
    for line in lines:
        if line.startswith("MKL_VERBOSE"):
            mkl += (
                re.findall(r"^MKL_VERBOSE (.*processors.*?), \w+ [\d.]+GHz", line)
                + re.findall(r"\bCNR:\S+", line)[:1]
            )
        elif "verbose" in line.partition(",")[0]:
            onednn += (
                re.findall(r"info,oneDNN (v\S+)", line)
                + re.findall(r"info,cpu,isa:(.*)", line)
                + re.findall(r"attr-fpmath:[\w:]+", line)
            )
    found = {"mkl": " ".join(dict.fromkeys(mkl)), "onednn": " ".join(dict.fromkeys(onednn))}
    return {name: said for name, said in found.items() if said}
