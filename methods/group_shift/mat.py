"""Memorisation-aware training (arXiv:2412.07684), on held-out predictions of twins
(arXiv:2309.16748).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import torch

from bench import Meta, MethodCard
from bench.tracks.group_shift import (
    Batch,
    GroupMethod,
    Seeds,
    cross_entropy,
    grouped_means,
    train,
)
from bench.training.state import evaluating


class _Twins:
    """Which twin a row trains (K, N), the labels as flipped so far (K, N), and an epoch's
    draws.
    """

    def __init__(self, seeds: Seeds) -> None:
        self.generators = [run.numpy_generator("method", "twins") for run in seeds.runs]
        self.rows, self.device = seeds.n_rows, seeds.device
        self.own = (self.drawn() < 0.5).long()
        self.labels, self.classes = seeds.y.clone(), seeds.problem.n_classes
        self.chance = self.drawn()

    def drawn(self) -> torch.Tensor:
        """Return a number on [0, 1) for each row (K, N)."""
        found = np.stack([own.random(self.rows, np.float32) for own in self.generators])
        return torch.from_numpy(found).to(self.device)

    def flip(self, rows: torch.Tensor, held_out: torch.Tensor) -> None:
        """Give rows (K, B) the label that their held-out logits (K, B, C) say, the more often the
        surer these are.
        """
        sure, said = held_out.softmax(-1).max(-1)
        chance = (sure - 1 / self.classes) * self.classes / (self.classes - 1)
        flips = self.chance.gather(1, rows) < chance
        labels = torch.where(flips, said, self.labels.gather(1, rows))
        self.labels.scatter_(1, rows, labels)


class Twins(GroupMethod):
    """Two nets, each trained on its half of the rows, whose labels drift to what the other net
    says.
    """

    nets: ClassVar[int] = 2

    def loss(self, state: _Twins, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Sum over the classes present of their mean cross entropy, (K, 1), each row by its own
        twin; then flip labels.
        """
        place = state.own.gather(1, batch.rows)[None, ..., None]
        place = place.expand(1, *logits.shape[1:])
        held_in, held_out = logits.gather(0, place)[0], logits.detach().gather(0, 1 - place)[0]
        labels = state.labels.gather(1, batch.rows)
        means, _ = grouped_means(cross_entropy(held_in, labels), labels, state.classes)
        state.flip(batch.rows, held_out)
        return means.sum(1, keepdim=True)

    def after_epoch(self, state: _Twins, epoch: int) -> None:
        """Draw the next epoch's chances."""
        state.chance = state.drawn()


class _State:
    """What is added to the logits of each row (K * N, C), and rows that a twin gets wrong (K,
    N).
    """

    def __init__(self, shift: torch.Tensor, wrong: torch.Tensor) -> None:
        self.shift, self.wrong = shift.flatten(0, 1), wrong


class MemorisationAware(GroupMethod):
    """Shift each row's logits by what a net that never saw the row says of it, so that a row the
    shortcut is wrong about weighs more.
    """

    card: ClassVar = MethodCard(
        name="mat",
        title="Memorisation-aware training",
        track="group-shift",
        paper="arXiv:2412.07684",
        bibtex="""@inproceedings{bayat2025mat,
  title = {The Pitfalls of Memorization: When Memorization Hurts Generalization},
  author = {Bayat, Reza and Pezeshki, Mohammad and Dohmatob, Elvis and Lopez-Paz, David and
    Vincent, Pascal},
  booktitle = {ICLR},
  year = {2025},
  eprint = {2412.07684},
  archivePrefix = {arXiv}
}""",
        claim="Shifting logits by held-out predictions keeps a net from memorising the exceptions "
        "to a shortcut, and brings the worst group close to methods that know the groups.",
        official_code="ok",
        deviates="The joint table of held-out predictions and labels is that of all rows; the "
        "authors take one a batch, in which classes may be missing. The twins are nets of the "
        "task's kind and train for some of its epochs.",
        signal="held-out",
        stacked=True,
        defaults_from="here",
        trials=2,
        tuning={"tau": (0.001, 0.01, 0.1), "twin_epochs": (5, 10, 30)},
    )
    tau: Annotated[float, Meta(gt=0)] = 0.1
    """Temperature of the held-out predictions."""
    twin_epochs: Annotated[int, Meta(ge=1)] = 10
    """Epochs of the twins."""

    def start(self, seeds: Seeds) -> _State:
        """Train the twins; see what each says of the rows that it was not trained on."""
        stage = seeds.stage(self.twin_epochs, "twins")
        stage.nets = stage.build(2, first=1)
        twins = _Twins(stage)
        train(Twins(), stage, twins, report=False)
        said = self._said(stage)
        held_out = said.gather(0, (1 - twins.own)[None, ..., None].expand(1, *said.shape[1:]))[0]
        return _State(shifts(held_out, seeds.y, self.tau), (said.argmax(-1) != seeds.y).any(0))

    def _said(self, stage: Seeds) -> torch.Tensor:
        """Return what both twins say of all rows, (2, K, N, C)."""
        stage.count(forward=2 * stage.n_rows)
        rows = torch.arange(stage.n_rows, device=stage.device).expand(stage.members, -1)
        with evaluating(stage.nets):
            parts = [
                stage.nets(stage.inputs(part).repeat(2, *[1] * (stage.problem.x.dim())))
                for part in rows.split(4096, 1)
            ]
        return torch.cat(parts, 1).unflatten(0, (2, -1))

    def loss(self, state: _State, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Cross entropy of f + s, where s is the row's shift."""
        return cross_entropy(logits + state.shift[batch.flat], batch.y)

    def finish(self, state: _State, seeds: Any) -> list[dict[str, Any]]:
        """Say which rows a twin gets wrong."""
        return [{"minority": wrong} for wrong in state.wrong]


def shifts(held_out: torch.Tensor, y: torch.Tensor, tau: float) -> torch.Tensor:
    """Return log(p P + 1e-6), (K, N, C): p are the held-out probabilities at temperature ``tau``
    above 0, and P the shares of the given labels among rows for which each class is predicted.

    Args:
        held_out: logits (K, N, C).
        y: given labels (K, N).
        tau: temperature, above 0.
    """
    p = (held_out / tau).softmax(-1)
    one_hot = torch.nn.functional.one_hot(y, held_out.shape[-1]).to(p)
    joint = p.mT @ one_hot / y.shape[1]
    table = joint / joint.sum(-1, keepdim=True).clamp_min(1e-12)
    return (p @ table + 1e-6).log()
