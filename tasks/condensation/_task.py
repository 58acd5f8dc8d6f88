"""What the tasks of the track share: building the problem, judging a small set, the anchors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import torch

from bench import Case, InvalidRun, Outcome, Run, Score, Setup
from bench.tracks.condensation import Problem, SmallSet, stored
from bench.tracks.condensation_evaluation import accuracies, ranking_score, temperatures
from bench.training.data import Examples

from ._fields import CondensationFields
from ._judge import Hidden, Judge, Looks, calibration
from ._metrics import HELD_OUT
from ._parts import Part, held_out, pooled, split
from ._shown import arrays_of, grid


class CondensationTask(CondensationFields):
    """Split a dataset of images; judge what a net learns from a few of them."""

    def prepare(self, run: Setup) -> Case:
        """Take the parts; normalise all by the training part."""
        (images, y), (val, y_val), (test, y_test), classes = self.parts(run)
        given = self.given(y, classes, run)
        if self.holdout:
            (images, given), (test, y_test) = held_out(
                images, given, self.holdout, run.numpy_generator("split", "holdout")
            )
        problem, (x_val, x_test) = self.problem(images, given, classes, (val, test))
        return Case(problems=[problem], hidden=Hidden(x_test, y_test, x_val, y_val))

    def parts(self, run: Setup) -> tuple[Part, Part, Part, int]:
        """Return images and labels of train, validation (a tenth of what
        is left) and test (a fifth), and the number of classes.
        """
        images, y, classes = self.images(run)
        train, val, test = (
            (images[rows], y[rows])
            for rows in split(y.cpu().numpy(), self.n_train, run.numpy_generator("split"))
        )
        return train, val, test, classes

    def refuse_holdout(self) -> None:
        """Raise InvalidRun where rows are to be held out of a task that is
        not judged by nets on its own classes.
        """
        if self.holdout:
            raise InvalidRun(
                f"holdout is {self.holdout:g}, and {self.name_of()!r} can't score held-out rows; "
                "leave holdout at 0."
            )

    def images(self, run: Setup) -> tuple[torch.Tensor, torch.Tensor, int]:
        """Return images (N, channels, height, width) in [0, 1], labels
        (N,) and the number of classes.
        """
        data: Examples = run.dataset(self.source)
        return pooled(data.x, self.pool), data.y, data.classes

    def given(self, y: torch.Tensor, classes: int, run: Setup) -> torch.Tensor:
        """Return the labels that methods see for the training rows: the true ones."""
        return y

    def problem(
        self, images: torch.Tensor, y: torch.Tensor, classes: int, others: Sequence[torch.Tensor]
    ) -> tuple[Problem, list[torch.Tensor]]:
        """Return the problem of images (N, channels, height, width) in [0,
        1], and the others normalised likewise.
        """
        mean, std = images.mean((0, 2, 3)), images.std((0, 2, 3)).clamp_min(1e-8)

        def normal(part: torch.Tensor) -> torch.Tensor:
            return (part - mean.view(-1, 1, 1)) / std.view(-1, 1, 1)

        found = Problem(
            x=normal(images),
            y=y,
            n_classes=classes,
            ipc=self.ipc,
            mean=mean,
            std=std,
            flips=self.flips,
            width=self.width,
            depth=self.depth,
            updates=self.updates,
            inner=self.inner,
            net_epochs=self.net_epochs,
            batch_real=self.batch_real,
        )
        return found, [normal(part) for part in others]

    # The judgement
    # ---------------------------------------------------------------------------------------------

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Train nets on the set and score them; the figures of random
        images and of all data come from the cache.
        """
        small, problem, hidden = outcomes[0].solution, case.problems[0], case.hidden
        judge = Judge(self, problem, hidden, run)
        if self.holdout:
            test, _, _ = self.final(judge, small)
            return Score(
                metrics={"acc_val": float(accuracies(test, hidden.y_test).mean())},
                not_rankable=HELD_OUT,
            )
        if type(small) is _Everything:
            return _whole(judge)
        lr = small.lr or self._best_lr(judge, small)
        looks = Looks(problem.net(), hidden, self.epochs // 10) if self.looks() else None
        nets = judge.trained(small, lr, judge.seeds, watch=looks)
        test, val = judge.shown(*nets)
        acc = accuracies(test, hidden.y_test)
        metrics: dict[str, float | None] = {
            **_spread(acc),
            **({"acc_best": looks.best()} if looks else {}),
            **stored(small),
        }
        metrics |= calibration(test, val, hidden, judge.temper(small, *nets, val))
        metrics |= self._ranked(judge, small, lr, float(acc.mean()))
        metrics |= judge.across(small, self.architectures)
        return Score(
            metrics=metrics,
            arrays={"acc": acc.cpu().numpy(), **arrays_of(small, problem)},
            images={"images": grid(small, problem)},
        )

    def final(
        self, judge: Judge, small: Any
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Return the logits (K, n, C) of nets trained on a set, for test and validation images, and
        the temperatures (K,) that it asks for; of the upper reference those of nets trained on all
        data, and by validation images.
        """
        if type(small) is _Everything:
            tensors = judge.full_logits()
            return tensors["test"], tensors["val"], temperatures(tensors["val"], judge.hidden.y_val)
        nets = judge.trained(small, small.lr or self._best_lr(judge, small), judge.seeds)
        test, val = judge.shown(*nets)
        return test, val, judge.temper(small, *nets, val)

    def _best_lr(self, judge: Judge, small: SmallSet) -> float:
        """Choose among the task's learning rates by validation accuracy."""
        if len(self.lrs) == 1:
            return self.lrs[0]
        judge.need_validation("a choice among several learning rates")
        reached = [
            float(accuracies(judge.logits(small, lr, judge.seeds)[1], judge.hidden.y_val).mean())
            for lr in self.lrs
        ]
        return self.lrs[int(np.argmax(reached))]

    def _ranked(
        self, judge: Judge, small: SmallSet, lr: float, reached: float
    ) -> dict[str, float | None]:
        """Return accuracy under augmentation, where the task asks for it, and DD-Ranking's scores:
        against random images under the same recipe, and against all data under hard labels.
        """
        found: dict[str, float | None] = {}
        if self.compares():
            hard = (
                reached
                if small.soft_y is None
                else judge.accuracy(msgspec.structs.replace(small, soft_y=None), lr, judge.seeds)
            )
            full, random = judge.full(), judge.random(lr)
            alpha, lrs = ranking_score((reached - random) / 100, loss=(full - hard) / 100)
            found |= {"recovery": 100 * reached / full, "alpha": alpha, "lrs": lrs}
        if self.strategy:
            augmented = judge.accuracy(small, lr, judge.seeds[: self.nets_aug], augmented=True)
            found["acc_aug"] = augmented
            if self.compares():
                beta, ars = ranking_score(
                    (augmented - judge.random(lr, augmented=True)) / 100,
                    loss=-(reached - random) / 100,
                )
                found |= {"beta": beta, "ars": ars}
        return found

    def full_data(self, problem: Problem, hidden: Hidden, run: Run) -> _Everything:
        """The upper reference: all training images, far beyond the budget."""
        return _Everything()


class _Everything:
    """What the upper reference returns in place of a small set."""


def _whole(judge: Judge) -> Score:
    tensors, hidden = judge.full_logits(), judge.hidden
    acc = accuracies(tensors["test"], hidden.y_test)
    whole = stored(SmallSet(x=judge.problem.x, y=judge.problem.y))
    metrics = {
        **_spread(acc),
        "recovery": 100.0,
        **calibration(tensors["test"], tensors["val"], hidden),
        **whole,
    }
    return Score(metrics=metrics, arrays={"acc": acc.cpu().numpy()})


def _spread(acc: torch.Tensor) -> dict[str, float | None]:
    return {"acc": float(acc.mean()), "acc_sd": float(acc.std()) if len(acc) > 1 else None}
