"""What a choice of rows may look at on the track ``active-learning``.

Shapes: N rows, n known ones, m open ones, C outputs, D inputs of the last layer.
"""

from __future__ import annotations

import functools
from typing import Any

import torch

from bench.errors import InvalidRun
from bench.tracks.active_learning_session import Session, mask
from bench.training.rows import taken
from bench.training.stack import MemberNet, StackedMLP

_CHUNK = 8192
"""Rows whose features are computed at once."""


class View:
    """What one member may look at to choose rows: its net, and its rows without their targets.

    Attributes:
        problem: the member's.
        run: the member's.
        round: 0 at the first choice.
        count: how many rows to choose.
        known: the known rows (n,).
        y: their targets (n,) or (n, C).
        open: the others (m,), ascending.
        net: the member's net.
    """

    def __init__(self, session: Session, k: int) -> None:
        self.problem, self.run, self.round = session.problems[k], session.runs[k], session.round
        self.count = session.rest
        self.known, self.y = session.known[k], session.y[k]
        unknown = torch.ones(len(self.problem.x), dtype=torch.bool, device=session.device)
        unknown[self.known] = False
        self.open = unknown.nonzero()[:, 0]
        self.net: MemberNet = session.nets.member(k)
        self._session, self._member = session, k

    def features(self, rows: torch.Tensor) -> torch.Tensor:
        """Return what the last layer reads of rows (r,), (r, D)."""
        self.run.count(forward=len(rows))
        with torch.no_grad():
            parts = [self.net.features(taken(self.problem.x, part)) for part in rows.split(_CHUNK)]
        return torch.cat(parts)

    @functools.cached_property
    def hidden(self) -> torch.Tensor:
        """What the last layer reads of the open rows (m, D)."""
        return self.features(self.open)

    @functools.cached_property
    def logits(self) -> torch.Tensor:
        """Outputs of the open rows (m, C)."""
        with torch.no_grad():
            return self.net.head(self.hidden)

    @property
    def p(self) -> torch.Tensor:
        """Probabilities of the open rows (m, C)."""
        return self.logits.softmax(1)

    @property
    def layers(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Weights (out, in) and biases (out,) of a perceptron's layers.

        Raises:
            InvalidRun: the net is another.
        """
        nets = self._session.nets
        if not isinstance(nets, StackedMLP):
            raise InvalidRun(
                f"the net is {self.problem.net}, and the method reads the layers of a perceptron; "
                "take net=mlp, or kernel=ll where the method has that"
            )
        pairs = zip(nets.weights, nets.biases, strict=True)
        k = self._member
        return [(weight.detach()[k], bias.detach()[k, 0]) for weight, bias in pairs]

    def dropped(self, masks: int) -> torch.Tensor:
        """Return probabilities of the open rows (masks, m, C), each time with the share of features
        dropped that training drops, the same for all rows.

        Raises:
            InvalidRun: training drops none.
        """
        if not self.problem.dropout:
            raise InvalidRun(
                "dropout is 0, and the method reads how far nets with dropout disagree; take a "
                "task with dropout above 0"
            )
        drawn, hidden = self.generator("dropout"), self.hidden
        kept = mask(hidden.new_empty(masks, 1, hidden.shape[1]), self.problem.dropout, drawn)
        with torch.no_grad():
            return (
                self.net.head((hidden * kept).flatten(0, 1)).softmax(1).view(masks, len(hidden), -1)
            )

    def generator(self, name: str) -> torch.Generator:
        """Return a generator of the method's own for this round, on the run's device."""
        return self.run.torch_generator("method", name, self.round)

    def highest(self, scores: torch.Tensor) -> torch.Tensor:
        """Return the open rows (count,) of the highest scores (m,), the first of equal ones."""
        return self.open[scores.sort(descending=True, stable=True).indices[: self.count]]

    def checked(self, rows: Any) -> torch.Tensor:
        """Return the rows chosen (count,), if they are as many open ones as are to be asked.

        Raises:
            InvalidRun: they are not.
        """
        fits = isinstance(rows, torch.Tensor) and rows.shape == (self.count,)
        if not fits or len(set(rows.tolist()) - set(self.known.tolist())) != self.count:
            raise InvalidRun(
                f"ask is to choose {self.count} different rows that are not known, and chose "
                f"{rows!r:.80}"
            )
        chosen: torch.Tensor = rows
        return chosen
