"""Track ``adversarial``: train a classifier that small changes of its inputs do not mislead.

Inputs lie in the unit cube and are not standardised; an attack may move each number by at most
``eps``. Attacks are those of :mod:`bench.training.attacks`, for methods and for the tasks alike.

Shapes: K members (seeds), B rows of a batch, N training rows, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
from msgspec import Meta

from bench.cards import TrackCard
from bench.declared import Array
from bench.training import attacks, recipe
from bench.training.attacks import Ball, Loss
from bench.training.nets import StackedNet
from bench.training.recipe import Batch, Recipe, Seeds, Solution
from bench.training.schedules import Schedule

__all__ = [
    "AdversarialMethod",
    "Attacks",
    "Batch",
    "Problem",
    "Seeds",
    "Solution",
    "WarmUp",
    "both",
    "divergence",
    "smoothed",
]

TRACK = TrackCard(
    name="adversarial",
    title="Adversarial training",
    about="Train a classifier that small, malicious changes of inputs do not mislead.",
    field="training",
    ranked="training methods, by the share of test rows that none of several attacks breaks",
)


class WarmUp(Schedule, frozen=True):
    """A schedule that rises linearly from 0 first, and then falls over the rest of the run.

    Attributes:
        rise: share of the run's steps in which it rises, in [0, 1).
    """

    rise: float = 0.1

    def rate(self, lr: float, epoch: int, done: float) -> float:
        """Return the rate when the share ``done`` of the run's steps is behind."""
        if done < self.rise:
            return lr * done / self.rise
        return super().rate(lr, epoch, (done - self.rise) / (1 - self.rise))


class Problem(recipe.Problem, frozen=True, kw_only=True):
    """What a method sees: inputs in the unit cube, labels, the radius, and the protocol.

    Attributes:
        x: inputs (N, ...), float32, in [0, 1].
        y: labels (N,), int64.
        eps: how far an attack may move each number of an input.
        steps: steps of the attacks of a training.
        unlabelled: further inputs (M, ...), float32, in [0, 1]; only for methods that need
            ``unlabelled``.
    """

    x: Annotated[torch.Tensor, Array("N", ..., dtype="float32", ge=0, le=1)]
    y: Annotated[torch.Tensor, Array("N", dtype="int64", ge=0, lt="C")]
    eps: Annotated[float, Meta(ge=0, le=1)] = 0.15
    steps: Annotated[int, Meta(ge=1)] = 10
    unlabelled: Annotated[torch.Tensor | None, Array("M", ..., dtype="float32", ge=0, le=1)] = None


class Attacks:
    """Each member's streams of starting points, those of the epoch at hand, and the attacks.

    Args:
        seeds: what is trained on.
        noise: ``uniform`` in [-1, 1) or standard ``normal`` numbers, one for each of an input.
        copies: starting points a row.

    Attributes:
        ball: where an attack may go.
        noise: for every step the numbers drawn for its rows, each (copies, K, B, ...).
    """

    noise: Sequence[torch.Tensor]

    def __init__(
        self, seeds: Seeds, noise: Literal["uniform", "normal"] = "uniform", copies: int = 1
    ) -> None:
        problem: Any = seeds.problem
        self.seeds, self._kind, self._copies = seeds, noise, copies
        self.ball, self.steps = Ball(eps=problem.eps), problem.steps
        self._generators = [
            run.torch_generator("method", "starts", device="cpu") for run in seeds.runs
        ]

    def draw(self) -> None:
        """Draw an epoch."""
        seeds, make = self.seeds, torch.rand if self._kind == "uniform" else torch.randn
        shape = (self._copies, seeds.drawn, *seeds.problem.x.shape[1:])
        found = torch.stack([make(shape, generator=own) for own in self._generators], 1)
        found = 2 * found - 1 if self._kind == "uniform" else found
        self.noise = found.to(seeds.device).split(seeds.problem.batch_size, 2)

    def start(self, batch: Batch, size: float | None = None, copy: int = 0) -> torch.Tensor:
        """Return the batch's inputs (K, B, ...) moved by the epoch's noise, times ``size`` (None:
        the radius), within the cube.
        """
        size = self.ball.eps if size is None else size
        moved: torch.Tensor = batch.x + size * self.noise[batch.step][copy]
        return moved.clamp(self.ball.low, self.ball.high)

    def ascend(
        self,
        nets: StackedNet,
        loss: Loss,
        x: torch.Tensor,
        start: torch.Tensor | None = None,
        steps: int | None = None,
        step: float | None = None,
    ) -> torch.Tensor:
        """Return inputs (K, B, ...) after projected ascent on a loss, with the nets in eval mode;
        the passes are counted.

        Args:
            nets: what is attacked.
            loss: what is raised.
            x: the rows (K, B, ...).
            start: where it begins (K, B, ...); None: at the rows.
            steps: None: as many as the problem says.
            step: size of one; None: 2.5 times the radius over the number of steps.
        """
        steps = self.steps if steps is None else steps
        size = 2.5 * self.ball.eps / steps if step is None else step
        self.seeds.count(forward=steps * x.shape[1], backward=steps * x.shape[1])
        with attacks.frozen(nets):
            return attacks.pgd(
                nets, loss, x, self.ball, steps=steps, step=size, lead=2, start=start
            )

    def diverge(self, nets: StackedNet, batch: Batch, start: torch.Tensor) -> torch.Tensor:
        """Return inputs (K, B, ...) whose probabilities diverge from those of the batch's own,
        which are computed once.
        """
        self.seeds.count(forward=batch.x.shape[1])
        with attacks.frozen(nets), torch.no_grad():
            clean = nets(batch.x)
        return self.ascend(nets, attacks.divergence(clean), batch.x, start)


class AdversarialMethod(Recipe, frozen=True, kw_only=True):
    """The shared loop on attacked rows.

    As it stands it is PGD training: cross entropy on rows after as many steps of projected ascent
    as the problem says, from a point drawn uniformly in the ball (arXiv:1706.06083). Methods
    replace :meth:`attack`, or the forward pass and the loss.
    """

    def start(self, seeds: Seeds) -> Any:
        """Set up the streams of the attacks."""
        return Attacks(seeds)

    def draw(self, state: Any, epoch: int) -> None:
        """Draw the epoch's starting points."""
        state.draw()

    def attack(self, state: Any, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return the rows to train on (K, B, ...)."""
        found: torch.Tensor = state.ascend(
            nets, attacks.cross_entropy(batch.y), batch.x, state.start(batch)
        )
        return found

    def forward(self, state: Any, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return the logits of the attacked rows (K, B, C)."""
        logits: torch.Tensor = nets(self.attack(state, nets, batch))
        return logits


def both(
    state: Attacks, nets: StackedNet, clean: torch.Tensor, other: torch.Tensor
) -> torch.Tensor:
    """Return the logits of two sets of rows (K, B, ...) as one tensor (2, K, B, C); the second pass
    is counted, as the loop counts one.
    """
    state.seeds.count(forward=other.shape[1], backward=other.shape[1])
    return torch.stack([nets(clean), nets(other)])


def divergence(clean: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return KL(p || q) of each row (...,), for the logits (..., C) of p and of q; both are
    differentiated.
    """
    log_p, log_q = clean.log_softmax(-1), other.log_softmax(-1)
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def smoothed(logits: torch.Tensor, labels: torch.Tensor, share: float) -> torch.Tensor:
    """Return the cross entropy of each row (...,) with a target of which ``share``, in [0, 1), is
    spread over all classes, for logits (..., C).
    """
    log_p = logits.log_softmax(-1)
    given = -log_p.gather(-1, labels[..., None])[..., 0]
    return (1 - share) * given - share * log_p.mean(-1)
