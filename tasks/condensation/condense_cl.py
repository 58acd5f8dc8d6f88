"""Class-incremental learning from condensed memories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import torch

from bench import Case, InvalidRun, Meta, Metric, Outcome, Preset, Reference, Score, Setup, TaskCard
from bench.declared import Array
from bench.tracks.condensation import Problem, SmallSet, decode
from bench.tracks.condensation_evaluation import Protocol, accuracies, logits_of, quickest, train
from bench.training import pictures
from bench.training.convnet import ConvNet

from ._parts import split
from ._shown import arrays_of
from ._task import CondensationTask


class _Hidden(msgspec.Struct, frozen=True):
    """Test images of all classes, and the shape of an image."""

    x_test: Annotated[torch.Tensor, Array("T", "channels", "H", "W", dtype="float32")]
    y_test: Annotated[torch.Tensor, Array("T", dtype="int64", ge=0)]
    shape: tuple[int, int, int]


class CondenseClassIncremental(CondensationTask):
    """Classes arrive a few at a time; each time they are condensed and joined to the memory, and a
    fresh net is trained on all of it.

    Source: VICO-UoE/DatasetCondensation, CL_DM.py; the order of classes is the seed's.
    """

    card: ClassVar = TaskCard(
        name="condense-cl",
        title="Class-incremental digits (8x8) from a condensed memory",
        track="condensation",
        datasets=("digits",),
        metrics=(
            Metric(
                name="acc",
                primary=True,
                unit="%",
                bounds=(0, 100),
                title="accuracy on all classes seen, mean over steps",
            ),
            Metric(
                name="acc_last",
                unit="%",
                bounds=(0, 100),
                chance=10,
                title="accuracy on all classes after the last step",
            ),
            Metric(
                name="acc_first",
                direction="none",
                unit="%",
                bounds=(0, 100),
                title="accuracy after the first step",
            ),
            Metric(
                name="stored_images",
                direction="none",
                bounds=(0, None),
                title="images in memory after the last step",
            ),
        ),
        presets={
            "smoke": Preset(
                variants={"steps5": {"steps": 5}},
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
                variants={"steps5": {"steps": 5}, "steps10": {"steps": 10}}, seeds=5, timeout=1200
            ),
        },
        budget="2 stored images a class; 120 changes of the images a step",
        references=(Reference(name="random", kind="low"),),
        paper="arXiv:2110.04181",
    )
    source: ClassVar = "digits"
    ipc: Annotated[int, Meta(ge=1)] = 2
    """Stored images a class."""
    steps: Annotated[int, Meta(ge=1)] = 5
    """Steps in which the classes arrive; it must divide their number."""

    def prepare(self, run: Setup) -> Case:
        """Return one problem a step: the training images of its classes, renumbered from 0."""
        self.refuse_holdout()
        images, y, classes = self.images(run)
        if classes % self.steps:
            raise InvalidRun(f"steps is {self.steps}, which does not divide the {classes} classes.")
        train_rows, _, test_rows = split(
            y.cpu().numpy(), self.n_train, run.numpy_generator("split")
        )
        order = run.numpy_generator("split", "classes").permutation(classes)
        place = torch.from_numpy(np.argsort(order)).to(y.device)
        y = place[y]  # class c is the place[c]-th to come
        each = classes // self.steps
        whole, (x_test,) = self.problem(
            images[train_rows], y[train_rows], classes, (images[test_rows],)
        )
        problems = []
        for step in range(self.steps):
            own = (whole.y >= step * each) & (whole.y < (step + 1) * each)
            problems.append(_part(whole, own, step * each, each))
        return Case(problems=problems, hidden=_Hidden(x_test, y[test_rows], whole.net().shape))

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Train fresh nets on the memory after each step; test on all classes seen."""
        hidden, each = case.hidden, case.problems[0].n_classes
        x_test, y_test = hidden.x_test, hidden.y_test
        seeds = [
            int(seed)
            for seed in run.numpy_generator("eval", "nets").integers(2**62, size=self.nets)
        ]
        memory_x, memory_y, reached = [], [], []
        stored = 0
        for step, (problem, outcome) in enumerate(zip(case.problems, outcomes, strict=True)):
            small: SmallSet = outcome.solution
            x, y = decode(small, (problem.x.shape[2], problem.x.shape[3]))
            memory_x.append(x)
            memory_y.append(y + step * each)
            stored += len(small.x)
            seen = (step + 1) * each
            net = ConvNet(shape=hidden.shape, classes=seen, width=self.width, depth=self.depth)
            together, labels = torch.cat(memory_x), torch.cat(memory_y)
            start = [
                tensor.to(x.device)
                for tensor in net.init([torch.Generator().manual_seed(seed) for seed in seeds])
            ]
            orders = [torch.Generator().manual_seed(seed + 1) for seed in seeds]
            params = train(
                net,
                start,
                together,
                labels,
                Protocol(epochs=self.epochs),
                orders,
                quickest(min(len(together), 256), net, self.nets, x.device),
            )
            known = y_test < seen
            reached.append(
                float(accuracies(logits_of(net, params, x_test[known]), y_test[known]).mean())
            )
        metrics: dict[str, float | None] = {
            "acc": float(np.mean(reached)),
            "acc_last": reached[-1],
            "acc_first": reached[0],
            "stored_images": stored,
        }
        line = {"accuracy": [((step + 1) * each, value) for step, value in enumerate(reached)]}
        arrays = {
            "acc_steps": np.array(reached),
            **arrays_of(outcomes[-1].solution, case.problems[-1]),
        }
        arrays |= {"x": torch.cat(memory_x).cpu().numpy(), "y": torch.cat(memory_y).cpu().numpy()}
        return Score(
            metrics=metrics,
            arrays=arrays,
            images={
                "steps": pictures.curves(
                    line, title="Class-incremental", x="classes seen", y="accuracy, %"
                )
            },
        )


def _part(whole: Problem, own: torch.Tensor, first: int, classes: int) -> Problem:
    return Problem(
        x=whole.x[own],
        y=whole.y[own] - first,
        n_classes=classes,
        ipc=whole.ipc,
        mean=whole.mean,
        std=whole.std,
        flips=whole.flips,
        width=whole.width,
        depth=whole.depth,
        updates=whole.updates,
        inner=whole.inner,
        net_epochs=whole.net_epochs,
        batch_real=whole.batch_real,
    )
