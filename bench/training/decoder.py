"""A small decoder-only transformer that generates with a key-value cache. Pure torch.

Shapes: N rows, P prompt columns (left-padded), T columns, V tokens of vocabulary, H heads.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import torch
from torch import nn
from torch.nn import functional as F

Choose = Callable[[torch.Tensor, int, torch.Tensor], torch.Tensor]
"""From logits (n, V), the number of the new token and the numbers of the
rows that still go on (n,) to tokens (n,).
"""


class DecoderShape(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes of a decoder.

    Attributes:
        vocabulary: V.
        context: most tokens of a row, padding not counted.
        width: of the residual stream; a multiple of ``heads``.
        layers: number of blocks.
        heads: attention heads of a block.
    """

    vocabulary: int
    context: int = 64
    width: int = 64
    layers: int = 2
    heads: int = 4


class _Cache:
    """Keys and values of every layer (N, H, P + new, width / H), filled up to ``length``."""

    def __init__(self, shape: DecoderShape, rows: int, columns: int, like: torch.Tensor) -> None:
        size = (shape.layers, 2, rows, shape.heads, columns, shape.width // shape.heads)
        self.kept = torch.empty(size, device=like.device, dtype=like.dtype)
        self.length = 0

    def add(
        self, layer: int, key: torch.Tensor, value: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        end = self.length + key.shape[2]
        self.kept[layer, 0, :, :, self.length : end] = key
        self.kept[layer, 1, :, :, self.length : end] = value
        return self.kept[layer, 0, :, :, :end], self.kept[layer, 1, :, :, :end]

    def repeated(self, times: int) -> _Cache:
        """Return a cache in which each row stands ``times`` times in a row."""
        other = object.__new__(_Cache)
        other.kept, other.length = self.kept.repeat_interleave(times, 2), self.length
        return other

    def keep(self, rows: torch.Tensor) -> None:
        """Leave out all but some rows."""
        self.kept = self.kept[:, :, rows]


class _Block(nn.Module):
    """Attention and a two-layer net, each behind a layer norm."""

    def __init__(self, shape: DecoderShape, layer: int) -> None:
        super().__init__()
        self.layer, self.heads = layer, shape.heads
        self.before_attention, self.before_net = (
            nn.LayerNorm(shape.width),
            nn.LayerNorm(shape.width),
        )
        self.attend_in, self.attend_out = (
            nn.Linear(shape.width, 3 * shape.width, bias=False),
            nn.Linear(shape.width, shape.width, bias=False),
        )
        self.net = nn.Sequential(
            nn.Linear(shape.width, 4 * shape.width),
            nn.ReLU(),
            nn.Linear(4 * shape.width, shape.width),
        )

    def forward(self, x: torch.Tensor, allowed: torch.Tensor, cache: _Cache | None) -> torch.Tensor:
        query, key, value = (
            self.attend_in(self.before_attention(x))
            .unflatten(-1, (3, self.heads, -1))
            .permute(2, 0, 3, 1, 4)
        )
        if cache is not None:
            key, value = cache.add(self.layer, key, value)
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        x = x + self.attend_out(seen.transpose(1, 2).flatten(2))
        out: torch.Tensor = x + self.net(self.before_net(x))
        return out


class Decoder(nn.Module):
    """A decoder with learned positions, counted from each row's first real
    token, and tied embeddings left untied.
    """

    def __init__(self, shape: DecoderShape) -> None:
        super().__init__()
        self.shape = shape
        self.tokens, self.positions = (
            nn.Embedding(shape.vocabulary, shape.width),
            nn.Embedding(shape.context, shape.width),
        )
        self.blocks = nn.ModuleList(_Block(shape, layer) for layer in range(shape.layers))
        self.last, self.head = (
            nn.LayerNorm(shape.width),
            nn.Linear(shape.width, shape.vocabulary, bias=False),
        )
        for table in (self.tokens, self.positions):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor, first: int = 0) -> torch.Tensor:
        """Return the logits of the next token, (N, T - first, V), after every column from ``first``
        on.

        Args:
            ids: tokens (N, T).
            mask: False at padding (N, T); padding may stand before and after a row's tokens, not
                between them.
            first: leave the columns before it out of the last layer.
        """
        x = self._read(ids, mask, None)
        out: torch.Tensor = self.head(self.last(x[:, first:]))
        return out

    def _read(self, ids: torch.Tensor, mask: torch.Tensor, cache: _Cache | None) -> torch.Tensor:
        """Run whole rows, each token seeing those before it."""
        columns = ids.shape[1]
        causal = torch.ones(columns, columns, dtype=torch.bool, device=ids.device).tril()
        # padding sees itself: no row of softmax is empty
        allowed = (causal & mask[:, None, :]) | torch.eye(
            columns, dtype=torch.bool, device=ids.device
        )
        return self._run(ids, (mask.cumsum(1) - 1).clamp_min(0), allowed[:, None], cache)

    def _run(
        self,
        ids: torch.Tensor,
        positions: torch.Tensor,
        allowed: torch.Tensor,
        cache: _Cache | None,
    ) -> torch.Tensor:
        x: torch.Tensor = self.tokens(ids) + self.positions(positions)
        for block in self.blocks:
            x = block(x, allowed, cache)
        return x

    @torch.no_grad()
    def generate(
        self,
        ids: torch.Tensor,
        mask: torch.Tensor,
        *,
        new: int,
        choose: Choose,
        end: int,
        pad: int,
        repeat: int = 1,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Continue every prompt ``repeat`` times until ``end`` or ``new`` tokens.

        Args:
            ids: prompts (N, P), left-padded.
            mask: False at padding (N, P).
            new: most tokens to add.
            choose: picks tokens from logits.
            end: the token that ends a row.
            pad: what stands after it.
            repeat: continuations of a prompt; its columns are read once.

        Returns:
            Tokens (N * repeat, new) and their mask, which includes ``end``; the rows of a prompt
            stand together.
        """
        rows, columns = ids.shape
        cache = _Cache(self.shape, rows, columns + new, self.tokens.weight)
        x = self._read(ids, mask, cache)[:, -1]
        cache.length = columns
        cache, x = cache.repeated(repeat), x.repeat_interleave(repeat, 0)
        seen = F.pad(mask.repeat_interleave(repeat, 0), (0, new), value=True)
        place = mask.sum(1).repeat_interleave(repeat, 0)
        out = torch.full((rows * repeat, new), pad, dtype=ids.dtype, device=ids.device)
        kept = torch.zeros(rows * repeat, new, dtype=torch.bool, device=ids.device)
        going, alive = (
            torch.arange(rows * repeat, device=ids.device),
            torch.ones(rows * repeat, dtype=torch.bool, device=ids.device),
        )
        for column in range(new):
            token = torch.where(alive, choose(self.head(self.last(x)), column, going), pad)
            out[going, column], kept[going, column] = token, alive
            alive = alive & (token != end)
            # rows that have ended cost as much as those that go on: leave them out
            if column % 4 == 3 and (left := int(alive.sum())) < 0.8 * len(going):
                if left == 0:
                    break
                rest = torch.nonzero(alive)[:, 0]
                going, alive, token, place, seen = (
                    going[rest],
                    alive[rest],
                    token[rest],
                    place[rest],
                    seen[rest],
                )
                cache.keep(rest)
            if column + 1 < new:
                x = self._run(
                    token[:, None],
                    (place + column)[:, None],
                    seen[:, None, None, : columns + column + 1],
                    cache,
                )[:, -1]
                cache.length += 1
        return out, kept


def sampler(uniform: torch.Tensor, temperature: float = 1.0) -> Choose:
    """Return a choice by inverting the cumulative probabilities at
    ``uniform`` (N, new) in [0, 1): equal numbers, equal luck.
    """

    def choose(logits: torch.Tensor, column: int, rows: torch.Tensor) -> torch.Tensor:
        # in half precision the sum of many small ones stops growing
        reached = (logits / temperature).softmax(-1, uniform.dtype).cumsum(-1)
        return (
            (reached < uniform[rows, column, None] * reached[:, -1:])
            .sum(-1)
            .clamp_max(logits.shape[-1] - 1)
        )

    return choose


def greedy(logits: torch.Tensor, column: int, rows: torch.Tensor) -> torch.Tensor:
    """Choose the most likely token of each row: from logits (n, vocabulary) to numbers (n,)."""
    return logits.argmax(-1)
