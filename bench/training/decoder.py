"""A small decoder-only transformer that generates with a key-value cache. Pure torch.

Shapes: N rows, P prompt columns (left-padded), T columns, V tokens of vocabulary, H heads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

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
    """Keys and values of every layer, (2 * layers, N, H, P + new, width / H): the keys of a layer
    and then its values, filled up to ``length``.
    """

    def __init__(self, shape: DecoderShape, rows: int, columns: int, like: torch.Tensor) -> None:
        size = (2 * shape.layers, rows, shape.heads, columns, shape.width // shape.heads)
        self.kept, self.length = like.new_empty(size), 0

    def begin(self, layer: int, key: torch.Tensor, value: torch.Tensor, repeat: int) -> None:
        """Take in what prompts (N, H, P, width / H) say, each ``repeat`` times in a row."""
        self.length = key.shape[2]
        for place, part in enumerate((key, value), 2 * layer):
            self.kept[place, :, :, : self.length] = part.repeat_interleave(repeat, 0)

    def grow(self) -> tuple[tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]:
        """Return where the next column goes, (N, H, 1, width / H) for each key and value, and all
        columns with it.
        """
        self.length += 1
        return (
            self.kept.narrow(3, self.length - 1, 1).unbind(),
            self.kept.narrow(3, 0, self.length).unbind(),
        )

    def keep(self, rows: torch.Tensor) -> None:
        """Leave out all but some rows."""
        self.kept = self.kept.index_select(1, rows)


class _Block(nn.Module):
    """Attention and a two-layer net, each behind a layer norm."""

    def __init__(self, shape: DecoderShape) -> None:
        super().__init__()
        self.heads = shape.heads
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

    def forward(
        self, x: torch.Tensor, bias: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return what follows x (N, T, width), and its keys and values (N, H, T, width / H);
        ``bias`` (N, 1, T, T) is added to the scores of attention.
        """
        query, key, value = (
            self.attend_in(self.before_attention(x))
            .unflatten(-1, (3, self.heads, -1))
            .permute(2, 0, 3, 1, 4)
        )
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        x = x + self.attend_out(seen.transpose(1, 2).flatten(2))
        return x + self.net(self.before_net(x)), key, value

    def stepper(self) -> _Step:
        """Return the same for one column of each row, x (N, width), without a gradient: as few
        calls as there are kernels, since on rows this short a call takes as long as its product.
        """
        heads = self.heads
        norms = [
            (norm.normalized_shape, norm.weight, norm.bias, norm.eps)
            for norm in (self.before_attention, self.before_net)
        ]
        first, _, last = self.net
        assert isinstance(first, nn.Linear)
        assert isinstance(last, nn.Linear)
        into, out_of, up, down = (
            layer.weight.t() for layer in (self.attend_in, self.attend_out, first, last)
        )

        def step(
            x: torch.Tensor,
            bias: torch.Tensor,
            place: tuple[torch.Tensor, ...],
            known: tuple[torch.Tensor, ...],
        ) -> None:
            drawn = torch.mm(F.layer_norm(x, *norms[0]), into)
            query, key, value = drawn.view(len(x), 3, heads, 1, -1).unbind(1)
            place[0].copy_(key)
            place[1].copy_(value)
            seen = F.scaled_dot_product_attention(query, known[0], known[1], attn_mask=bias)
            x.add_(torch.mm(seen.reshape(x.shape), out_of))
            inner = torch.addmm(first.bias, F.layer_norm(x, *norms[1]), up).relu_()
            x.add_(torch.addmm(last.bias, inner, down))

        return step


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
        self.blocks = nn.ModuleList(_Block(shape) for _ in range(shape.layers))
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
        x, _ = self._read(ids, mask)
        out: torch.Tensor = self.head(self.last(x[:, first:]))
        return out

    def _read(
        self, ids: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]]]:
        """Run whole rows, each token seeing those before it; returns keys and values, too."""
        columns = ids.shape[1]
        causal = torch.ones(columns, columns, dtype=torch.bool, device=ids.device).tril()
        # padding sees itself: no row of softmax is empty
        allowed = (causal & mask[:, None, :]) | torch.eye(
            columns, dtype=torch.bool, device=ids.device
        )
        x = self.tokens(ids) + self.positions((mask.cumsum(1) - 1).clamp_min(0))
        bias, known = _bias(allowed[:, None], x.dtype), []
        for block in self._blocks():
            x, key, value = block(x, bias)
            known.append((key, value))
        return x, known

    def _blocks(self) -> Iterator[_Block]:
        for block in self.blocks:
            assert isinstance(block, _Block)
            yield block

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
        x, known = self._read(ids, mask)
        cache = _Cache(self.shape, rows * repeat, columns + new, x)
        for layer, pair in enumerate(known):
            cache.begin(layer, *pair, repeat)
        x = x[:, -1].repeat_interleave(repeat, 0)
        mask = mask.repeat_interleave(repeat, 0)
        seen = _bias(F.pad(mask, (0, new), value=True)[:, None, None], x.dtype)
        place, going = mask.sum(1), torch.arange(rows * repeat, device=ids.device)
        steps = [block.stepper() for block in self._blocks()]
        out = torch.full((rows * repeat, new), pad, dtype=ids.dtype, device=ids.device)
        drawn: list[torch.Tensor] = []
        """Tokens of the columns that stand in no row of ``out`` yet."""
        alive = torch.ones_like(going, dtype=torch.bool)
        for column in range(new):
            token = choose(self.head(self.last(x)), column, going)
            drawn.append(token)
            if column + 1 == new or column % _LOOK == _LOOK - 1:
                block = torch.stack(drawn, 1)
                out[going, column + 1 - len(drawn) : column + 1] = block
                alive, drawn = alive & (block != end).all(1), []
                left = int(alive.sum())
                if left == 0 or column + 1 == new:
                    break
                # rows that have ended cost as much as those that go on: leave them out
                if left < 0.8 * len(going):
                    rest = torch.nonzero(alive)[:, 0]
                    going, alive, token, place, seen = (
                        part.index_select(0, rest) for part in (going, alive, token, place, seen)
                    )
                    cache.keep(rest)
            x = F.embedding(token, self.tokens.weight)
            x.add_(F.embedding(place, self.positions.weight))
            place.add_(1)
            free, filled = cache.grow()
            bias = seen.narrow(3, 0, cache.length)
            for layer, step in enumerate(steps):
                both = slice(2 * layer, 2 * layer + 2)
                step(x, bias, free[both], filled[both])
        ended = out == end
        kept = ended.cumsum(1) - ended.long() == 0
        return out.masked_fill_(~kept, pad), kept


_LOOK = 4
"""Columns between looks at which rows have ended."""

_Step = Callable[
    [torch.Tensor, torch.Tensor, tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]], None
]
"""Changes x (N, width), the residual stream of one column, in place."""


def _bias(allowed: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return what attention adds to its scores: 0 where it may look, else -inf."""
    return torch.zeros_like(allowed, dtype=dtype).masked_fill_(~allowed, -torch.inf)


def sampler(uniform: torch.Tensor, temperature: float = 1.0) -> Choose:
    """Return a choice by inverting the cumulative probabilities at
    ``uniform`` (N, new) in [0, 1): equal numbers, equal luck.
    """

    def choose(logits: torch.Tensor, column: int, rows: torch.Tensor) -> torch.Tensor:
        # in half precision the sum of many small ones stops growing
        scaled = logits if temperature == 1 else logits / temperature
        reached = scaled.softmax(-1, uniform.dtype).cumsum(-1)
        most = reached.shape[-1] - 1
        luck = uniform.select(1, column).index_select(0, rows).unsqueeze(1)
        return (reached < luck * reached.narrow(1, most, 1)).sum(-1).clamp_max_(most)

    return choose


def greedy(logits: torch.Tensor, column: int, rows: torch.Tensor) -> torch.Tensor:
    """Choose the most likely token of each row: from logits (n, vocabulary) to numbers (n,)."""
    return logits.argmax(-1)
