"""Held-out problems of clock arithmetic, and how a model does on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
import torch

from bench.declared import Array
from bench.training.decoder import Decoder, greedy, sampler
from bench.training.state import copies

from ._arithmetic import (
    END,
    PAD,
    Problem,
    encode,
    verify,
)

LONGEST = 34
"""Tokens of a worked answer to five operations, with its end."""


class HeldOut(msgspec.Struct, frozen=True):
    """A split that no method sees: prompts (n, P), mask, answers (n,), and
    the luck of its samples (n * k, T).
    """

    ids: Annotated[torch.Tensor, Array("n", "W", dtype="int64", ge=0, lt="vocabulary")]
    mask: Annotated[torch.Tensor, Array("n", "W", dtype="bool")]
    answers: Annotated[torch.Tensor, Array("n", dtype="int64")]
    luck: Annotated[torch.Tensor, Array("samples", "T", dtype="float32", ge=0, le=1)]


def encoded(problems: Sequence[Problem]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    ids, mask = encode([problem.text() for problem in problems], left=True)
    return ids, mask, torch.tensor([problem.answer for problem in problems])


def answered(
    model: Decoder, split: HeldOut, samples: int, first: int | None = None
) -> torch.Tensor:
    """Return which of ``samples`` drawn answers to each problem are right, (n, samples)."""
    ids, mask, answers = split.ids[:first], split.mask[:first], split.answers[:first]
    luck = split.luck.unflatten(0, (len(split.ids), -1))[: len(ids), :samples].flatten(0, 1)
    with copies(ids, mask, luck) as (asked, shown, drawn):
        out, kept = model.generate(
            asked, shown, new=LONGEST, choose=sampler(drawn), end=END, pad=PAD, repeat=samples
        )
    return verify(out, kept, answers.repeat_interleave(samples)).unflatten(0, (len(ids), samples))


def answered_greedily(model: Decoder, split: HeldOut) -> torch.Tensor:
    with copies(split.ids, split.mask) as (asked, shown):
        out, kept = model.generate(asked, shown, new=LONGEST, choose=greedy, end=END, pad=PAD)
    return verify(out, kept, split.answers)
