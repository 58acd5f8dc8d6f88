"""Digits of which a few carry a trigger."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import torch

from bench import InvalidRun, Meta, Preset, Run, TaskCard
from bench.training import triggers
from bench.training.poison import Poisoned

from ._metrics import OTHERS, REFERENCES, TRIGGERED
from ._task import PoisoningTask


class BackdoorMnist(PoisoningTask):
    """1,000 digits to train on, some with a white square in a corner: rows of other classes, called
    0 (arXiv:1708.06733), or rows of class 0 that are hard to learn otherwise (arXiv:1912.02771).
    """

    card: ClassVar = TaskCard(
        name="backdoor-mnist",
        title="MNIST digits (14x14) with a backdoor",
        track="poisoning",
        datasets=("mnist5k",),
        metrics=(*TRIGGERED, *OTHERS),
        presets={
            "smoke": Preset(
                variants={"patch": {"rate": 0.05}},
                params={"n_train": 200, "epochs": 3, "widths": [32]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "patch": {"kind": "patch", "rate": 0.02},
                    "clean-label": {"kind": "clean-label", "rate": 0.1},
                },
                seeds=5,
                timeout=300,
            ),
        },
        budget="10 epochs of batch 64",
        offers={"poison-rate": {}},
        tuning={"holdout": 0.2},
        references=REFERENCES,
        paper="arXiv:1708.06733",
    )
    triggers: ClassVar = True

    kind: Literal["patch", "clean-label"] = "patch"
    """Whether rows with the trigger get the target's label, or have it."""
    rate: Annotated[float, Meta(gt=0, le=0.5)] = 0.02
    """Share of the rows that get the trigger; of ``clean-label`` the share of the target's."""
    epsilon: Annotated[float, Meta(ge=0, le=1)] = 0.2
    """Of ``clean-label``: most that a number is moved by outside of the trigger."""

    @property
    def recipe(self) -> dict[str, Any]:
        """What the attack depends on."""
        names = ("kind", "rate", "epsilon", "net", "widths", "lr")
        return {name: getattr(self, name) for name in names}

    @property
    def told(self) -> dict[str, float]:
        """The share of all rows that is touched."""
        return {"poison_rate": self.rate if self.kind == "patch" else self.rate / 10}

    def attack(self, x: torch.Tensor, y: torch.Tensor, run: Run) -> Poisoned:
        """Put triggers on some rows.

        Raises:
            InvalidRun: no row would get one.
        """
        own = y if self.kind == "patch" else y[y == triggers.TARGET]
        if not round(self.rate * len(own)):
            raise InvalidRun(
                f"rate={self.rate:g} of {len(own)} rows puts the trigger on none; take a larger "
                "rate, or more training rows"
            )
        if self.kind == "patch":
            return triggers.backdoor(x, y, self.rate, run)
        return triggers.clean_label_backdoor(x, y, self.surrogate(), self.rate, self.epsilon, run)
