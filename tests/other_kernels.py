"""Prints the variables under which the libraries of this machine choose other kernels than by
themselves, for ``make test-kernels``.

What a test asserts must hold under any kernel: the last bits of a sum, the order of equal
eigenvalues and what training makes of them differ.
"""

from __future__ import annotations

from bench.runs.provenance import kernels_here


def other(kernels: dict[str, str], flags: str) -> dict[str, str]:
    """Return variables that change the kernels given, on a processor with
    these flags; of x86-64 the widest that differs.
    """
    blas = (
        ["Haswell", "SkylakeX", "Nehalem"]
        if "avx512vl" in flags
        else ["Haswell", "Nehalem"]
        if "avx2" in flags
        else ["Nehalem", "Core2"]
    )
    blas = blas if "sse2" in flags else ["ARMV8", "NEOVERSEN1"]
    chosen = next(name for name in blas if name.lower() not in kernels["numpy_blas"].lower())
    return {
        "OPENBLAS_CORETYPE": chosen,
        "ATEN_CPU_CAPABILITY": "avx2" if kernels["torch"].startswith("AVX512") else "default",
    }


if __name__ == "__main__":
    from bench.runs.provenance import cpu

    print(*(f"{name}={value}" for name, value in other(kernels_here(), cpu()["id"]).items()))
