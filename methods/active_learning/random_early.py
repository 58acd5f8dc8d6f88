"""Rows at random, training stopped early on known rows that are held out."""

from __future__ import annotations

import copy
from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.active_learning import ActiveMethod, Session, View
from bench.training.stack import StackedNet
from bench.training.state import evaluating

_LOOKS = 10
"""Looks at the held-out rows in a training."""


class RandomEarly(ActiveMethod):
    """Ask rows at random, and take each net as it was when it fitted a fifth of them best."""

    card: ClassVar = MethodCard(
        name="random-early",
        title="Rows at random, stopped early",
        track="active-learning",
        deviates="The rate falls over all steps, and the best of ten looks is taken afterwards.",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.2
    """Share of the known rows that is held out; at least one, and one is trained on."""

    def train(self, state: None, session: Session) -> None:
        """Train fresh nets on most known rows, and keep each member's best."""
        n = session.known.shape[1]
        held = min(max(1, round(self.share * n)), n - 1)
        loss = self.loss(state, session)
        if not held:
            session.nets = session.fit(session.known, session.y, loss)
            return
        drawn = [run.numpy_generator("method", "held", session.round) for run in session.runs]
        order = torch.stack([torch.from_numpy(own.permutation(n)) for own in drawn])
        order = order.to(session.device)
        rows = session.known.gather(1, order)
        y = torch.stack([own[place] for own, place in zip(session.y, order, strict=True)])
        x, best = session.inputs(rows[:, :held]), None
        lost = torch.full((session.members,), torch.inf, device=session.device)
        every = max(1, session.problem.steps // _LOOKS)

        def look(nets: StackedNet, done: int) -> None:
            nonlocal best, lost
            if done % every:
                return
            with evaluating(nets):
                now = loss(nets(x), y[:, :held]).mean(1)
            for run in session.runs:
                run.count(forward=held)
            best = copy.deepcopy(nets) if best is None else best
            better, lost = now < lost, torch.minimum(now, lost)
            with torch.no_grad():
                for mine, other in zip(
                    (*best.parameters(), *best.buffers()),
                    (*nets.parameters(), *nets.buffers()),
                    strict=True,
                ):
                    mine[better] = other[better]

        last = session.fit(rows[:, held:], y[:, held:], loss, after=look)
        session.nets = best or last

    def ask(self, state: None, view: View) -> torch.Tensor:
        """Return open rows (count,), each as likely."""
        drawn = view.generator("rows")
        order = torch.randperm(len(view.open), generator=drawn, device=drawn.device)
        return view.open[order[: view.count]]
