"""Tell from a model which rows it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import Case, Meta, Metric, Outcome, Preset, Reference, Run, Score, Setup, Task, TaskCard
from bench.declared import Array
from bench.tracks import privacy_audit as track
from bench.tracks.unlearning import Problem

from ._attacks import auc, tpr_at_fpr
from ._data import load
from ._models import member, models

INFORMATIVE = 0.02
"""Train accuracy minus held-out accuracy below which nothing was memorised."""


class Hidden(msgspec.Struct, kw_only=True):
    """What no attack sees: which rows the target was trained on."""

    trained_on: Annotated[torch.Tensor, Array("N", dtype="bool")]
    gap: float


class PrivacyAudit(Task):
    """A target was trained on half of the rows; K shadow models on halves of their own.

    Score every row.
    """

    card: ClassVar = TaskCard(
        name="privacy-audit",
        title="Membership inference",
        track="privacy-audit",
        datasets=("digits", "mnist5k", "cifar10", "cifar100", "svhn"),
        libraries=("scipy", "sklearn"),
        metrics=(
            Metric(
                name="auc",
                primary=True,
                bounds=(0, 1),
                chance=0.5,
                title="AUC of the scores of trained-on against other rows",
            ),
            Metric(
                name="tpr1",
                unit="%",
                bounds=(0, 100),
                chance=1,
                title="trained-on rows found at 1 % false positives",
            ),
            Metric(
                name="balanced_acc",
                unit="%",
                bounds=(0, 100),
                chance=50,
                title="largest balanced accuracy over thresholds: an oracle, never ranked",
            ),
            Metric(
                name="gap",
                direction="none",
                unit="points",
                bounds=(-100, 100),
                title="accuracy of the target on its rows minus on the others",
            ),
        ),
        presets={
            "smoke": Preset(
                variants={"half": {}},
                params={
                    "data": "digits",
                    "n_rows": 800,
                    "shadows": 8,
                    "widths": [64, 64],
                    "epochs": 20,
                    "batch_size": 32,
                },
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"half": {}}, seeds=3, timeout=300),
        },
        budget="shadow models are given; passes are counted",
        offers={"shadows": {}},
        references=(
            Reference(name="audit-loss", kind="low"),
            Reference(name="truth", kind="high", title="Membership itself", solve="tell"),
        ),
        paper="arXiv:2112.03570",
    )

    data: Literal["digits", "mnist5k", "cifar10", "cifar100", "svhn"] = "mnist5k"
    """Data set."""
    noise: Annotated[float, Meta(ge=0, lt=1)] = 0.1
    """Share of wrong labels."""
    n_rows: Annotated[int, Meta(ge=20)] = 2000
    """Rows to score; the target was trained on half of them."""
    shadows: Annotated[int, Meta(ge=2)] = 32
    """Shadow models."""
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

    def prepare(self, run: Setup) -> Case:
        """Train the target and the shadow models."""
        data = load(run, self.data, self.n_rows, 20, 20, self.noise)
        nothing = torch.zeros(self.n_rows, dtype=torch.bool, device=data.y.device)
        recipe_of = Problem(
            weights={},
            x=data.x,
            y=data.y,
            forget=nothing,
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
        generator = run.numpy_generator("split", "members")
        halves = torch.from_numpy(
            np.stack(
                [
                    generator.permutation(self.n_rows)[: self.n_rows // 2]
                    for _ in range(self.shadows + 1)
                ]
            )
        ).to(data.y.device)
        trained_on = torch.zeros(
            self.shadows + 1, self.n_rows, dtype=torch.bool, device=data.y.device
        ).scatter_(1, halves, True)
        names = (
            "data",
            "noise",
            "n_rows",
            "net",
            "widths",
            "epochs",
            "batch_size",
            "lr",
            "weight_decay",
        )
        recipe: dict[str, Any] = {"seed": run.seed, **{name: getattr(self, name) for name in names}}
        built = models(run, "audited", recipe_of, halves, recipe, seen=data.x)
        shadows = track.Shadows(
            {
                name: value[1:].clone()
                for name, value in built.items()
                if name not in ("seconds", "outputs")
            },
            trained_on[1:],
        )
        right = (built["outputs"][0].argmax(-1) == data.y).double()
        problem = track.Problem(
            weights=member(built, 0),
            architecture=recipe_of.architecture,
            x=data.x,
            y=data.y,
            n_classes=data.classes,
            shadows=shadows,
        )
        gap = float(right[trained_on[0]].mean() - right[~trained_on[0]].mean())
        return Case(problems=[problem], hidden=Hidden(trained_on=trained_on[0], gap=gap))

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the scores."""
        hidden: Hidden = case.hidden
        solution: track.Solution = outcomes[0].solution
        scores = solution.scores.double().cpu().numpy()
        inside = hidden.trained_on.cpu().numpy()
        ours, others = scores[inside], scores[~inside]
        cuts = np.sort(scores)
        below = [np.searchsorted(np.sort(side), cuts) / len(side) for side in (ours, others)]
        metrics = {
            "auc": auc(ours, others),
            "tpr1": 100 * tpr_at_fpr(ours, others),
            "balanced_acc": 50 + 50 * float((below[1] - below[0]).max()),
            "gap": 100 * hidden.gap,
        }
        reason = (
            f"not informative: the target is {100 * hidden.gap:.1f} points better on its own rows"
            if hidden.gap < INFORMATIVE
            else None
        )
        return Score(
            metrics=metrics,
            not_rankable=reason,
            arrays={"scores": scores, "trained_on": inside.astype(np.uint8)},
        )

    def tell(self, problem: track.Problem, hidden: Hidden, run: Run) -> track.Solution:
        """Tell the truth."""
        return track.Solution(scores=hidden.trained_on.double())
