"""Training that goes on where the last round ended (arXiv:2305.06408)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import repeat
from typing import Annotated

import msgspec
import torch

from bench import Meta
from bench.tracks.active_learning import ActiveMethod, Session, Step, View, entropy
from bench.training import optimisers
from bench.training.rows import beside


class Memory(msgspec.Struct):
    """What the nets said of each known row when it was new (K, n, C)."""

    logits: torch.Tensor | None = None


class Continual(ActiveMethod):
    """Train on the new rows for a share of the steps, from the last round's net on."""

    share: Annotated[float, Meta(gt=0, le=1)] = 0.25
    """Share of the steps that a later round takes."""

    @property
    def beside(self) -> int:
        """Known rows of earlier rounds beside each batch; 0: none."""
        return 0

    @property
    def held(self) -> float:
        """Weight of the squared difference to the logits that those rows had, 0 or more."""
        return 0.0

    def begin(self, session: Session) -> Memory:
        """Return the memory, which is empty."""
        return Memory()

    def train(self, state: Memory, session: Session) -> None:
        """Train as the problem says at the start, and go on later."""
        if not session.round:
            super().train(state, session)
        else:
            self._go_on(state, session)
        with torch.no_grad():
            new = session.nets(session.inputs(session.known[:, -session.fresh :]))
        for run in session.runs:
            run.count(forward=session.fresh)
        state.logits = new if state.logits is None else torch.cat([state.logits, new], 1)

    def _go_on(self, state: Memory, session: Session) -> None:
        # a copy: the net of the last round was reported
        session.nets = nets = copy.deepcopy(session.nets)
        optimiser, drop = session.optimiser(nets), session.dropping("on")
        loss, old = self.loss(state, session), session.known.shape[1] - session.fresh
        steps = max(1, round(self.share * session.problem.steps))
        again: Iterator[Step | None] = repeat(None)
        if self.beside:
            again = session.steps(
                session.known[:, :old], session.y[:, :old], steps, "old", size=self.beside
            )
        fresh = session.steps(session.known[:, old:], session.y[:, old:], steps, "new")
        for step, other in zip(fresh, again, strict=False):
            optimisers.set_rate(optimiser, session.rate(step.at / steps))
            size = step.x.shape[1]
            x = step.x if other is None else torch.cat([step.x, other.x], 1)
            z = nets.head(drop(nets.features(x)))
            # new and old rows weigh the same
            losses = loss(z, step.y if other is None else torch.cat([step.y, other.y], 1))
            if other is not None and self.held:
                assert state.logits is not None
                then = beside(state.logits, other.places)
                apart = (z[:, size:] - then).square().mean(2)
                losses = torch.cat([losses[:, :size], losses[:, size:] + self.held * apart], 1)
            session.update(optimiser, losses)

    def ask(self, state: Memory, view: View) -> torch.Tensor:
        """Return the open rows (count,) of the highest entropy."""
        return view.highest(entropy(view.p))
