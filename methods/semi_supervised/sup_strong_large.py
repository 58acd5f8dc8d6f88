"""Strong views of the labelled rows in larger batches: that at the leaders' compute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
import torch

from bench import MethodCard, Run
from bench.tracks.semi_supervised import (
    Batch,
    Members,
    Problem,
    SemiSupervisedMethod,
    Solution,
    soft_cross_entropy,
)


class LargeBatches(SemiSupervisedMethod):
    """Show as many rows a step as a method with two views of the pool, all of them labelled."""

    card: ClassVar = MethodCard(
        name="sup-strong-large",
        title="Labelled rows alone, strong views, batches as large as the others'",
        track="semi-supervised",
        inputs="pictures",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    reads_pool: ClassVar = False

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Train with batches of B (1 + 2 mu) rows."""
        larger = [
            msgspec.structs.replace(own, batch_size=own.batch_size * (1 + 2 * own.mu))
            for own in problems
        ]
        return super().solve_stacked(larger, runs)

    def loss(self, state: Any, members: Members, batch: Batch) -> torch.Tensor:
        """H(y, f(strong x))."""
        logits = members.nets(members.strong(batch.x, "labelled"))
        members.count(forward=logits.shape[1], backward=logits.shape[1])
        return soft_cross_entropy(logits, batch.y).mean(1)
