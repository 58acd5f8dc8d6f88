"""Tell from a model which rows it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import torch

from bench import Case, Meta, Metric, Outcome, Preset, Reference, Run, Score, Setup, TaskCard
from bench.declared import Array
from bench.tracks import privacy_audit as track

from ._attacks import auc, tpr_at_fpr
from ._data import load
from ._models import member, models
from ._nets import NetTask

INFORMATIVE = 0.02
"""Train accuracy minus held-out accuracy below which nothing was memorised."""


class Hidden(msgspec.Struct, kw_only=True):
    """What no attack sees: which rows the target was trained on."""

    trained_on: Annotated[torch.Tensor, Array("N", dtype="bool")]
    gap: float


class PrivacyAudit(NetTask):
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

    noise: Annotated[float, Meta(ge=0, lt=1)] = 0.1
    """Share of wrong labels."""
    n_rows: Annotated[int, Meta(ge=20)] = 2000
    """Rows to score; the target was trained on half of them."""
    shadows: Annotated[int, Meta(ge=2)] = 32
    """Shadow models."""

    def prepare(self, run: Setup) -> Case:
        """Train the target and the shadow models."""
        data = load(run, self.data, self.n_rows, 20, 20, self.noise)
        recipe_of = self.blank(data)
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
        recipe = self.recipe(run, "noise", "n_rows")
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
