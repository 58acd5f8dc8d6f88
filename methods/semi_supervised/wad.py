"""Weight-aware distillation from a space of neighbours (arXiv:2308.11874)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, ClassVar, Literal

import torch
from torch.nn import functional as F

from bench import InvalidRun, Meta, MethodCard
from bench.tracks.semi_supervised import Batch, Members, SemiSupervisedMethod, soft_cross_entropy
from bench.training import optimisers
from bench.training.fitting import passes_of
from bench.training.rows import beside
from bench.training.stack import StackedMLP
from bench.training.state import evaluating

from ._contrast import contrastive

_ROUNDS = 5


class _State:
    """The teacher's space (K, N, D) of unit rows, and what it says of the pool: labels and weights
    (K, n_u), and which rows have been promoted.
    """

    def __init__(self, members: Members, space: torch.Tensor) -> None:
        self.space = F.normalize(space, dim=-1)
        self.promoted = torch.zeros(members.pool.shape, dtype=torch.bool, device=members.device)
        self.look(members)

    def look(self, members: Members) -> None:
        """Compare the pool with labelled rows: a class scores the largest cosine to its rows."""
        labels, weights = [], []
        for k, rows in enumerate(members.lists):
            rows = rows.to(members.device)
            cosine = self.space[k, members.pool[k]] @ self.space[k, rows].T
            classes = members.problem.n_classes
            score = torch.full((len(cosine), classes), -1.0, device=members.device).to(cosine)
            place = members.labels[k, rows].expand(len(cosine), -1)
            score = score.scatter_reduce(1, place, cosine, "amax")
            best, where = score.topk(2, -1)
            labels.append(where[:, 0])
            weights.append(best[:, 0] - best[:, 1])
        self.labels, self.weights = torch.stack(labels), torch.stack(weights)


class WeightAware(SemiSupervisedMethod):
    """Learn from each row of the pool as much as its nearest labelled rows agree on its class in a
    space that was learned without labels.
    """

    card: ClassVar = MethodCard(
        name="wad",
        title="Weight-aware distillation (WAD)",
        track="semi-supervised",
        paper="arXiv:2308.11874",
        bibtex="""@inproceedings{du2023semi,
  title = {Semi-Supervised Learning via Weight-aware Distillation under Class Distribution
    Mismatch},
  author = {Du, Pan and Zhao, Suyun and Sheng, Zisen and Li, Cuiping and Chen, Hong},
  booktitle = {ICCV},
  year = {2023},
  eprint = {2308.11874},
  archivePrefix = {arXiv}
}""",
        claim="Weights from a space learned without labels limit the harm by strangers.",
        official_code="ok",
        deviates="Views, net and steps are the task's. The space is learned for ten passes over "
        "all rows; the authors take hundreds. Features are those of a perceptron.",
        inputs="pictures",
        stacked=True,
        defaults_from="paper",
    )
    features: Literal["contrastive", "pixels"] = "contrastive"
    """The teacher's space: learned by contrast of two strong views, or the inputs."""
    passes: Annotated[int, Meta(ge=1)] = 10
    """Passes over all rows that learn the space."""
    temperature: Annotated[float, Meta(ge=0.01)] = 0.5
    """Of the contrast."""
    lr: Annotated[float, Meta(gt=0)] = 5e-4
    """Of Adam, which trains space and net."""

    def start(self, members: Members) -> _State:
        """Learn the teacher's space."""
        if self.features == "pixels" or not members.pool.shape[1]:
            return _State(members, members.x.flatten(2))
        return _State(members, self._space(members))

    def _space(self, members: Members) -> torch.Tensor:
        """Return features (K, N, D) of nets that tell two views of a row from other rows'."""
        teacher = _teacher(members)
        optimiser = optimisers.adam(teacher.parameters(), self.lr)
        rows = [
            torch.cat([own, pool.cpu()])
            for own, pool in zip(members.lists, members.pool, strict=True)
        ]
        size = members.problem.batch_size * (1 + members.problem.mu)
        steps = self.passes * math.ceil(len(rows[0]) / size)
        orders = [run.torch_generator("method", "contrast", device="cpu") for run in members.runs]
        for at in passes_of(rows, size, steps, orders):
            x = beside(members.x, at)
            views = [members.strong(x, f"contrast {name}") for name in ("one", "two")]
            loss = contrastive(teacher(torch.cat(views, 1)), self.temperature)
            optimiser.zero_grad(set_to_none=True)
            optimisers.descend(loss[:, None])
            optimiser.step()
        members.count(forward=2 * steps * size + len(rows[0]), backward=2 * steps * size)
        with evaluating(teacher):
            return teacher.features(members.x)

    def optimiser(
        self, members: Members, parameters: Sequence[torch.Tensor]
    ) -> torch.optim.Optimizer:
        """Return Adam."""
        return optimisers.adam(parameters, self.lr)

    def loss(self, state: _State, members: Members, batch: Batch) -> torch.Tensor:
        """H(y, f(weak x)) + mean w H(y', f(weak u))."""
        size = batch.x.shape[1]
        both = torch.cat([members.weak(batch.x, "labelled"), members.weak(batch.u, "pool")], 1)
        logits = members.nets(both)
        members.count(forward=logits.shape[1], backward=logits.shape[1])
        guess = state.labels.gather(1, batch.rows)
        weight = state.weights.masked_fill(state.promoted, 0).gather(1, batch.rows)
        members.note(batch, weight)
        own = soft_cross_entropy(logits[:, :size], batch.y).mean(1)
        return own + (weight * soft_cross_entropy(logits[:, size:], guess)).mean(1)

    def parts(self, members: Members) -> list[int]:
        """Return six equal parts, between which rows are promoted five times.

        Raises:
            InvalidRun: there are fewer steps than parts.
        """
        steps = members.problem.steps
        if steps <= _ROUNDS:
            raise InvalidRun(
                f"rows are promoted between {_ROUNDS + 1} parts of the training, and the task has "
                f"steps {steps}; give it steps {_ROUNDS + 1} or more"
            )
        edges = [steps * at // (_ROUNDS + 1) for at in range(_ROUNDS + 2)]
        return [high - low for low, high in pairwise(edges)]

    def after_part(self, state: _State, members: Members, part: int) -> None:
        """Promote the rows whose guess the net agrees with most: after part i, counted from 1, the
        share .1 (1 - i / 5)^2 of those that are left.
        """
        pool = members.pool.shape[1]
        left = pool - int(state.promoted[0].sum())
        count = int(0.1 * max(0.0, 1 - (part + 1) / _ROUNDS) ** 2 * left)
        if not count:
            return
        with evaluating(members.nets):
            x = torch.stack([own[at] for own, at in zip(members.x, members.pool, strict=True)])
            away = soft_cross_entropy(members.nets(x), state.labels)
        members.count(forward=pool)
        away = away.masked_fill(state.promoted, torch.inf)
        chosen = away.argsort(dim=1, stable=True)[:, :count]
        state.promoted.scatter_(1, chosen, True)
        for k, own in enumerate(chosen):
            rows = members.pool[k, own]
            members.labels[k, rows] = state.labels[k, own]
            members.lists[k] = torch.cat([members.lists[k], rows.cpu()])
        state.look(members)


def _teacher(members: Members) -> StackedMLP:
    """Return a fresh perceptron a member with a projection of 128 numbers."""
    inits = [run.seeded("method", "teacher") for run in members.runs]
    return StackedMLP((members.x[0, 0].numel(), 256, 128), inits, members.device)
