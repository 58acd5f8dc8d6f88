"""Condensed digits shown to architectures that no method saw: BatchNorm nets and LeNet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch

from bench import Case, Metric, Outcome, Preset, Reference, Score, Setup, TaskCard
from bench.tracks.condensation import Problem, SmallSet, decode, stored
from bench.tracks.condensation_batchnorm import BatchNormConvNet, LeNet
from bench.tracks.condensation_evaluation import accuracies, logits_of
from bench.training.convnet import Net

from ._judge import Hidden, Judge
from ._shown import arrays_of, grid
from ._task import CondensationTask

_NETS = ("convnet", "convnet_bn", "lenet")


class CondenseArchitectures(CondensationTask):
    """The problem of condense-digits; nets of three architectures are trained on the set."""

    card: ClassVar = TaskCard(
        name="condense-architectures",
        title="Condensed digits (8x8) under BatchNorm and LeNet",
        track="condensation",
        datasets=("digits",),
        metrics=(
            Metric(
                name="acc",
                primary=True,
                unit="%",
                bounds=(0, 100),
                chance=10,
                title="test accuracy, mean over the architectures",
            ),
            Metric(
                name="acc_convnet",
                unit="%",
                bounds=(0, 100),
                title="accuracy of the ConvNet that methods see, with instance norm",
            ),
            Metric(
                name="acc_convnet_bn",
                unit="%",
                bounds=(0, 100),
                title="accuracy of the ConvNet with BatchNorm, its statistics those of the set",
            ),
            Metric(
                name="acc_lenet",
                unit="%",
                bounds=(0, 100),
                title="accuracy of LeNets trained on the set",
            ),
            Metric(
                name="stored_images",
                direction="none",
                bounds=(0, None),
                title="images stored: the budget",
            ),
        ),
        presets={
            "smoke": Preset(
                variants={"ipc1": {"ipc": 1}},
                params={
                    "n_train": 300,
                    "updates": 5,
                    "inner": 2,
                    "epochs": 10,
                    "nets": 2,
                    "width": 8,
                },
                seeds=1,
                timeout=60,
            ),
            "extended": Preset(
                variants={"ipc1": {"ipc": 1}, "ipc5": {"ipc": 5, "updates": 320}},
                seeds=5,
                timeout=600,
            ),
        },
        budget="ipc stored images a class; 120 and 320 changes of the images at one and five; 32 "
        "real images a class in each",
        references=(Reference(name="random", kind="low"),),
        paper="arXiv:2006.05929",
    )
    source: ClassVar = "digits"

    def prepare(self, run: Setup) -> Case:
        """Take the parts of condense-digits."""
        self.refuse_holdout()
        return super().prepare(run)

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Train nets of every architecture on the set, from the seed's initial weights."""
        small, problem, hidden = outcomes[0].solution, case.problems[0], case.hidden
        judge = Judge(self, problem, hidden, run)
        reached = {name: self._accuracy(judge, small, problem, hidden, name) for name in _NETS}
        metrics: dict[str, float | None] = {
            "acc": sum(reached.values()) / len(reached),
            **{f"acc_{name}": value for name, value in reached.items()},
            "stored_images": stored(small)["stored_images"],
        }
        return Score(
            metrics=metrics,
            arrays=arrays_of(small, problem),
            images={"images": grid(small, problem)},
        )

    def _accuracy(
        self, judge: Judge, small: SmallSet, problem: Problem, hidden: Hidden, name: str
    ) -> float:
        """Return the mean test accuracy, in percent, of one architecture's nets."""
        lr = small.lr or self.lrs[0]
        net, params = judge.trained(small, lr, judge.seeds, net=_net(name, problem))
        if isinstance(net, BatchNormConvNet):
            x, _ = decode(small, (problem.x.shape[2], problem.x.shape[3]))
            net, params = net.settled(params, x)
        found: torch.Tensor = accuracies(logits_of(net, params, hidden.x_test), hidden.y_test)
        return float(found.mean())


def _net(name: str, problem: Problem) -> Net:
    """Return an architecture for the problem's images, of the width and depth of its ConvNet."""
    own = problem.net()
    if name == "lenet":
        return LeNet(shape=own.shape, classes=own.classes)
    if name == "convnet_bn":
        return BatchNormConvNet(
            shape=own.shape, classes=own.classes, width=own.width, depth=own.depth
        )
    return own
