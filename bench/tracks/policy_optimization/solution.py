"""What a training may spend, what it spends, and what a method returns."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
import torch
from msgspec import Meta

from bench.declared import Parameters
from bench.errors import InvalidRun
from bench.tracks.policy_optimization.plan import Selection
from bench.training.state import synchronize


class Protocol(msgspec.Struct, frozen=True, kw_only=True):
    """What every method may spend, and the optimiser they share.

    Attributes:
        steps: rollout batches; with ``flop_budget`` they do not count.
        prompts: B, prompts of a batch.
        group: G, rollouts of a prompt.
        max_new: most tokens of a rollout.
        minibatches: optimiser steps of a batch.
        lr: learning rate of AdamW, constant.
        beta1: of AdamW, in [0, 1).
        beta2: likewise.
        weight_decay: of AdamW.
        max_norm: the gradient's norm is cut here.
        kl: weight of the divergence from the warm start; 0: none.
        temperature: of the rollouts, above 0; 1 is the policy itself.
        flop_budget: floating-point operations of generation, planning and updates together; an
            update that does not fit into what is left is not made, and training ends. 0: training
            ends when the steps are over.
        report_every: steps between reports, where there is no such budget.
        points: reports over such a budget, evenly spread, besides the one before the first step.
    """

    steps: Annotated[int, Meta(ge=0)] = 40
    prompts: Annotated[int, Meta(ge=1)] = 8
    group: Annotated[int, Meta(ge=1)] = 16
    max_new: Annotated[int, Meta(ge=1)] = 28
    minibatches: Annotated[int, Meta(ge=1)] = 2
    lr: Annotated[float, Meta(ge=0)] = 3e-4
    beta1: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    beta2: Annotated[float, Meta(ge=0, lt=1)] = 0.99
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0
    max_norm: Annotated[float, Meta(gt=0)] = 1.0
    kl: Annotated[float, Meta(ge=0)] = 0.0
    temperature: Annotated[float, Meta(gt=0)] = 1.0
    flop_budget: Annotated[int, Meta(ge=0)] = 0
    report_every: Annotated[int, Meta(ge=1)] = 5
    points: Annotated[int, Meta(ge=1)] = 20

    def progress(self, step: int, flops: int) -> float:
        """Return how much of a training is over before a step: from 0 to 1."""
        if self.flop_budget:
            return min(1.0, flops / self.flop_budget)
        return step / max(1, self.steps - 1)

    def passed(self, step: int, flops: int) -> int:
        """Return how many points of the curve lie behind after so many steps and operations."""
        if self.flop_budget:
            return min(self.points, flops * self.points // self.flop_budget)
        return step // self.report_every


class Counters(msgspec.Struct, kw_only=True):
    """What a training used, counted by the trainer. Whole numbers, but for the seconds.

    Attributes:
        rollouts: completions generated.
        tokens_generated: tokens in them.
        rows_selected: completions that the plans kept.
        optimizer_steps: updates of the policy.
        flops: floating-point operations of generation, planning and updates, where the trainer
            counts them; TRL's does not.
        gen_s: seconds of generation.
        select_s: seconds of planning.
        update_s: seconds of updates.
    """

    rollouts: int = 0
    tokens_generated: int = 0
    rows_selected: int = 0
    rows_useful: int = 0
    """Selected rows whose advantage is not 0."""
    tokens_forwarded: int = 0
    """Completion tokens of selected rows: what forward and backward passes are spent on."""
    tokens_in_loss: int = 0
    """Tokens of weight above 0.

    Not a cost: a token left out of a row that is passed forward saves almost nothing.
    """
    tokens_nonzero: int = 0
    """Tokens in the loss whose advantage is not 0."""
    optimizer_steps: int = 0
    skipped_steps: int = 0
    """Batches without an update: nothing was selected, or every advantage was 0."""
    flops: int = 0
    gen_s: float = 0.0
    select_s: float = 0.0
    update_s: float = 0.0

    @property
    def wall_s(self) -> float:
        """Seconds of generation, selection and update."""
        return self.gen_s + self.select_s + self.update_s

    def note(self, chosen: Selection) -> bool:
        """Count what a plan selected; False, and a skipped step, where there is nothing to learn
        from it: no row, no token, or every advantage 0.
        """
        signal = chosen.signal
        useful = int(signal.any(-1).sum())
        self.rows_selected += len(chosen.rows)
        self.rows_useful += useful
        if not useful:
            self.skipped_steps += 1
            return False
        self.tokens_forwarded += int(chosen.mask.sum())
        self.tokens_in_loss += int((chosen.weight > 0).sum())
        self.tokens_nonzero += int(signal.sum())
        return True

    @contextmanager
    def clock(self, name: str, device: torch.device) -> Iterator[None]:
        """Add the seconds inside to ``gen_s``, ``select_s`` or ``update_s``."""
        synchronize(device)
        start = time.perf_counter()
        yield
        synchronize(device)
        setattr(self, name, getattr(self, name) + time.perf_counter() - start)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A policy on its way, as the trainer reports it.

    Attributes:
        model: of the kind that the problem's ``policy`` returns.
        used: what it has used so far.
    """

    model: Annotated[Any, Parameters()]
    used: Counters


class Shown(msgspec.Struct, frozen=True):
    """A few rollouts of one prompt at one step, to look at.

    Attributes:
        step: 1, 2, 3 ...
        prompt_ids: token numbers (n, P), int64.
        prompt_mask: (n, P), False at padding.
        completion_ids: token numbers (n, T), int64.
        completion_mask: (n, T), False after the end.
        pull: advantage times weight of each token (n, T); 0 where a token or the whole rollout is
            left out.
        rewards: (n,).
    """

    step: int
    prompt_ids: torch.Tensor
    prompt_mask: torch.Tensor
    completion_ids: torch.Tensor
    completion_mask: torch.Tensor
    pull: torch.Tensor
    rewards: torch.Tensor


class Solution(msgspec.Struct, frozen=True, kw_only=True):
    """What a method returns.

    Attributes:
        model: the trained policy.
        used: what the training used.
        shown: rollouts of its first and its last step, to look at.
    """

    model: Annotated[Any, Parameters()]
    used: Counters
    shown: tuple[Shown, ...] = ()

    def validate(self, problem: Any) -> None:
        """Hold the fields against each other.

        Raises:
            InvalidRun: the policy is not of the problem's kind.
        """
        if not callable(getattr(self.model, problem.speaks, None)):
            raise InvalidRun(
                f"the policy is a {type(self.model).__name__} without {problem.speaks!r}; return "
                "what the problem's policy() makes, trained"
            )
        for name in self.used.__struct_fields__:
            value = getattr(self.used, name)
            if (
                isinstance(value, bool)
                or not isinstance(value, int | float)
                or not 0 <= value < math.inf
            ):
                raise InvalidRun(
                    f"used.{name} is {value!r:.80}, and must be a finite number of at least 0"
                )
        if not isinstance(self.shown, list | tuple) or not all(
            isinstance(part, Shown) for part in self.shown
        ):
            raise InvalidRun(
                f"shown is {self.shown!r:.80}, and must be a tuple of Shown, which may be empty"
            )
