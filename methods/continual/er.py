"""Experience replay (arXiv:1902.10486)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.continual import Chunk, ContinualMethod, Members, cross_entropy
from bench.training.memory import Memory, Rows


class _State:
    """The store, and what was drawn from it for the step."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.drawn: Rows | None = None


class ExperienceReplay(ContinualMethod):
    """Cross entropy over the batch and as many rows of the store, as one mean; then the batch's
    rows alone are offered to the store, a reservoir.
    """

    card: ClassVar = MethodCard(
        name="er",
        title="Experience replay",
        track="continual",
        paper="arXiv:1902.10486",
        bibtex="""@article{chaudhry2019tiny,
  title = {On Tiny Episodic Memories in Continual Learning},
  author = {Chaudhry, Arslan and Rohrbach, Marcus and Elhoseiny, Mohamed and Ajanthan,
            Thalaiyasingam and Dokania, Puneet K. and Torr, Philip H. S. and Ranzato, Marc'Aurelio},
  journal = {arXiv preprint},
  year = {2019},
  eprint = {1902.10486},
  archivePrefix = {arXiv}
}""",
        claim="Repeating a tiny memory beside the stream beats methods made against forgetting.",
        deviates="The batch drawn from the store has the size of the stream's.",
        signal="labels",
        needs=("memory",),
        stacked=True,
        defaults_from="here",
    )

    def start(self, members: Members) -> _State:
        """Open the store."""
        return _State(members.memory())

    def inputs(self, state: _State, batch: Chunk) -> torch.Tensor:
        """Return the batch and as many rows of the store."""
        memory = state.memory
        state.drawn = memory.draw(batch.y.shape[1]) if memory.kept else None
        return batch.x if state.drawn is None else torch.cat([batch.x, state.drawn.x], 1)

    def loss(self, state: _State, batch: Chunk, logits: torch.Tensor) -> torch.Tensor:
        """Return the cross entropy of all of them."""
        drawn = state.drawn
        return cross_entropy(logits, batch.y if drawn is None else torch.cat([batch.y, drawn.y], 1))

    def after_step(
        self, state: _State, members: Members, batch: Chunk, logits: torch.Tensor
    ) -> None:
        """Offer the batch to the store."""
        state.drawn = None
        if state.memory.capacity:
            state.memory.reservoir(batch.x, batch.y, batch.t)
