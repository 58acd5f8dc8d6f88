"""What the tasks of the track share: building the problem, judging a small set, the anchors."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
import torch

from bench import Case, Meta, Metric, Outcome, Run, Score, Setup, Task
from bench.tracks.condensation import Problem, SmallSet, check, decode, real_rows, stored
from bench.tracks.condensation_evaluation import (
    Protocol,
    accuracies,
    calibration_error,
    logits_of,
    mean_nll,
    quickest,
    ranking_score,
    temperatures,
    train,
)
from bench.training import pictures
from bench.training.convnet import Net, Perceptron
from bench.training.data import Examples, stratified_split

SPLIT_SEED = 12345
"""The split is the same for every seed, so that seeds differ in starting images, initial weights and order alone."""

METRICS = (
    Metric(name="acc", primary=True, unit="%", bounds=(0, 100), chance=10, title="test accuracy after the last epoch, mean over the evaluation nets"),
    Metric(name="acc_sd", direction="none", unit="points", title="standard deviation over the evaluation nets of one set"),
    Metric(name="recovery", unit="%", title="acc as a share of what the whole training set gives"),
    Metric(name="lrs", bounds=(0, 1), title="DD-Ranking, label-robust score"),
    Metric(name="alpha", direction="none", title="what lrs squashes: half the gain over random images less half the loss to the whole data"),
    Metric(name="ars", bounds=(0, 1), title="DD-Ranking, augmentation-robust score"),
    Metric(name="beta", direction="none", title="what ars squashes: mean gain over random images with and without augmentation"),
    Metric(name="acc_aug", unit="%", bounds=(0, 100), title="accuracy when the evaluation augments"),
    Metric(name="acc_mlp", unit="%", bounds=(0, 100), title="accuracy of perceptrons trained on the set"),
    Metric(name="ece", direction="min", bounds=(0, 1), title="expected calibration error, 15 bins"),
    Metric(name="ece_ts", direction="min", bounds=(0, 1), title="the same after one temperature fitted on validation images"),
    Metric(name="nll", direction="min", title="negative log likelihood, nats"),
    Metric(name="stored_images", direction="none", title="images stored: the budget"),
    Metric(name="decoded_images", direction="none", title="training images they are decoded to"),
    Metric(name="stored_kb", direction="min", title="kilobytes stored as float32, soft labels included"),
)


class Hidden(msgspec.Struct, frozen=True):
    """What no method sees: test images, and validation images held out of the training part."""

    x_test: torch.Tensor
    y_test: torch.Tensor
    x_val: torch.Tensor
    y_val: torch.Tensor


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
    lrs: tuple[float, ...] = (0.01,)
    """Learning rates of the evaluation; of several the best on validation images is taken."""
    n_train: Annotated[int, Meta(ge=0)] = 0
    """Use this many training rows; 0: all."""

    # The problem -----------------------------------------------------------------------------------------------------

    def prepare(self, run: Setup) -> Case:
        """Split into train, validation (a tenth of what is left) and test (a fifth); normalise by the training part."""
        images, y, classes = self.images(run)
        train_rows, val_rows, test_rows = split(y.cpu().numpy(), self.n_train)
        labels = self.given(y[train_rows], classes, run)
        problem, (x_val, x_test) = self.problem(images[train_rows], labels, classes, (images[val_rows], images[test_rows]))
        return Case(problems=[problem], hidden=Hidden(x_test, y[test_rows], x_val, y[val_rows]))

    def images(self, run: Setup) -> tuple[torch.Tensor, torch.Tensor, int]:
        """Return images (N, channels, height, width) in [0, 1], labels (N,) and the number of classes."""
        data: Examples = run.dataset(self.source)
        return pooled(data.x, self.pool), data.y, data.classes

    def given(self, y: torch.Tensor, classes: int, run: Setup) -> torch.Tensor:
        """Return the labels that methods see for the training rows: the true ones."""
        return y

    def problem(self, images: torch.Tensor, y: torch.Tensor, classes: int, others: Sequence[torch.Tensor]) -> tuple[Problem, list[torch.Tensor]]:
        """Return the problem of images (N, channels, height, width) in [0, 1], and the others normalised likewise."""
        mean, std = images.mean((0, 2, 3)), images.std((0, 2, 3)).clamp_min(1e-8)

        def normal(part: torch.Tensor) -> torch.Tensor:
            return (part - mean.view(-1, 1, 1)) / std.view(-1, 1, 1)

        found = Problem(
            x=normal(images), y=y, n_classes=classes, ipc=self.ipc, mean=mean, std=std, flips=self.flips, width=self.width, depth=self.depth,
            updates=self.updates, net_epochs=self.net_epochs, batch_real=self.batch_real,
        )  # fmt: skip
        return found, [normal(part) for part in others]

    # The judgement ---------------------------------------------------------------------------------------------------

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Train nets on the set and score them; the figures of random images and of all data come from the cache."""
        small, problem, hidden = outcomes[0].solution, case.problems[0], case.hidden
        seeds = [int(seed) for seed in run.numpy_generator("eval", "nets").integers(2**62, size=self.nets)]
        anchors = _Anchors(self, problem, hidden, run, seeds)
        if type(small) is _Everything:
            return self._whole(anchors, problem, hidden)
        check(small, problem)
        judge = functools.partial(judged, self, problem, hidden)
        lr = small.lr or self._best_lr(judge, small, hidden, seeds)
        test, val = judge(small, lr, seeds)
        acc = accuracies(test, hidden.y_test)
        metrics: dict[str, float | None] = {"acc": float(acc.mean()), "acc_sd": float(acc.std()) if len(acc) > 1 else None, **stored(small)}
        masks = run.torch_generator("eval", "masks", device="cpu") if small.masked is not None else None
        metrics |= calibration(test, val, hidden, small.masked, masks)
        metrics |= self._ranked(judge, anchors, small, hidden, lr, acc, seeds)
        metrics["acc_mlp"] = float(accuracies(judge(small, small.lr or 0.01, seeds, net=perceptron(problem))[0], hidden.y_test).mean())
        return Score(metrics=metrics, arrays={"acc": acc.cpu().numpy(), **arrays_of(small, problem)}, images={"images": grid(small, problem)})

    def _best_lr(self, judge: Judge, small: SmallSet, hidden: Hidden, seeds: list[int]) -> float:
        """Choose among the task's learning rates by validation accuracy."""
        if len(self.lrs) == 1:
            return self.lrs[0]
        reached = [float(accuracies(judge(small, lr, seeds)[1], hidden.y_val).mean()) for lr in self.lrs]
        return self.lrs[int(np.argmax(reached))]

    def _ranked(
        self, judge: Judge, anchors: _Anchors, small: SmallSet, hidden: Hidden, lr: float, acc: torch.Tensor, seeds: list[int]
    ) -> dict[str, float | None]:
        """Return DD-Ranking's scores: against random images under the same recipe, and against all data under hard labels."""
        reached = float(acc.mean())
        hard = reached
        if small.soft_y is not None:
            hard = float(accuracies(judge(msgspec.structs.replace(small, soft_y=None), lr, seeds)[0], hidden.y_test).mean())
        full, random = anchors.full(), anchors.random(lr)
        alpha, lrs = ranking_score((reached - random) / 100, loss=(full - hard) / 100)
        found: dict[str, float | None] = {"recovery": 100 * reached / full, "alpha": alpha, "lrs": lrs}
        if self.strategy:
            augmented = float(accuracies(judge(small, lr, seeds[: self.nets_aug], augmented=True)[0], hidden.y_test).mean())
            beta, ars = ranking_score((augmented - anchors.random(lr, augmented=True)) / 100, loss=-(reached - random) / 100)
            found |= {"acc_aug": augmented, "beta": beta, "ars": ars}
        return found

    def _whole(self, anchors: _Anchors, problem: Problem, hidden: Hidden) -> Score:
        tensors = anchors.full_logits()
        acc = accuracies(tensors["test"], hidden.y_test)
        metrics: dict[str, float | None] = {"acc": float(acc.mean()), "acc_sd": float(acc.std()) if len(acc) > 1 else None, "recovery": 100.0}
        metrics |= calibration(tensors["test"], tensors["val"], hidden)
        metrics |= stored(SmallSet(x=problem.x, y=problem.y))
        return Score(metrics=metrics, arrays={"acc": acc.cpu().numpy()})

    def full_data(self, problem: Problem, hidden: Hidden, run: Run) -> _Everything:
        """The upper reference: all training images, far beyond the budget."""
        return _Everything()


class _Everything:
    """What the upper reference returns in place of a small set."""


Judge = Callable[..., tuple[torch.Tensor, torch.Tensor]]


def judged(
    task: CondensationTask,
    problem: Problem,
    hidden: Hidden,
    small: SmallSet,
    lr: float,
    seeds: Sequence[int],
    *,
    augmented: bool = False,
    net: Net | None = None,
    epochs: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Train a net from each seed on a small set and return their logits for test and validation images, (K, n, C) each."""
    net = net or problem.net()
    x, y = decode(small, (problem.x.shape[2], problem.x.shape[3]))
    protocol = Protocol(epochs=epochs or task.epochs, lr=lr, strategy=task.strategy if augmented else "", flips=task.flips)
    start = [tensor.to(x.device) for tensor in net.init([torch.Generator().manual_seed(seed) for seed in seeds])]
    orders = [torch.Generator().manual_seed(seed + 1) for seed in seeds]
    params = train(
        net, start, x, y if small.soft_y is None else small.soft_y, protocol, orders, quickest(min(len(x), protocol.batch), net, len(seeds), x.device)
    )
    return logits_of(net, params, hidden.x_test), logits_of(net, params, hidden.x_val)


def perceptron(problem: Problem) -> Perceptron:
    """The perceptron of the cross-architecture test: three hidden layers of 128 (VICO-UoE/DatasetCondensation, networks.py)."""
    return Perceptron(sizes=(problem.x[0].numel(), 128, 128, 128, problem.n_classes))


class _Anchors:
    """Accuracies of random images and of all data under the task's protocol, built once and kept in the cache."""

    def __init__(self, task: CondensationTask, problem: Problem, hidden: Hidden, run: Setup, seeds: list[int]) -> None:
        self.task, self.problem, self.hidden, self.run, self.seeds = task, problem, hidden, run, seeds
        rows = real_rows(problem, run)
        self._random = SmallSet(x=problem.x[rows], y=problem.y[rows], indices=rows)

    def _cached(self, recipe: dict[str, Any], build: Callable[[], tuple[torch.Tensor, torch.Tensor]]) -> dict[str, torch.Tensor]:
        whole = {"condensation anchor": recipe, "task": self.task.values()}
        return self.run.cached(whole, functools.partial(_named, build))[0]

    def random(self, lr: float, augmented: bool = False) -> float:
        """Return the test accuracy, in percent, that the random images of this seed give with the same nets."""
        seeds = self.seeds[: self.task.nets_aug] if augmented else self.seeds
        build = functools.partial(judged, self.task, self.problem, self.hidden, self._random, lr, seeds, augmented=augmented)
        tensors = self._cached({"random images of seed": self.run.seed, "lr": lr, "augmented": augmented}, build)
        return float(accuracies(tensors["test"], self.hidden.y_test).mean())

    def full_logits(self) -> dict[str, torch.Tensor]:
        """Return the logits of nets trained on all data, the same for every seed."""
        everything, seeds = SmallSet(x=self.problem.x, y=self.problem.y), list(range(min(3, self.task.nets)))
        return self._cached(
            {"all data": True},
            functools.partial(judged, self.task, self.problem, self.hidden, everything, self.task.lrs[0], seeds, epochs=self.task.epochs_full),
        )

    def full(self) -> float:
        """Return the mean test accuracy of these nets in percent."""
        return float(accuracies(self.full_logits()["test"], self.hidden.y_test).mean())


def _named(build: Callable[[], tuple[torch.Tensor, torch.Tensor]], run: Run) -> dict[str, torch.Tensor]:
    return dict(zip(("test", "val"), build(), strict=True))


def calibration(
    test: torch.Tensor, val: torch.Tensor, hidden: Hidden, masked: float | None = None, masks: torch.Generator | None = None
) -> dict[str, float | None]:
    """Return ece and nll of test logits, where asked for after masked temperature scaling, and ece after plain temperature scaling."""
    plain = temperatures(val, hidden.y_val)
    shown = test if masked is None else test / temperatures(val, hidden.y_val, masked, masks)[:, None, None]
    return {
        "ece": float(calibration_error(shown, hidden.y_test).mean()),
        "ece_ts": float(calibration_error(test / plain[:, None, None], hidden.y_test).mean()),
        "nll": float(mean_nll(shown, hidden.y_test).mean()),
    }


# Data and pictures ---------------------------------------------------------------------------------------------------------


def pooled(x: torch.Tensor, side: int) -> torch.Tensor:
    """Return images as float32 in [0, 1], averaged over squares of ``side`` pixels. The brightest value of the data is 1."""
    images = x.float() / float(x.max())
    return torch.nn.functional.avg_pool2d(images, side) if side > 1 else images


def split(y: np.ndarray, n_train: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the rows of train, validation (a tenth of the rest) and test (a fifth), class by class in proportion, the same for every seed."""
    generator = np.random.Generator(np.random.PCG64(SPLIT_SEED))
    rest, test = stratified_split(y, len(y) // 5, generator)
    train, val = stratified_split(y[rest], len(rest) // 10, generator)
    if 0 < n_train < len(train):
        train = train[stratified_split(y[rest][train], n_train, generator)[1]]
    return torch.from_numpy(rest[train]), torch.from_numpy(rest[val]), torch.from_numpy(test)


def arrays_of(small: SmallSet, problem: Problem) -> dict[str, np.ndarray]:
    """Return all that is needed to use a set elsewhere."""
    found = {"x": small.x, "y": small.y, "mean": problem.mean, "std": problem.std, "factor": torch.tensor(small.factor)}
    found |= {name: part for name, part in (("soft_y", small.soft_y), ("targets", small.targets), ("indices", small.indices)) if part is not None}
    if small.lr is not None:
        found["lr"] = torch.tensor(small.lr)
    return {name: part.detach().cpu().numpy() for name, part in found.items()}


def grid(small: SmallSet, problem: Problem, most: int = 10) -> np.ndarray:
    """Return the stored images as one picture, a row a class, at most ``most`` of each; clipped to black and white."""
    pixels = (small.x * problem.std.view(-1, 1, 1) + problem.mean.view(-1, 1, 1)).clamp(0, 1)
    shown = [row for c in range(problem.n_classes) for row in (small.y == c).nonzero().flatten()[:most].tolist()]
    columns = min(most, problem.ipc) if problem.ipc > 1 else min(10, problem.n_classes)
    return pictures.grid((pixels[shown] * 255).round().to(torch.uint8).cpu().numpy(), columns=columns, title=f"{len(small.x)} stored images, by class")
