"""What the tasks that train classifiers share: the dataset, the net and the recipe."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch

from bench import Meta, Setup, Task
from bench.tracks.unlearning import Problem

from ._data import Data


class NetTask(Task):
    """A task whose models are classifiers of one dataset, trained by one recipe."""

    data: Literal["digits", "mnist5k", "cifar10", "cifar100", "svhn"] = "mnist5k"
    """Dataset."""
    net: Literal["mlp", "cnn", "resnet18", "resnet34", "preactresnet18"] = "mlp"
    """The net of all models."""
    widths: tuple[int, ...] = (128, 128)
    """Widths of the hidden layers of ``mlp``, or channels of the stages of
    another net; none: the net's own.
    """
    epochs: Annotated[int, Meta(ge=1)] = 20
    """Passes of the recipe."""
    batch_size: Annotated[int, Meta(ge=1)] = 64
    """Rows of a batch."""
    lr: Annotated[float, Meta(gt=0)] = 0.05
    """Learning rate at the start of the cosine."""
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0
    """Of SGD."""

    def blank(self, data: Data) -> Problem:
        """Return the problem with the recipe, before there is an original or a request."""
        return Problem(
            weights={},
            x=data.x,
            y=data.y,
            forget=torch.zeros(len(data.y), dtype=torch.bool, device=data.y.device),
            x_val=data.x_val,
            y_val=data.y_val,
            n_classes=data.classes,
            net=self.net,
            widths=self.widths,
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr,
            weight_decay=self.weight_decay,
        )

    def recipe(self, run: Setup, *others: str) -> dict[str, Any]:
        """Say what trained models depend on besides their rows: the seed, the fields of this class
        and ``others``. Tasks of equal data share the models.
        """
        names = ("data", "net", "widths", "epochs", "batch_size", "lr", "weight_decay", *others)
        return {"seed": run.seed, **{name: getattr(self, name) for name in names}}
