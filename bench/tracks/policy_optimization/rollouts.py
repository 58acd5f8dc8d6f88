"""Rollouts as the trainers draw, keep and show them."""

from __future__ import annotations

import msgspec
import torch

from bench.tracks.policy_optimization.plan import RolloutBatch, UpdatePlan
from bench.tracks.policy_optimization.solution import Shown
from bench.training.decoder import Decoder, sampler


class Kept(msgspec.Struct, frozen=True):
    """The rows of an update, cut to their longest completion.

    ``silent`` is the number of completion tokens of the plan's other rows, which hold no token of
    weight above 0, for each of the update's optimiser steps.
    """

    ids: torch.Tensor
    full_mask: torch.Tensor
    completion: torch.Tensor
    mask: torch.Tensor
    advantages: torch.Tensor
    weight: torch.Tensor
    old: torch.Tensor
    silent: float = 0.0

    def part(self, rows: torch.Tensor) -> Kept:
        """Return some of the rows."""
        tensors = self.__struct_fields__[:-1]
        return msgspec.structs.replace(
            self, **{name: getattr(self, name)[rows] for name in tensors}
        )


class Draw:
    """Draws tokens as :func:`bench.training.decoder.sampler` does, and keeps what the policy said
    of each: nothing needs to be passed forward for it again.

    Attributes:
        going: rows that each column was drawn for.
    """

    def __init__(self, uniform: torch.Tensor, temperature: float) -> None:
        self._choose, self._temperature = sampler(uniform, temperature), temperature
        self._shape = uniform.shape
        self._said: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
        self._columns: list[int] = []
        self.going: list[int] = []

    def __call__(self, logits: torch.Tensor, column: int, rows: torch.Tensor) -> torch.Tensor:
        """Draw token number ``column`` of some rows (n,) from logits (n, V)."""
        token = self._choose(logits, column, rows)
        self._said.append((rows, logits, token))
        self._columns.append(column)
        self.going.append(len(rows))
        return token

    def told(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the log-probability of each token drawn (N, T), and the entropy of what it was
        drawn from (N, T), in nats; columns after a row's end mean nothing.
        """
        rows, logits, token = map(torch.cat, zip(*self._said, strict=True))
        columns, counts = torch.tensor([self._columns, self.going], device=rows.device)
        place = rows, columns.repeat_interleave(counts)
        log_p = (logits / self._temperature).log_softmax(-1)
        parts = log_p.gather(-1, token[:, None])[:, 0], -(log_p.exp() * log_p).sum(-1)
        found = log_p.new_zeros(2, *self._shape)
        for whole, part in zip(found, parts, strict=True):
            whole[place] = part
        return found[0], found[1]


def shown(batch: RolloutBatch, plan: UpdatePlan, step: int, group: int, most: int = 8) -> Shown:
    """Return rollouts of the group of which most is kept, with what each
    token counts for in the update.
    """
    pull = torch.zeros(batch.completion_ids.shape, device=batch.rewards.device)
    weight = (
        batch.completion_mask[plan.rows].float() if plan.token_weight is None else plan.token_weight
    )
    pull[plan.rows] = weight * (
        plan.advantages if plan.advantages.dim() == 2 else plan.advantages[:, None]
    )
    first = int(torch.bincount(batch.group[plan.rows], minlength=batch.groups).argmax()) * group
    rows = slice(first, first + min(most, group))
    parts = (
        batch.prompt_ids,
        batch.prompt_mask,
        batch.completion_ids,
        batch.completion_mask,
        pull,
        batch.rewards,
    )
    return Shown(step, *(part[rows].cpu() for part in parts))


def log_probabilities(
    model: Decoder, ids: torch.Tensor, mask: torch.Tensor, first: int, temperature: float
) -> torch.Tensor:
    """Return log p of every next token, (M, T, V), at the columns from ``first`` on."""
    found: torch.Tensor = (model(ids, mask, first - 1)[:, :-1] / temperature).log_softmax(-1)
    return found
