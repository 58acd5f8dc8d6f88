"""Digits with noise on every training row."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, Preset, Run, TaskCard
from bench.training import poison
from bench.training.poison import Noise, Poisoned, Surrogate

from ._metrics import ACC, OTHERS, REFERENCES
from ._task import PoisoningTask


class UnlearnableMnist(PoisoningTask):
    """1,000 digits to train on, every one of them moved within a ball so that a net learns little
    from it, or as a control at random (arXiv:2101.04898).
    """

    card: ClassVar = TaskCard(
        name="unlearnable-mnist",
        title="MNIST digits (14x14) with unlearnable noise",
        track="poisoning",
        datasets=("mnist5k",),
        metrics=(ACC, *OTHERS),
        presets={
            "smoke": Preset(
                variants={"emin": {"noise": "emin"}},
                params={"n_train": 200, "epochs": 3, "rounds": 2, "widths": [32]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "emin": {"noise": "emin"},
                    "emin-class": {"noise": "emin-class"},
                    "random-class": {"noise": "random-class"},
                    "random": {"noise": "random"},
                    "emax": {"noise": "emax"},
                    "transfer": {"noise": "emin", "theirs": [64, 64]},
                },
                seeds=5,
                timeout=300,
            ),
        },
        budget="10 epochs of batch 64; each pass of an attack costs as much as one of training",
        offers={"epsilon": {}},
        tuning={"holdout": 0.2},
        references=REFERENCES,
        paper="arXiv:2101.04898",
    )

    noise: Noise = "emin"
    """How rows are moved."""
    epsilon: Annotated[float, Meta(gt=0, le=1)] = 0.2
    """Most that a number of a picture is moved by; numbers are from 0 to 1."""
    theirs: tuple[int, ...] = ()
    """Widths of the attacker's net; () for those of the methods'."""
    rounds: Annotated[int, Meta(ge=1)] = 20
    """Most rounds of the error-minimising noise."""

    @property
    def recipe(self) -> dict[str, Any]:
        """What the attack depends on."""
        names = ("noise", "epsilon", "theirs", "rounds", "net", "widths", "lr")
        return {name: getattr(self, name) for name in names}

    @property
    def told(self) -> dict[str, float]:
        """The radius."""
        return {"epsilon": self.epsilon}

    def surrogate(self) -> Surrogate:
        """Return the attacker's net."""
        return Surrogate(
            net=self.net,
            widths=self.theirs or self.widths,
            n_classes=10,
            lr=self.lr,
            rounds=self.rounds,
        )

    def attack(self, x: torch.Tensor, y: torch.Tensor, run: Run) -> Poisoned:
        """Move every row."""
        return poison.noise(self.noise, x, y, self.surrogate(), self.epsilon, run)
