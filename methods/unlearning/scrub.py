"""SCRUB (arXiv:2302.09880): leave the original on S, stay with it on R."""

from __future__ import annotations

import functools
import math
from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.unlearning import (
    Group,
    Nets,
    UnlearningMethod,
    beside,
    set_rate,
)


class Scrub(UnlearningMethod):
    """In the first epochs move away from the original's outputs on S; in
    every epoch fit R's labels and its outputs.
    """

    card: ClassVar = MethodCard(
        name="scrub",
        title="SCRUB",
        track=("unlearning-privacy", "unlearning-correction"),
        paper="arXiv:2302.09880",
        bibtex="""@inproceedings{kurmanji2023towards,
  title = {Towards Unbounded Machine Unlearning},
  author = {Kurmanji, Meghdad and Triantafillou, Peter and Hayes, Jamie and Triantafillou, Eleni},
  booktitle = {NeurIPS},
  year = {2023},
  eprint = {2302.09880},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates=(
            "SGD with the task's momentum instead of Adam, a cosine instead of steps in the "
            "learning rate, and no rewinding (SCRUB+R). At the original itself the divergence "
            "has no slope, so the first pass over S does nothing under SGD; where Adam goes from "
            "there is rounding."
        ),
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"lr": (0.01, 0.02, 0.05), "msteps": (1, 2, 3)},
    )
    settings: ClassVar = {
        "notebook": {
            "temperature": 2.0,
            "alpha": 0.5,
            "gamma": 1.0,
            "msteps": 3,
            "lr": 0.0005,
            "epochs": 10,
        },
        "worst-case": {"temperature": 4.0, "alpha": 0.001, "gamma": 0.99, "msteps": 1},
    }
    lr: Annotated[float, Meta(gt=0)] = 0.02
    """Learning rate at the start."""
    falling: bool = True
    """On R the rate falls along a half cosine, epoch by epoch; else it is constant."""
    epochs: Annotated[int, Meta(ge=0)] = 5
    """Passes over R."""
    msteps: Annotated[int, Meta(ge=0)] = 2
    """Epochs that begin with a pass over S."""
    temperature: Annotated[float, Meta(gt=0)] = 4.0
    """T of the divergence."""
    alpha: Annotated[float, Meta(ge=0)] = 0.001
    """Weight of the divergence on R."""
    gamma: Annotated[float, Meta(ge=0)] = 0.99
    """Weight of the cross entropy on R."""

    def unlearn(self, group: Group) -> Nets:
        """Alternate max steps on S and min steps on R."""
        nets = group.originals()
        taught = group.known(group.originals(), group.forget, group.retain)
        slopes = _Slopes(taught, self.temperature)
        forget, retain = group.rows(group.forget, "forget"), group.rows(group.retain, "retain")
        optimiser = group.sgd(nets, self.lr)

        def step(logits: torch.Tensor, slope: torch.Tensor) -> None:
            optimiser.zero_grad(set_to_none=True)
            logits.backward(slope)  # type: ignore[no-untyped-call]
            optimiser.step()

        for epoch in group.epochs(self.epochs):
            set_rate(optimiser, self.lr)
            if epoch < self.msteps:
                for batch in forget.epoch():
                    logits = nets(batch.x)
                    step(logits, slopes.divergence(logits.detach(), batch.rows, -1.0))
            cosine = 0.5 * (1 + math.cos(math.pi * epoch / self.epochs)) if self.falling else 1.0
            set_rate(optimiser, self.lr * cosine)
            for batch in retain.epoch():
                logits = nets(batch.x)
                known = logits.detach()
                step(
                    logits,
                    slopes.cross_entropy(known, batch.y, self.gamma)
                    + slopes.divergence(known, batch.rows, self.alpha),
                )
        return nets


class _Slopes:
    """Gradients of the losses in the logits (M, B, C), weighted and averaged over the batch.

    They have the bits that autograd gives through ``divergence`` and ``cross_entropy``. At a small
    net that way takes longer than the net, and what the teacher puts out never changes.
    """

    def __init__(self, taught: torch.Tensor, temperature: float) -> None:
        self._taught = (taught / temperature).log_softmax(-1).exp()
        self._temperature = temperature

    def divergence(self, logits: torch.Tensor, rows: torch.Tensor, weight: float) -> torch.Tensor:
        temperature = self._temperature
        fall = beside(self._taught, rows) * _share(rows.shape[1], weight, temperature**2)
        return _through(fall, (logits / temperature).log_softmax(-1)) / temperature

    def cross_entropy(self, logits: torch.Tensor, y: torch.Tensor, weight: float) -> torch.Tensor:
        fall = torch.zeros_like(logits).scatter_(-1, y[..., None], _share(y.shape[1], weight))
        return _through(fall, logits.log_softmax(-1))


@functools.cache
def _share(size: int, *weights: float) -> float:
    """Return -1 / size times the weights, rounded to float32 after each as autograd does."""
    share = torch.tensor(-1 / size)
    for weight in weights:
        share = share * weight
    return float(share)


def _through(gradient: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
    """Return the gradient before ``log_softmax`` of that after it."""
    found: torch.Tensor = torch.ops.aten._log_softmax_backward_data(
        gradient, output, -1, output.dtype
    )
    return found
