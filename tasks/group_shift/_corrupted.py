"""Tasks that train on clean pictures and test on corrupted ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import Case, Metric, Run, Setup
from bench.tracks.group_shift import GroupMethod, Problem, Solution
from bench.training.corruptions import SEVERITIES, corrupt
from bench.training.state import predict

from . import _scores as scores
from ._metrics import ECE, EPOCH, R2_CORE, SCORE_VAL
from ._task import GroupTask, Hidden, Parts

KINDS = ("noise", "blur", "rotate", "shift", "contrast", "impulse")
"""Corruptions of the test pictures."""
RANKED = (2, 4)
"""Severities that the ranking is over."""
COPIES = 4
"""How often a picture comes in the training of the upper reference, once of it clean."""

METRICS: tuple[Metric, ...] = (
    Metric(
        name="acc_shifted",
        primary=True,
        unit="%",
        bounds=(0, 100),
        title="accuracy, mean over corruptions at severities 2 and 4",
    ),
    Metric(
        name="acc_worst",
        unit="%",
        bounds=(0, 100),
        title="the same for the worst kind of corruption",
    ),
    Metric(
        name="acc_clean",
        unit="%",
        bounds=(0, 100),
        title="accuracy on clean test pictures",
    ),
    Metric(
        name="acc_noise",
        unit="%",
        bounds=(0, 100),
        title="accuracy under noise, severities 2 and 4",
    ),
    Metric(
        name="acc_blur", unit="%", bounds=(0, 100), title="accuracy under blur, severities 2 and 4"
    ),
    Metric(
        name="acc_rotate",
        unit="%",
        bounds=(0, 100),
        title="accuracy under rotate, severities 2 and 4",
    ),
    Metric(
        name="acc_shift",
        unit="%",
        bounds=(0, 100),
        title="accuracy under shift, severities 2 and 4",
    ),
    Metric(
        name="acc_contrast",
        unit="%",
        bounds=(0, 100),
        title="accuracy under contrast, severities 2 and 4",
    ),
    Metric(
        name="acc_impulse",
        unit="%",
        bounds=(0, 100),
        title="accuracy under impulse, severities 2 and 4",
    ),
    ECE,
    R2_CORE,
    EPOCH,
    SCORE_VAL,
)


class CorruptedHidden(Hidden, kw_only=True):
    """What no method sees; ``raw_test`` and ``raw_train`` are on [0, 1], and ``scale`` is mean and
    standard deviation of what methods see.
    """

    raw_test: torch.Tensor
    raw_train: torch.Tensor
    scale: tuple[float, float]


class CorruptedTask(GroupTask):
    """Train on clean pictures; the epoch is chosen by clean ones, and corrupted ones judge it."""

    values: ClassVar[int] = 1
    select: Literal["val-wga", "val-wca", "val-avg", "last"] = "val-avg"
    """What chooses the epoch, on clean validation rows."""

    def prepare(self, run: Setup) -> Case:
        """Draw the parts."""
        return self.corrupted_case(self.parts(run), run)

    def corrupted_case(self, parts: Parts, run: Setup) -> Case:
        """Return the case of drawn parts, whose pictures are kept on [0, 1] for the corruptions."""
        case = self.case_of(parts, run)
        train, test = (part.x.to(run.device).clone() for part in (parts.train, parts.test))
        known = {name: getattr(case.hidden, name) for name in Hidden.__struct_fields__}
        scale = (float(train.mean()), float(train.std()))
        hidden = CorruptedHidden(**known, raw_train=train, raw_test=test, scale=scale)
        return Case(problems=case.problems, hidden=hidden)

    def conflicts(self, problem: Problem, hidden: Hidden) -> torch.Tensor:
        """Return that no row contradicts anything (N,)."""
        return torch.zeros_like(problem.y, dtype=torch.bool)

    def last(self, returned: Any, chosen: Any, hidden: Hidden) -> dict[str, float | None]:
        """Return nothing: the model as returned is not judged."""
        return {}

    def figures(
        self, model: Any, hidden: Any, problem: Problem, run: Setup
    ) -> tuple[dict[str, float | None], dict[str, Any]]:
        """Return accuracies by kind and severity, drawn from the stream ``eval``."""
        y, (mean, std) = hidden.y_test, hidden.scale

        def accuracy(x: torch.Tensor) -> float:
            said = predict(model, (x - mean) / std).argmax(-1)
            return 100 * float((said == y).double().mean())

        table = np.array(
            [
                [
                    accuracy(
                        corrupt(
                            hidden.raw_test,
                            kind,
                            severity,
                            run.numpy_generator("eval", kind, severity),
                        )
                    )
                    for severity in SEVERITIES
                ]
                for kind in KINDS
            ]
        )
        ranked = table[:, [SEVERITIES.index(severity) for severity in RANKED]].mean(1)
        logits = predict(model, hidden.x_test)
        found: dict[str, float | None] = {
            "acc_shifted": float(ranked.mean()),
            "acc_worst": float(ranked.min()),
            "acc_clean": 100 * float((logits.argmax(-1) == y).double().mean()),
            "ece": scores.calibration_error(logits, y),
            **{f"acc_{kind}": float(value) for kind, value in zip(KINDS, ranked, strict=True)},
        }
        if (features := scores.features_of(model, hidden.x_test)) is not None:
            found["r2_core"] = scores.explained(features, y)
        return found, {"by_severity": table}

    def train_augmented(self, problem: Problem, hidden: Any, run: Run) -> Solution:
        """The upper reference: the baseline on the training pictures and three corrupted copies of
        each, of the kinds of the test.
        """
        mean, std = hidden.scale
        generator = run.numpy_generator("eval", "training")
        copies = [
            hidden.raw_train,
            *(mixed(hidden.raw_train, generator) for _ in range(COPIES - 1)),
        ]
        x = (torch.cat(copies) - mean) / std
        found: Any = GroupMethod().solve(
            msgspec.structs.replace(problem, x=x, y=problem.y.repeat(COPIES)), run
        )
        return found


def mixed(
    x: torch.Tensor,
    generator: np.random.Generator,
    kinds: Sequence[str] = KINDS,
    severities: Sequence[int] = SEVERITIES,
) -> torch.Tensor:
    """Return pictures (n, channels, H, W) on [0, 1], each under one of the corruptions and
    severities, all alike in number but for one.
    """
    pairs = [(kind, severity) for kind in kinds for severity in severities]
    which = torch.from_numpy(generator.permutation(len(x)) % len(pairs)).to(x.device)
    found = x.clone()
    for place, (kind, severity) in enumerate(pairs):
        own = which == place
        found[own] = corrupt(x[own], kind, severity, generator)
    return found
