"""Sparse matrices that stacks of node features are multiplied by."""

from __future__ import annotations

from typing import Any

import torch


class Operator:
    """A sparse matrix with its transpose: differentiable both ways, and summed in a fixed order on
    a CPU.

    With ``loops`` the identity is added to it, in the same pass. ``matrix`` is (n, m), sparse, and
    ``transposed`` (m, n).
    """

    def __init__(self, matrix: torch.Tensor, transposed: torch.Tensor, loops: bool = False) -> None:
        self.matrix, self.transposed, self.loops = matrix, transposed, loops

    def __matmul__(self, x: torch.Tensor) -> torch.Tensor:
        product: torch.Tensor = _Product.apply(x, self)  # type: ignore[no-untyped-call]
        return product

    def times(self, x: torch.Tensor) -> torch.Tensor:
        """Return the product (n, d) with ``x`` (n, d), without a derivative."""
        return torch.addmm(x, self.matrix, x) if self.loops else self.matrix @ x

    def wipe(self) -> None:
        """Set every number of the matrices to zero, and with the ends of
        its rows all that says where they stood.
        """
        for matrix in (self.matrix, self.transposed):
            for part in (matrix.values(), matrix.col_indices(), matrix.crow_indices()):
                part.zero_()

    @property
    def T(self) -> Operator:
        """Return the transpose."""
        return Operator(self.transposed, self.matrix, self.loops)


class _Product(torch.autograd.Function):
    """M x.

    Written out because torch transposes M anew in every backward pass, and has no forward mode for
    it.
    """

    @staticmethod
    # one with setup_context reads its signature anew in every call
    def forward(ctx: Any, x: torch.Tensor, operator: Operator) -> torch.Tensor:
        ctx.operator = operator
        return operator.times(x)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return ctx.operator.T @ gradient, None

    @staticmethod
    def jvp(ctx: Any, tangent: torch.Tensor, _: None) -> torch.Tensor:
        product: torch.Tensor = ctx.operator @ tangent
        return product


def _csr(
    starts: torch.Tensor, columns: torch.Tensor, values: torch.Tensor, shape: tuple[int, int]
) -> torch.Tensor:
    # what MKL and cuSPARSE would convert to each time
    return torch.sparse_csr_tensor(
        starts.int(), columns.int(), values, shape, check_invariants=False
    )
