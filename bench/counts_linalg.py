"""Floating-point operations of linear algebra, distances and Fourier transforms.

Used by :mod:`bench.counts_formulas`.

Decompositions count the leading terms of Golub and Van Loan, Matrix Computations (4th edition),
whatever the driver. Distances count three operations (difference, power, sum) a pair and
coordinate. A transform counts 5 n log2 n.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Bound = Mapping[str, Any]
Formula = Callable[[Bound, Any], float]
"""From the arguments of an operator by the names of its schema, and from
what it returned, to a count.
"""


def first(out: Any) -> Any:
    """Return what an operator returned, of several things the first."""
    return out[0] if isinstance(out, Sequence) else out


def _batch(matrix: Any) -> int:
    return math.prod(matrix.shape[:-2])


def _cube(factor: float, *names: str) -> Formula:
    """Count ``factor`` n^3 for every matrix (..., n, n)."""

    def count(a: Bound, out: Any) -> Any:
        matrix = next(a[name] for name in names if name in a)
        return factor * _batch(matrix) * matrix.shape[-1] ** 3

    return count


def _solved(factor: float, right: float, matrix: str, given: str) -> Formula:
    """Count ``factor`` n^3 for every matrix and ``right`` n^2 for every
    column on the right-hand side.
    """

    def count(a: Bound, out: Any) -> Any:
        n = a[matrix].shape[-1]
        columns = first(out).numel() / n
        return factor * _batch(a[matrix]) * n**3 + right * n**2 * columns

    return count


def _sides(matrix: Any) -> tuple[int, int]:
    """Return the longer and the shorter side."""
    return max(matrix.shape[-2:]), min(matrix.shape[-2:])


def _reduced(matrix: Any) -> Any:
    """Count Householder's triangularisation (section 5.2)."""
    m, n = _sides(matrix)
    return _batch(matrix) * 2.0 * n**2 * (m - n / 3)


def _lu(a: Bound, out: Any) -> Any:
    matrix = a.get("A", a.get("self"))
    m, n = _sides(matrix)
    return _batch(matrix) * float(n) ** 2 * (m - n / 3)


def _qr(a: Bound, out: Any) -> Any:
    """Count R, and Q where it is wanted (section 5.2): as wide as the matrix, or whole."""
    m, n = a["A"].shape[-2:]
    mode, k = a.get("mode", "reduced"), min(m, n)
    count = (
        2.0 * k**2 * (m - k / 3)
        + (2.0 * m * k * (n - k) if n > m else 0.0)
        - (k**2 * (n - k) if n > m else 0.0)
    )
    if mode == "reduced":
        count += 2.0 * k**2 * (m - k / 3)
    elif mode == "complete":
        count += 4.0 * (m**2 * k - m * k**2 + k**3 / 3)
    return _batch(a["A"]) * count


def _svd(a: Bound, out: Any) -> Any:
    """Count the singular values alone, or the vectors too, as many as
    values or all (figure 8.6.1, Golub and Reinsch).
    """
    m, n = _sides(a["A"])
    if not a.get("compute_uv", True):
        count = 4.0 * m * n**2 - 4 / 3 * n**3
    elif a.get("full_matrices", False):
        count = 4.0 * m**2 * n + 8.0 * m * n**2 + 9.0 * n**3
    else:
        count = 14.0 * m * n**2 + 8.0 * n**3
    return _batch(a["A"]) * count


def _eigh(a: Bound, out: Any) -> Any:
    return _cube(9 if a.get("compute_v", True) else 4 / 3, "A")(a, out)  # section 8.3


def _lstsq(a: Bound, out: Any) -> Any:
    """Count Householder least squares (section 5.3): the
    triangularisation, Q^T b and the triangular solve.
    """
    matrix, right = a["self"], a["b"]
    m, n = _sides(matrix)
    columns = right.shape[-1] if right.dim() == matrix.dim() else 1
    return _reduced(matrix) + _batch(matrix) * columns * (4.0 * m * n - 2.0 * n**2 + n**2)


def _reflectors(a: Bound, out: Any) -> Any:
    """Count Q from k reflectors of length m (LAPACK's orgqr)."""
    m, n = a["input"].shape[-2:]
    k = a["tau"].shape[-1]
    return _batch(a["input"]) * (4.0 * m * n * k - 2.0 * (m + n) * k**2 + 4 / 3 * k**3)


def _reflected(a: Bound, out: Any) -> Any:
    """Count a product with Q, given as k reflectors of length m (LAPACK's ormqr)."""
    m, k = a["self"].shape[-2], a["input2"].shape[-1]
    columns = a["input3"].numel() / m / max(1, _batch(a["self"]))
    return _batch(a["self"]) * 2.0 * columns * k * (2 * m - k)


_EXPONENT_BOUNDS = {
    "float32": (
        1.192092800768788e-07,
        5.978858893805233e-04,
        5.116619363445086e-02,
        5.800524627688768e-01,
        1.461661507209034e00,
        3.010066362817634e00,
    ),
    "float64": (
        2.220446049250313e-16,
        2.580956802971767e-08,
        3.397168839976962e-04,
        4.991228871115323e-02,
        2.996158913811580e-01,
        1.090863719290036e00,
    ),
}
"""Largest norm of a matrix whose exponential takes 0, 1, 2, 3, 4, 5 products; beyond the last, it
is halved until it fits and squared as often.
"""


def _exponential(a: Bound, out: Any) -> Any:
    """Count Taylor polynomials with as few products as possible, then squarings (arXiv:1710.10989),
    which depend on each matrix's norm.
    """
    matrix = a["self"]
    n = matrix.shape[-1]
    double = str(matrix.dtype) in ("torch.float64", "torch.complex128")
    bounds = _EXPONENT_BOUNDS["float64" if double else "float32"]
    products = 0
    for norm in matrix.abs().sum(-2).amax(-1).reshape(-1).tolist() if n else ():
        enough = next((count for count, bound in enumerate(bounds) if norm <= bound), None)
        products += (
            enough
            if enough is not None
            else 5 + (math.ceil(math.log2(norm / bounds[-1])) if math.isfinite(norm) else 0)
        )
    return 2.0 * n**3 * products


# Distances and transforms
# ---------------------------------------------------------------------------------------------


def _distances(a: Bound, out: Any) -> Any:
    return 3.0 * out.numel() * a["x1"].shape[-1]


def _distances_backward(a: Bound, out: Any) -> Any:
    return 3.0 * a["grad"].numel() * a["x1"].shape[-1]


def _own_distances(a: Bound, out: Any) -> Any:
    n, width = a["self"].shape
    return 1.5 * n * (n - 1) * width


def _fourier(factor: float) -> Formula:
    """Count 5 n log2 n for each complex transform of length n, half of it where one side is real;
    along several axes, one after the other.

    A factor is for real numbers: what an operator does with complex arguments is counted four
    times.
    """

    def count(a: Bound, out: Any) -> Any:
        whole = out if out.numel() > a["self"].numel() else a["self"]
        size = math.prod(whole.shape[axis] for axis in a["dim"])
        return factor * whole.numel() * math.log2(max(1, size))

    return count


LINALG: dict[str, Formula] = {
    **dict.fromkeys(
        ("cholesky", "linalg_cholesky_ex", "linalg_ldl_factor_ex"), _cube(1 / 3, "self")
    ),
    **dict.fromkeys(("linalg_lu", "linalg_lu_factor_ex"), _lu),
    **dict.fromkeys(("_linalg_det", "_linalg_slogdet"), _cube(2 / 3, "A")),
    "linalg_inv_ex": _cube(2, "A"),
    "cholesky_inverse": _cube(2 / 3, "self"),
    "linalg_eig": _cube(25, "self"),
    **dict.fromkeys(("linalg_eigvals", "_linalg_eigvals"), _cube(10, "self")),
    "_linalg_eigh": _eigh,
    "_linalg_svd": _svd,
    "linalg_qr": _qr,
    "geqrf": lambda a, out: _reduced(a["self"]),
    "linalg_lstsq": _lstsq,
    "linalg_householder_product": _reflectors,
    "ormqr": _reflected,
    "_linalg_solve_ex": _solved(2 / 3, 2, "A", "B"),
    "linalg_lu_solve": _solved(0, 2, "LU", "B"),
    "linalg_ldl_solve": _solved(0, 2, "LD", "B"),
    "cholesky_solve": _solved(0, 2, "input2", "self"),
    "_cholesky_solve_helper": _solved(0, 2, "A", "self"),
    "linalg_solve_triangular": _solved(0, 1, "self", "B"),
    "triangular_solve": _solved(0, 1, "A", "self"),
    "linalg_matrix_exp": _exponential,
    **dict.fromkeys(("_cdist_forward", "_euclidean_dist"), _distances),
    "_cdist_backward": _distances_backward,
    **dict.fromkeys(("_pdist_forward", "_pdist_backward"), _own_distances),
    "_fft_c2c": _fourier(5 / 4),
    "_fft_r2c": _fourier(5 / 2),
    "_fft_c2r": _fourier(5 / 8),
}
"""Name of an operator of ``aten`` and what it counts."""
