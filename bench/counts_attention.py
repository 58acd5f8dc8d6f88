"""Operations of attention, by the conventions of :mod:`bench.counts_formulas`."""

from __future__ import annotations

from typing import Any

from bench.counts_linalg import Bound, Formula


def _pairs(a: Bound, ends: tuple[str, str], axis: int) -> Any:
    """Return the pairs of queries and keys over all rows: those within
    each sequence, where several are packed or nested.
    """
    first, second = (a.get(name) for name in ends)
    if first is not None and second is not None and first.numel() > 1:
        return float((first.diff() * second.diff()).sum())
    if a["query"].is_nested:
        return float(
            sum(
                own.shape[axis - 1] * other.shape[axis - 1]
                for own, other in zip(a["query"].unbind(), a["key"].unbind(), strict=True)
            )
        )
    return float(a["query"].shape[0] * a["query"].shape[axis] * a["key"].shape[axis])


def _attention(products: int, axis: int, ends: tuple[str, str] = ("", "")) -> Formula:
    """Count so many products of pairs with keys and as many with values; ``axis`` is that of
    positions in (N, ...) tensors, heads are the other.
    """

    def count(a: Bound, out: Any) -> Any:
        query = a["query"]
        heads = query.size(3 - axis if query.dim() == 4 else 1)
        return (
            2.0 * products * _pairs(a, ends, axis) * heads * (query.size(-1) + a["value"].size(-1))
        )

    return count


_ENDS, _SHORT_ENDS = ("cum_seq_q", "cum_seq_k"), ("cu_seqlens_q", "cu_seqlens_k")


def _encoder_attention(a: Bound, out: Any) -> Any:
    """Count one self-attention with its projections, of padded rows (B, T, D) or nested ones."""
    query, key, width = a["query"], a["key"], a["embed_dim"]
    rows = [
        (row.shape[0], other.shape[0])
        for row, other in zip(query.unbind(), key.unbind(), strict=True)
    ]
    return float(
        sum(2 * width**2 * (2 * own + 2 * other) + 4 * own * other * width for own, other in rows)
    )


def _encoder_layer(a: Bound, out: Any) -> Any:
    width, inner = a["embed_dim"], a["ffn_weight_1"].shape[0]
    rows = [row.shape[0] for row in a["src"].unbind()]
    return float(
        sum(2 * own * width * (4 * width + 2 * inner) + 4 * own * own * width for own in rows)
    )


ATTENTION: dict[str, Formula] = {
    **{
        f"_scaled_dot_product_{kind}_attention": _attention(1, 2)
        for kind in ("flash", "efficient", "cudnn")
    },
    "_scaled_dot_product_flash_attention_for_cpu": _attention(1, 2),
    "_scaled_dot_product_fused_attention_overrideable": _attention(1, 2),
    **{
        f"_scaled_dot_product_{kind}_attention_backward": _attention(2, 2, _ENDS)
        for kind in ("flash", "efficient", "cudnn")
    },
    "_scaled_dot_product_flash_attention_for_cpu_backward": _attention(2, 2),
    "_scaled_dot_product_fused_attention_overrideable_backward": _attention(2, 2, _ENDS),
    **dict.fromkeys(
        ("_flash_attention_forward", "_flash_attention_forward_no_dropout_inplace"),
        _attention(1, 1, _ENDS),
    ),
    "_flash_attention_backward": _attention(2, 1, _ENDS),
    "_efficient_attention_forward": _attention(1, 1, _SHORT_ENDS),
    "_efficient_attention_backward": _attention(2, 1, _SHORT_ENDS),
    "_cudnn_attention_forward": _attention(1, 2, _ENDS),
    "_cudnn_attention_backward": _attention(2, 2, _ENDS),
    "flex_attention": _attention(1, 2),
    "flex_attention_backward": _attention(2, 2),
    "_native_multi_head_attention": _encoder_attention,
    "_transformer_encoder_layer_fwd": _encoder_layer,
}
