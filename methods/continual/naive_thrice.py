"""Naive training with several steps a batch: the baseline at the leaders' compute."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from bench import Meta, MethodCard
from bench.tracks.continual import Chunk, ContinualMethod, Members


class NaiveThrice(ContinualMethod):
    """As many steps on a batch as cost what the batch and two batches of a store cost."""

    card: ClassVar = MethodCard(
        name="naive-thrice",
        title="Naive training, three steps a batch",
        track="continual",
        signal="none",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    times: Annotated[int, Meta(ge=1)] = 3
    """Steps on a batch."""

    def step(self, state: Any, members: Members, batch: Chunk) -> None:
        """Take them."""
        for _ in range(self.times):
            super().step(state, members, batch)
