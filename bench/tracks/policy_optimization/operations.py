"""Floating-point operations of the decoder, by the sizes of what passes through it.

They follow the harness's conventions (:mod:`bench.counts_formulas`): a multiplication with its
addition is two operations, attention counts every pair of the queries and keys that it is given,
and elementwise work counts nothing. A test holds them against the harness's counter, and so does
the second pass of every run that is counted.

Notation: d is the width, L the layers, V the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.training.decoder import DecoderShape


def blocks(shape: DecoderShape, rows: int, queries: int, keys: int) -> int:
    """Return what all L blocks take: for every query 2 * 12 d^2 in the linear layers (3 d^2 into
    attention, d^2 out of it, 8 d^2 in the net behind it), for every pair of query and key 4 d.
    """
    return shape.layers * rows * queries * (24 * shape.width**2 + 4 * keys * shape.width)


def head(shape: DecoderShape, positions: int) -> int:
    """Return what the logits of some positions take: 2 d V each."""
    return 2 * positions * shape.width * shape.vocabulary


def forward(shape: DecoderShape, rows: int, columns: int, first: int = 0) -> int:
    """Return what a pass over whole rows takes, with logits from the column ``first`` on."""
    return blocks(shape, rows, columns, columns) + head(shape, rows * (columns - first))


def update(
    shape: DecoderShape, rows: int, columns: int, first: int, reference: bool = False
) -> int:
    """Return what the gradient of some rows takes: a forward pass, and a backward pass of twice as
    much; with ``reference`` one more pass forward, of the policy that is not to be left.
    """
    return (4 if reference else 3) * forward(shape, rows, columns, first)


def generation(shape: DecoderShape, prompts: int, columns: int, going: Sequence[int]) -> int:
    """Return what it takes to continue prompts with a cache of keys and values.

    Args:
        shape: of the decoder.
        prompts: how many are read, each once.
        columns: of the prompts, padding included.
        going: rows that each new column was drawn for.
    """
    read = blocks(shape, prompts, columns, columns)
    steps = sum(blocks(shape, rows, 1, columns + new) for new, rows in enumerate(going) if new)
    return read + steps + head(shape, sum(going))
