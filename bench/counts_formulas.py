"""Floating-point operations of torch's operators, by their shapes.

One multiplication with one addition is two operations.

Every formula takes the arguments of the operator by the names of its schema and what it returned.
Conventions:

- Dense products count ``2 m k n``; a bias that is added on the way is not counted, as nothing
  elementwise is.
- A complex operation is four real ones.
- Convolutions count a product for every weight of a channel's group and every output position,
  padding included.
- Attention counts all pairs of the queries and keys that it is given: a mask, causal or of padding,
  leaves none out, so that the count does not depend on the kernel. Packed sequences count the pairs
  within each. A backward pass counts the four products it needs, not the scores that some kernels
  compute again.
- A sparse product, as torch makes of message passing, counts two operations
  for every stored entry and column; gathering and scattering rows count nothing.
"""

from __future__ import annotations

import math
from typing import Any

from bench.counts_attention import ATTENTION
from bench.counts_linalg import LINALG, Bound, Formula, first

# Products
# -------------------------------------------------------------------------------------------------


def _stored(matrix: Any) -> Any:
    """Return how many entries a sparse matrix stores, blocks in full; None of a dense one."""
    layout = str(matrix.layout)
    if layout == "torch.strided":
        return None
    if layout == "torch.sparse_coo":
        return int(matrix._nnz()) * math.prod(matrix._values().shape[1:])
    return int(matrix.values().numel()) if layout.startswith("torch.sparse") else None


def _product(left: Any, right: Any) -> Any:
    """Count ``left @ right``, (..., m, k) and (..., k, n), dense, sparse or nested."""
    if left.is_nested:
        return sum(
            map(
                _product,
                left.unbind(),
                right.unbind() if right.is_nested else [right] * left.size(0),
            )
        )
    stored = _stored(left), _stored(right)
    m, k, n = left.shape[-2], left.shape[-1], right.shape[-1]
    if stored[0] is not None and stored[1] is not None:
        a, b = left.to_sparse_coo().coalesce(), right.to_sparse_coo().coalesce()
        return 2.0 * float(
            (a.indices()[-1].bincount(minlength=k) * b.indices()[-2].bincount(minlength=k)).sum()
        )
    if stored[0] is not None:
        return 2.0 * stored[0] * n
    if stored[1] is not None:
        return 2.0 * stored[1] * m
    return 2.0 * math.prod(left.shape[:-2]) * m * k * n


def _of(left: str, right: str) -> Formula:
    return lambda a, out: _product(a[left], a[right])


def _vector(matrix: str) -> Formula:
    def count(a: Bound, out: Any) -> Any:
        stored = _stored(a[matrix])
        return 2.0 * (a[matrix].numel() if stored is None else stored)

    return count


def _many(a: Bound, out: Any) -> Any:
    return sum(_product(left, right) for left, right in zip(a["self"], a["mat2"], strict=True))


def _grouped(left: str, right: str) -> Formula:
    """Count a product of groups, whose rows or columns are packed: each row meets the columns of
    its group alone, or each inner number its pair.
    """

    def count(a: Bound, out: Any) -> Any:
        x, y = a[left], a[right]
        # the inner axis is packed: (m, k) and (k, n) make (groups, m, n)
        if x.dim() == 2 and y.dim() == 2:
            return 2.0 * x.shape[0] * x.shape[1] * y.shape[1]
        if x.dim() == 2:  # rows are packed: (rows, k) and (groups, k, n)
            return 2.0 * x.shape[0] * x.shape[1] * y.shape[-1]
        return 2.0 * x.shape[-2] * x.shape[-1] * y.shape[-1] * (x.shape[0] if y.dim() == 3 else 1)

    return count


def _linear(x: str, weight: str) -> Formula:
    """Count ``x @ weight.T`` for a weight (out, in)."""
    return lambda a, out: 2.0 * a[x].numel() * a[weight].shape[0]


def _packed(x: str) -> Formula:
    """Count a product with a weight whose own shape is that of its
    packing: the output says how many columns it has.
    """
    return lambda a, out: 2.0 * a[x].shape[-1] * first(out).numel()


def _linear_backward(a: Bound, out: Any) -> Any:
    flags = a.get("output_mask", (True, True))
    return 2.0 * a["grad_output"].numel() * a["self"].shape[-1] * (bool(flags[0]) + bool(flags[1]))


def _matmul_backward(a: Bound, out: Any) -> Any:
    left, right, gradient = a["self"], a["other"], a["grad"]
    inner = left.shape[-1]
    return (
        2.0 * gradient.numel() * inner * sum(bool(flag) for flag in a["mask"])
        if right.dim()
        else 0.0
    )


def _sampled(a: Bound, out: Any) -> Any:
    stored = _stored(a["self"])
    return 2.0 * (a["self"].numel() if stored is None else stored) * a["mat1"].shape[-1]


def _trilinear(a: Bound, out: Any) -> Any:
    """Count sums of products of three: two multiplications and an addition for each."""
    parts = []
    for tensor, expand in (("i1", "expand1"), ("i2", "expand2"), ("i3", "expand3")):
        shape = list(a[tensor].shape)
        for place in sorted(a[expand]):
            shape.insert(place, 1)
        parts.append(shape)
    return 3.0 * math.prod(max(sizes) for sizes in zip(*parts, strict=True))


# Convolutions
# -------------------------------------------------------------------------------------------------


def _positions(transposed: bool, source: Any, target: Any) -> Any:
    """Return the places at which the kernel is laid: those of the smaller
    side's tensor, (N, C, ...), over all pictures.
    """
    tensor = source if transposed else target
    return float(tensor.shape[0] * math.prod(tensor.shape[2:]))


def _convolution(x: str, transposed: bool = False) -> Formula:
    def count(a: Bound, out: Any) -> Any:
        return 2.0 * _positions(a.get("transposed", transposed), a[x], out) * a["weight"].numel()

    return count


def _convolution_backward(a: Bound, out: Any) -> Any:
    flags = a["output_mask"]
    return (
        2.0
        * _positions(a["transposed"], a["input"], a["grad_output"])
        * a["weight"].numel()
        * (bool(flags[0]) + bool(flags[1]))
    )


# Attention
# -------------------------------------------------------------------------------------------------


# Recurrent nets
# -------------------------------------------------------------------------------------------------


def _recurrent(x: str, weights: str, times: int) -> Formula:
    """Count whole layers: every weight matrix once for every position of every sequence."""

    def count(a: Bound, out: Any) -> Any:
        given, sizes = a[x], a.get("batch_sizes") or ()
        places = sum(sizes) if sizes else given.shape[0] * given.shape[1]
        return (
            2.0 * times * places * sum(weight.numel() for weight in a[weights] if weight.dim() == 2)
        )

    return count


def _onednn_layer(weights: tuple[str, str], times: int) -> Formula:
    return lambda a, out: (
        2.0
        * times
        * a["input"].shape[0]
        * a["input"].shape[1]
        * sum(a[name].numel() for name in weights)
    )


_CONVOLUTIONS: dict[str, Formula] = {
    **dict.fromkeys(("convolution", "_convolution"), _convolution("input")),
    **dict.fromkeys(
        (
            "cudnn_convolution",
            "cudnn_convolution_relu",
            "cudnn_convolution_add_relu",
            "mkldnn_convolution",
        ),
        _convolution("self"),
    ),
    "cudnn_convolution_transpose": _convolution("self", transposed=True),
    "convolution_backward": _convolution_backward,
}


FORMULAS: dict[str, Formula] = {
    **dict.fromkeys(
        ("mm", "bmm", "_sparse_mm", "_int_mm", "_scaled_mm", "_scaled_mm_v2"), _of("self", "mat2")
    ),
    "_sparse_sparse_matmul": _of("self", "other"),
    **dict.fromkeys(
        ("addmm", "sspaddmm", "_addmm_activation", "_sparse_addmm", "hspmm"), _of("mat1", "mat2")
    ),
    **dict.fromkeys(("baddbmm", "addbmm"), _of("batch1", "batch2")),
    "_foreach_mm": _many,
    **dict.fromkeys(
        ("_grouped_mm", "_scaled_grouped_mm", "_scaled_grouped_mm_v2"), _grouped("self", "mat2")
    ),
    "mv": _vector("self"),
    "addmv": _vector("mat"),
    **dict.fromkeys(("dot", "vdot"), _vector("self")),
    "addr": lambda a, out: 2.0 * a["vec1"].numel() * a["vec2"].numel(),
    "sparse_sampled_addmm": _sampled,
    "_sparse_mm_reduce_impl": _of("self", "other"),
    "_trilinear": _trilinear,
    "linear": _linear("input", "weight"),
    "linear_backward": _linear_backward,
    "matmul_backward": _matmul_backward,
    **dict.fromkeys(
        (
            "_weight_int8pack_mm",
            "_weight_int4pack_mm",
            "_weight_int4pack_mm_for_cpu",
            "_weight_int4pack_mm_with_scales_and_zeros",
        ),
        _packed("self"),
    ),
    "_cudnn_rnn": _recurrent("input", "weight", 1),
    "_cudnn_rnn_backward": _recurrent("input", "weight", 2),
    "mkldnn_rnn_layer": _onednn_layer(("weight0", "weight1"), 1),
    "mkldnn_rnn_layer_backward": _onednn_layer(("weight1", "weight2"), 2),
    **_CONVOLUTIONS,
    **ATTENTION,
    **LINALG,
}
"""Name of an operator of ``aten``, without ``_`` of its form in place, and what it counts."""

NESTED: dict[str, Formula] = {"matmul": _of("self", "other")}
"""What counts where an argument is nested, of operators that are otherwise made of others."""

_NO_FORMULA = """
    _compute_linear_combination _conv_depthwise2d conv_depthwise3d conv_tbc convolution_overrideable
    convolution_backward_overrideable _cslt_sparse_mm _ctc_loss _ctc_loss_backward _cudnn_ctc_loss
    _dyn_quant_matmul_4bit _lstm_mps lstm_mps_backward miopen_convolution
    miopen_convolution_add_relu miopen_convolution_relu miopen_convolution_transpose miopen_ctc_loss
    miopen_depthwise_convolution miopen_rnn miopen_rnn_backward _mixed_dtypes_linear mkldnn_linear
    mkldnn_linear_backward mkldnn_linear_backward_input mkldnn_linear_backward_weights
    _mps_convolution _mps_convolution_transpose mps_convolution_backward
    mps_convolution_transpose_backward _nnpack_spatial_convolution quantized_gru quantized_lstm
    _scaled_dot_product_attention_math_for_mps _slow_conv2d_backward _slow_conv2d_forward
    slow_conv3d_forward slow_conv_dilated2d slow_conv_dilated3d slow_conv_transpose2d
    slow_conv_transpose3d _sparse_mm_reduce_impl_backward _sparse_semi_structured_addmm
    _sparse_semi_structured_linear _sparse_semi_structured_mm _spsolve _triton_multi_head_attention
    _triton_scaled_dot_attention
"""
ARITHMETIC = frozenset(_NO_FORMULA.split())
"""Operators of ``aten`` that sum products and have no formula: those of other devices and of
formats that need preparation.

What is in neither table is elementwise, a reduction, a pooling, a resampling or a move of data, and
counts nothing.
"""
