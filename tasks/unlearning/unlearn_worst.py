"""Forget the rows that are hardest to forget."""

from __future__ import annotations

import functools
from typing import Annotated, Any, ClassVar, Literal

import torch

from bench import Meta, Preset, Reference, Setup, TaskCard
from bench.tracks.unlearning import Problem

from . import _worst
from ._data import Data
from ._metrics import METRICS
from ._task import UnlearningTask


class UnlearnWorst(UnlearningTask):
    """Forget a tenth of the rows, chosen against the unlearner: those that
    stay fitted without being trained on.
    """

    card: ClassVar = TaskCard(
        name="unlearn-worst",
        title="Forget the worst-case rows",
        track="unlearning-privacy",
        datasets=("digits", "mnist5k", "cifar10", "cifar100", "svhn"),
        libraries=("scipy", "sklearn"),
        clock_arrays=("rte",),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"worst": {}},
                params={
                    "data": "digits",
                    "n_train": 600,
                    "n_val": 200,
                    "n_pool": 400,
                    "widths": [64, 64],
                    "epochs": 30,
                    "batch_size": 32,
                    "originals": 4,
                    "share": 1 / 6,
                    "rounds": 4,
                    "lower_epochs": 2,
                },
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"worst": {}, "easy": {"kind": "easy"}}, seeds=3, timeout=300
            ),
        },
        budget="what retraining costs; rte says how much of it was used",
        tuning={"rehearse": True},
        references=(Reference(name="original", kind="low"), Reference(name="retrain", kind="high")),
        paper="arXiv:2403.07362",
        bibtex="""@inproceedings{fan2024challenging,
  title = {Challenging Forgets: Unveiling the Worst-Case Forget Sets in Machine Unlearning},
  author = {Fan, Chongyu and Liu, Jiancheng and Hero, Alfred and Liu, Sijia},
  booktitle = {ECCV},
  year = {2024},
  eprint = {2403.07362},
  archivePrefix = {arXiv}
}""",
    )

    share: Annotated[float, Meta(gt=0, lt=1)] = 0.1
    """Share of the training rows to forget."""
    kind: Literal["worst", "easy"] = "worst"
    """Rows that stay fitted best, or that lose their fit most."""
    rounds: Annotated[int, Meta(ge=1)] = 20
    """Steps of the upper level."""
    lower_epochs: Annotated[int, Meta(ge=1)] = 5
    """Passes of the lower level in a round."""
    lower_lr: Annotated[float, Meta(gt=0)] = 0.001
    """Signed step of the lower level."""
    eta: Annotated[float, Meta(gt=0)] = 0.01
    """Step of the upper level."""
    gamma: Annotated[float, Meta(ge=0)] = 0.0
    """Weight of |w|^2."""
    harden: Annotated[int, Meta(ge=1)] = 20
    """Rounds after which w is made 0 and 1."""

    def forget_rows(self, run: Setup, data: Data, problem: Problem) -> torch.Tensor:
        """Choose them against the first original."""
        settings: dict[str, Any] = {
            "rounds": self.rounds,
            "epochs": self.lower_epochs,
            "lr": self.lower_lr,
            "eta": self.eta,
            "gamma": self.gamma,
            "harden": self.harden,
        }
        size, easy = round(self.share * len(data.y)), self.kind == "easy"
        recipe = {
            "what": "unlearning forget set",
            "size": size,
            "easy": easy,
            **settings,
            **self._recipe(run),
        }
        found, _ = run.cached(
            recipe,
            functools.partial(
                _worst.build, problem=problem, size=size, easy=easy, settings=settings
            ),
        )
        return found["forget"].bool()
