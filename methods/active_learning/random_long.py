"""Rows at random, with more steps: the baseline at the compute of methods that train twice."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.active_learning import ActiveMethod, Session, View


class RandomLong(ActiveMethod):
    """Ask rows at random, and train twice as long."""

    card: ClassVar = MethodCard(
        name="random-long",
        title="Rows at random, twice the steps",
        track="active-learning",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    times: Annotated[int, Meta(ge=1)] = 2
    """Steps of a training, in trainings of the task."""

    def train(self, state: None, session: Session) -> None:
        """Train fresh nets for so many steps."""
        steps = self.times * session.problem.steps
        session.nets = session.fit(session.known, session.y, self.loss(state, session), steps=steps)

    def ask(self, state: None, view: View) -> torch.Tensor:
        """Return open rows (count,), each as likely."""
        drawn = view.generator("rows")
        order = torch.randperm(len(view.open), generator=drawn, device=drawn.device)
        return view.open[order[: view.count]]
