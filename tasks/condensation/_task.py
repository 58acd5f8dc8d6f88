"""What the tasks of the track share: building the problem, judging a small set, the anchors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import Case, InvalidRun, Meta, Metric, Outcome, Run, Score, Setup, Task
from bench.tracks.condensation import Problem, SmallSet, stored
from bench.tracks.condensation_evaluation import accuracies, ranking_score
from bench.training import pictures
from bench.training.data import Examples, stratified_split

from ._judge import Hidden, Judge, Looks, calibration

HELD_OUT = "scored on held-out training images by their given labels"

METRICS = (
    Metric(
        name="acc",
        primary=True,
        unit="%",
        bounds=(0, 100),
        chance=10,
        title="test accuracy after the last epoch, mean over the evaluation nets",
    ),
    Metric(
        name="acc_sd",
        direction="none",
        unit="points",
        bounds=(0, 100),
        title="standard deviation over the evaluation nets of one set",
    ),
    Metric(
        name="recovery",
        unit="%",
        bounds=(0, None),
        title="acc as a share of what the whole training set gives",
    ),
    Metric(name="lrs", bounds=(0, 1), title="DD-Ranking, label-robust score"),
    Metric(
        name="alpha",
        direction="none",
        bounds=(-1, 1),
        title="what lrs squashes: half the gain over random images less half the loss to the "
        "whole data",
    ),
    Metric(name="ars", bounds=(0, 1), title="DD-Ranking, augmentation-robust score"),
    Metric(
        name="beta",
        direction="none",
        bounds=(-1, 1),
        title="what ars squashes: mean gain over random images with and without augmentation",
    ),
    Metric(
        name="acc_aug", unit="%", bounds=(0, 100), title="accuracy when the evaluation augments"
    ),
    Metric(
        name="acc_best",
        direction="none",
        unit="%",
        bounds=(0, 100),
        title="best of ten looks at the test images while nets train: a diagnostic, never to "
        "rank by",
    ),
    Metric(
        name="acc_mlp",
        unit="%",
        bounds=(0, 100),
        title="accuracy of perceptrons trained on the set",
    ),
    Metric(
        name="acc_resnet", unit="%", bounds=(0, 100), title="accuracy of ResNets trained on the set"
    ),
    Metric(
        name="acc_vit",
        unit="%",
        bounds=(0, 100),
        title="accuracy of small vision transformers trained on the set",
    ),
    Metric(
        name="acc_val",
        validation=True,
        unit="%",
        bounds=(0, 100),
        title="held-out training images predicted as labelled, mean over the evaluation nets",
    ),
    Metric(name="ece", direction="min", bounds=(0, 1), title="expected calibration error, 15 bins"),
    Metric(
        name="ece_ts",
        direction="min",
        bounds=(0, 1),
        title="the same after one temperature fitted on validation images",
    ),
    Metric(name="nll", direction="min", bounds=(0, None), title="negative log likelihood, nats"),
    Metric(
        name="stored_images", direction="none", bounds=(0, None), title="images stored: the budget"
    ),
    Metric(
        name="decoded_images",
        direction="none",
        bounds=(0, None),
        title="training images they are decoded to",
    ),
    Metric(
        name="stored_kb",
        direction="min",
        bounds=(0, None),
        title="kilobytes stored as float32, soft labels included",
    ),
)


class CondensationTask(Task):
    """Split a data set of images; judge what a net learns from a few of them."""

    source: ClassVar[str]
    """Name of the data set."""
    flips: ClassVar[bool] = False
    """Whether a mirrored image keeps its class."""

    ipc: Annotated[int, Meta(ge=1)] = 1
    """Stored images a class."""
    pool: Annotated[int, Meta(ge=1)] = 1
    """Average pixels over squares of this side first."""
    width: Annotated[int, Meta(ge=1)] = 32
    """Channels of the ConvNet."""
    depth: Annotated[int, Meta(ge=1)] = 2
    """Blocks of the ConvNet."""
    updates: Annotated[int, Meta(ge=1)] = 120
    """Changes of the images that a synthesis may make."""
    net_epochs: Annotated[int, Meta(ge=1)] = 5
    """Most epochs of a net between two of them."""
    batch_real: Annotated[int, Meta(ge=1)] = 32
    """Real images a class in each of them."""
    nets: Annotated[int, Meta(ge=1)] = 5
    """Evaluation nets a set."""
    epochs: Annotated[int, Meta(ge=1)] = 200
    """Passes of an evaluation net over the set."""
    epochs_full: Annotated[int, Meta(ge=1)] = 40
    """Passes over the whole training set, for the upper reference."""
    strategy: str = "color_crop_cutout_flip_scale_rotate"
    """Augmentations of the second evaluation; empty: there is none."""
    nets_aug: Annotated[int, Meta(ge=1)] = 1
    """Evaluation nets with augmentation."""
    architectures: tuple[Literal["mlp", "resnet", "vit"], ...] = ("mlp",)
    """Other nets that are trained on the set."""
    lrs: tuple[float, ...] = (0.01,)
    """Learning rates of the evaluation; of several the best on validation images is taken."""
    n_train: Annotated[int, Meta(ge=0)] = 0
    """Use this many training rows; 0: all."""
    holdout: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of the training rows, with their given labels, that is held out and scored instead of
    the test images: for choosing parameters.
    """

    # The problem
    # ---------------------------------------------------------------------------------------------

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
            return Score(
                metrics={
                    "acc_val": float(accuracies(self.final(judge, small)[0], hidden.y_test).mean())
                },
                not_rankable=HELD_OUT,
            )
        if type(small) is _Everything:
            return _whole(judge)
        lr = small.lr or self._best_lr(judge, small)
        looks = Looks(problem.net(), hidden, self.epochs // 10)
        test, val = judge.logits(small, lr, judge.seeds, watch=looks)
        acc = accuracies(test, hidden.y_test)
        metrics: dict[str, float | None] = {
            **_spread(acc),
            "acc_best": looks.best(),
            **stored(small),
        }
        masks = (
            run.torch_generator("eval", "masks", device="cpu") if small.masked is not None else None
        )
        metrics |= calibration(test, val, hidden, small.masked, masks)
        metrics |= self._ranked(judge, small, lr, float(acc.mean()))
        metrics |= judge.across(small, self.architectures)
        return Score(
            metrics=metrics,
            arrays={"acc": acc.cpu().numpy(), **arrays_of(small, problem)},
            images={"images": grid(small, problem)},
        )

    def final(self, judge: Judge, small: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the logits (K, n, C) of nets trained on a set, for test and validation images; of
        nets trained on all data, for the upper reference.
        """
        if type(small) is _Everything:
            tensors = judge.full_logits()
            return tensors["test"], tensors["val"]
        return judge.logits(small, small.lr or self._best_lr(judge, small), judge.seeds)

    def _best_lr(self, judge: Judge, small: SmallSet) -> float:
        """Choose among the task's learning rates by validation accuracy."""
        if len(self.lrs) == 1:
            return self.lrs[0]
        reached = [
            float(accuracies(judge.logits(small, lr, judge.seeds)[1], judge.hidden.y_val).mean())
            for lr in self.lrs
        ]
        return self.lrs[int(np.argmax(reached))]

    def _ranked(
        self, judge: Judge, small: SmallSet, lr: float, reached: float
    ) -> dict[str, float | None]:
        """Return DD-Ranking's scores: against random images under the same
        recipe, and against all data under hard labels.
        """
        hard = (
            reached
            if small.soft_y is None
            else judge.accuracy(msgspec.structs.replace(small, soft_y=None), lr, judge.seeds)
        )
        full, random = judge.full(), judge.random(lr)
        alpha, lrs = ranking_score((reached - random) / 100, loss=(full - hard) / 100)
        found: dict[str, float | None] = {
            "recovery": 100 * reached / full,
            "alpha": alpha,
            "lrs": lrs,
        }
        if self.strategy:
            augmented = judge.accuracy(small, lr, judge.seeds[: self.nets_aug], augmented=True)
            beta, ars = ranking_score(
                (augmented - judge.random(lr, augmented=True)) / 100, loss=-(reached - random) / 100
            )
            found |= {"acc_aug": augmented, "beta": beta, "ars": ars}
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


# Data and pictures
# -------------------------------------------------------------------------------------------------


Part = tuple[torch.Tensor, torch.Tensor]
"""Images (n, channels, height, width) in [0, 1] and labels (n,)."""


def pooled(x: torch.Tensor, side: int, white: float | None = None) -> torch.Tensor:
    """Return images as float32 in [0, 1], averaged over squares of ``side`` pixels.

    ``white`` is 1, the brightest value of the data unless given.
    """
    images = x.float() / float(x.max() if white is None else white)
    return torch.nn.functional.avg_pool2d(images, side) if side > 1 else images


def split(
    y: np.ndarray, n_train: int, generator: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw the rows of train, validation (a tenth of the rest) and test (a
    fifth), class by class in proportion.
    """
    rest, test = stratified_split(y, len(y) // 5, generator)
    train, val = stratified_split(y[rest], len(rest) // 10, generator)
    if 0 < n_train < len(train):
        train = train[stratified_split(y[rest][train], n_train, generator)[1]]
    return torch.from_numpy(rest[train]), torch.from_numpy(rest[val]), torch.from_numpy(test)


def held_out(
    images: torch.Tensor, given: torch.Tensor, share: float, generator: np.random.Generator
) -> tuple[Part, Part]:
    """Return what is left of training images (N, ...) and their given labels (N,), and a share of
    them, class by class in proportion.
    """
    parts = stratified_split(given.cpu().numpy(), max(1, round(share * len(given))), generator)
    kept, held = (torch.from_numpy(rows).to(given.device) for rows in parts)
    return (images[kept], given[kept]), (images[held], given[held])


def arrays_of(small: SmallSet, problem: Problem) -> dict[str, np.ndarray]:
    """Return all that is needed to use a set elsewhere."""
    found = {
        "x": small.x,
        "y": small.y,
        "mean": problem.mean,
        "std": problem.std,
        "factor": torch.tensor(small.factor),
    }
    found |= {
        name: part
        for name, part in (
            ("soft_y", small.soft_y),
            ("targets", small.targets),
            ("indices", small.indices),
        )
        if part is not None
    }
    if small.lr is not None:
        found["lr"] = torch.tensor(small.lr)
    return {name: part.detach().cpu().numpy() for name, part in found.items()}


def grid(small: SmallSet, problem: Problem, most: int = 10) -> np.ndarray:
    """Return the stored images as one picture, a row a class, at most
    ``most`` of each; clipped to black and white.
    """
    pixels = (small.x * problem.std.view(-1, 1, 1) + problem.mean.view(-1, 1, 1)).clamp(0, 1)
    shown = [
        row
        for c in range(problem.n_classes)
        for row in (small.y == c).nonzero().flatten()[:most].tolist()
    ]
    columns = min(most, problem.ipc) if problem.ipc > 1 else min(10, problem.n_classes)
    return pictures.grid(
        (pixels[shown] * 255).round().to(torch.uint8).cpu().numpy(),
        columns=columns,
        title=f"{len(small.x)} stored images, by class",
    )
