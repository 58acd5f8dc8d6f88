"""Narrower instructions than the processor has, so that it computes what another class computes.

A processor with AVX-512 also has AVX2. Limited to AVX2, its libraries use the kernels that they use
on a processor without AVX-512, so a run there and a run here give the same bits. The variable
``BENCH_INSTRUCTIONS`` sets the limit.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

from bench.errors import UsageError

VARIABLE = "BENCH_INSTRUCTIONS"
"""Its one value is ``avx2``; empty or absent: all instructions that the processor has."""


def limited(environ: MutableMapping[str, str] = os.environ) -> str | None:
    """Return the instruction set asked for, once the variables that limit NumPy, SciPy and torch to
    it are set. None where nothing is asked.

    The libraries read them when they are loaded, so call this before. Processes that start later
    inherit them.

    Raises:
        UsageError: the value is unknown, or another variable asks for other kernels.
    """
    wanted = environ.get(VARIABLE, "")
    if not wanted:
        return None
    if wanted != "avx2":
        raise UsageError(
            f"{VARIABLE} is {wanted!r}; give 'avx2', or unset it to use every instruction of the "
            "processor."
        )
    for name, value in _avx2().items():
        if environ.setdefault(name, value) != value:
            raise UsageError(
                f"{VARIABLE}={wanted} sets {name} to {value!r}, and it is {environ[name]!r}; unset "
                "one of the two."
            )
    return wanted


def _avx2() -> dict[str, str]:
    from importlib.metadata import version

    # NumPy warns of a name that its version does not know
    above = (
        "X86_V4 AVX512_ICL AVX512_SPR"
        if tuple(map(int, version("numpy").split(".")[:2])) >= (2, 4)
        else "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR"
    )
    return {
        "OPENBLAS_CORETYPE": "Haswell",
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "NPY_DISABLE_CPU_FEATURES": above,
    }
