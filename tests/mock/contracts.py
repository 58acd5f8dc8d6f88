"""What passes between the mock tracks' tasks and methods."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec
import torch


def note_build(what: str) -> None:
    """Write a line for every artifact built, where the test can count them over processes."""
    if file := os.environ.get("MOCK_BUILDS"):
        with Path(file).open("a") as opened:
            opened.write(what + "\n")


class Blobs(msgspec.Struct, frozen=True):
    """Two classes of points: x (n, d) float64, y (n,) int64."""

    x: torch.Tensor
    y: torch.Tensor


class Unlearn(msgspec.Struct, frozen=True, kw_only=True):
    """Make ``original`` (d,), ridge weights fitted on all rows, forget the rows of ``forget``."""

    original: torch.Tensor
    x: torch.Tensor
    y: torch.Tensor
    forget: torch.Tensor
    ridge: float = 1.0


class Condense(msgspec.Struct, frozen=True, kw_only=True):
    """Say the training set in ``per_class`` points a class."""

    x: torch.Tensor
    y: torch.Tensor
    per_class: int


class SmallSet(msgspec.Struct, frozen=True, kw_only=True):
    """A returned dataset."""

    x: torch.Tensor
    y: torch.Tensor


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Prompts (B,), actions (B, G) and rewards (B, G) of one step."""

    prompts: torch.Tensor
    actions: torch.Tensor
    rewards: torch.Tensor


class PolicyProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A bandit with one best action a prompt.

    The trainer is the problem's; a method writes only ``plan``.
    """

    best: torch.Tensor
    """The rewarded action of each training prompt (P,)."""
    actions: int
    steps: int
    group: int = 4

    def train(self, method: Any, run: Any) -> torch.Tensor:
        """Return the policy's logits (P, actions) after the last step;
        goes on from the last checkpoint.
        """
        logits, first = torch.zeros(len(self.best), self.actions, dtype=torch.float64), 0
        if (state := run.restored()) is not None:
            logits, first = state["logits"], state["step"]
        for step in range(first, self.steps):
            prompts = torch.randperm(len(self.best), generator=run.torch_generator("order", step))[
                : len(self.best) // 2
            ]
            actions = torch.multinomial(
                logits[prompts].softmax(-1),
                self.group,
                replacement=True,
                generator=run.torch_generator("augment", step),
            )
            batch = Batch(
                prompts=prompts,
                actions=actions,
                rewards=(actions == self.best[prompts, None]).double(),
            )
            weights = method.plan(batch, step / self.steps, run.torch_generator("method", step))
            gradient = torch.zeros(len(prompts), self.actions, dtype=torch.float64).scatter_add_(
                1, actions, weights
            )
            logits[prompts] += gradient - weights.sum(1, keepdim=True) * logits[prompts].softmax(-1)
            run.count(forward=actions.numel(), backward=actions.numel())
            if (step + 1) % 5 == 0:
                run.report(step + 1, logits)
            run.checkpoint({"logits": logits, "step": step + 1})
        return logits


class GraphProblem(msgspec.Struct, frozen=True, kw_only=True):
    """Classify graphs (torch_geometric ``Data`` with ``x`` and ``y``);
    ``env`` (n,) says where each comes from, for those who need it.
    """

    graphs: list[Any]
    steps: int = 4
    env: torch.Tensor | None = None


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """Fit y (n,) from x (n,)."""

    x: torch.Tensor
    y: torch.Tensor


class Fitted(msgspec.Struct, kw_only=True):
    """y is about ``slope`` x + ``offset``, give or take ``width`` where the method says so."""

    slope: float
    offset: float
    width: float | None = None
