"""Classes that overlap, with a posterior that is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Case, Meta, Metric, Outcome, Preset, Score, Setup, TaskCard
from bench.declared import Array
from bench.training.data import standardised

from ._metrics import CALIBRATION, REFERENCES, TRAINING
from ._scores import reliability
from ._task import Hidden, RecipeTask

_CLASSES, _INPUTS, _SPREAD = 20, 10, 0.5
_TEST, _VAL = 4000, 400


class HiddenPosterior(Hidden, frozen=True):
    """What no method sees, and the true probabilities of the test rows (T, C)."""

    posterior: Annotated[torch.Tensor | None, Array("T", "C", dtype="float64", ge=0, le=1)] = None


class Overlap(RecipeTask):
    """Twenty classes in ten pairs.

    A share of the rows comes from what the two classes of a pair have in common; their labels are
    coins, so that no net can know them, and the best answer is the posterior.
    """

    card: ClassVar = TaskCard(
        name="overlap",
        title="Overlapping classes with a known posterior",
        track="recipes",
        metrics=(
            Metric(
                name="kl",
                primary=True,
                direction="min",
                bounds=(0, None),
                chance=2.3,
                title="mean KL divergence of the model's p from the true posterior",
            ),
            Metric(
                name="kl_ts",
                direction="min",
                bounds=(0, None),
                title="the same after the task's temperature",
                column=True,
            ),
            Metric(name="acc", unit="%", bounds=(0, 100), title="test accuracy", column=True),
            *CALIBRATION,
            *TRAINING,
        ),
        presets={
            "smoke": Preset(
                variants={"rho50": {"n_train": 400}},
                params={"epochs": 3, "widths": [64]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"rho50": {"shared": 0.5}}, seeds=5, timeout=300),
            "extended": Preset(
                variants={"rho0": {"shared": 0.0}, "rho50": {"shared": 0.5}},
                seeds=5,
                timeout=300,
            ),
        },
        inputs="table",
        budget="40 epochs of batch 64; what a method spends beyond one pass a step is counted",
        references=REFERENCES,
        paper="arXiv:2306.00740",
    )
    n_train: Annotated[int, Meta(ge=20)] = 2000
    """Training rows."""
    epochs: Annotated[int, Meta(ge=1)] = 40
    """Passes over the training rows."""
    batch_size: Annotated[int, Meta(ge=1)] = 64
    """Rows of a batch."""
    shared: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """Share of the rows that come from what a pair of classes has in common."""

    def prepare(self, run: Setup) -> Case:
        """Draw centres, rows and labels; compute the posterior of the test rows."""
        generator = run.numpy_generator("split")
        own = generator.normal(0, 2, (_CLASSES, _INPUTS))
        common = generator.normal(0, 2, (_CLASSES // 2, _INPUTS))
        sizes = (self.n_train, _VAL, _TEST, 4 * self.n_train)
        y = generator.integers(0, _CLASSES, sum(sizes))
        of_pair = generator.random(len(y)) < self.shared
        centres = np.where(of_pair[:, None], common[y // 2], own[y])
        rows = centres + generator.normal(0, _SPREAD, centres.shape)
        parts, labels = (torch.from_numpy(whole).to(run.device).split(sizes) for whole in (rows, y))
        x, x_val, x_test, x_rest = standardised(*parts)
        truth = posterior(parts[2].cpu().numpy(), own, common, self.shared)
        hidden = HiddenPosterior(
            x_test=x_test,
            y_test=labels[2],
            x_val=x_val,
            y_val=labels[1],
            x_more=torch.cat([x, x_rest]),
            y_more=torch.cat([labels[0], labels[3]]),
            posterior=torch.from_numpy(truth).to(run.device),
        )
        return Case(problems=[self.problem(x, labels[0], _CLASSES)], hidden=hidden)

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Hold the model's probabilities against the posterior."""
        metrics, logits, judged = self.judged(case, outcomes[0].solution)
        truth, temperature = case.hidden.posterior, judged.metrics["temperature_fit"]
        metrics["kl"] = divergence(truth, logits)
        metrics["kl_ts"] = divergence(truth, logits / (temperature or 1.0))
        return Score(metrics=metrics, images={"reliability": reliability(judged)})


def posterior(x: np.ndarray, own: np.ndarray, common: np.ndarray, shared: float) -> np.ndarray:
    """Return the probabilities of the classes (n, C) for rows (n, d), where all classes are as
    likely: each is a mixture of a normal around its own centre, ``own`` (C, d), and with the weight
    ``shared`` one around that of its pair, ``common`` (C / 2, d).
    """

    def log_density(centres: np.ndarray) -> np.ndarray:
        squares = ((x[:, None] - centres) ** 2).sum(-1)
        found: np.ndarray = -squares / (2 * _SPREAD**2)
        return found

    with np.errstate(divide="ignore"):
        together = np.logaddexp(
            np.log1p(-shared) + log_density(own),
            np.log(shared) + log_density(common).repeat(2, axis=1),
        )
    p = np.exp(together - together.max(1, keepdims=True))
    found: np.ndarray = p / p.sum(1, keepdims=True)
    return found


def divergence(truth: torch.Tensor, logits: torch.Tensor) -> float:
    """Return the mean of sum_c t_c log(t_c / p_c) for true probabilities and logits (n, C)."""
    log_p = logits.double().log_softmax(-1)
    return max(0.0, float((torch.special.xlogy(truth, truth) - truth * log_p).sum(-1).mean()))
