"""What the tasks of the track share: corrupting labels, watching epochs, scoring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import Case, Meta, Outcome, Run, Score, Setup, Task, Watched
from bench.declared import Array
from bench.tracks.noisy_labels import NoisyLabelMethod, Problem, Solution
from bench.training.data import Examples, standardised, stratified_split
from bench.training.schedules import Schedule
from bench.training.state import predict

from ._noise import corrupt, drawn_rows, transitions
from ._pictures import percent, pictures_of

_PROTOCOL = (
    "net",
    "precision",
    "flip",
    "crop",
    "epochs",
    "batch_size",
    "lr",
    "momentum",
    "weight_decay",
)
"""Parameters that the problem takes over as they are."""

LAST = 10
"""Epochs whose mean is reported, and which are watched on all rows."""
WATCH_SEED = 12345
"""Draws the rows of a curve that looks at a part, the same for every method and seed."""


class Hidden(msgspec.Struct, frozen=True):
    """What no method sees: the clean test set and the true labels of the training rows."""

    x_test: Annotated[torch.Tensor, Array("T", ..., dtype="float32")]
    y_test: Annotated[torch.Tensor, Array("T", dtype="int64", ge=0, lt="C")]
    y_true: Annotated[torch.Tensor, Array("N", dtype="int64", ge=0, lt="C")]


def held_out(
    problem: Problem, share: float, y_true: torch.Tensor, generator: np.random.Generator
) -> Case:
    """Return a case of the training rows alone: a part of them, in proportion by given label, is
    what the others are judged by.

    No test row and no true label is in it, but for the noise rate, which methods that need it are
    given.
    """
    given = problem.y.cpu().numpy()
    kept, held = (
        torch.from_numpy(part).to(problem.y.device)
        for part in stratified_split(given, max(1, round(share * len(given))), generator)
    )
    rest = msgspec.structs.replace(
        problem,
        x=problem.x[kept],
        y=problem.y[kept],
        noise_rate=float((problem.y != y_true)[kept].double().mean()),
    )
    return Case(problems=[rest], hidden=Hidden(problem.x[held], problem.y[held], rest.y))


def shown(labels: torch.Tensor, most: int) -> torch.Tensor | slice:
    """Return ``most`` rows (most,) of those with these labels (n,), class by class in proportion;
    all where there are no more, or ``most`` is 0.
    """
    if not 0 < most < len(labels):
        return slice(None)
    generator = np.random.Generator(np.random.PCG64(WATCH_SEED))
    rows = stratified_split(labels.cpu().numpy(), most, generator)[1]
    return torch.from_numpy(rows).to(labels.device)


class NoisyLabelTask(Task):
    """Corrupt the training labels of a dataset; judge on its clean test part."""

    source: ClassVar[str]
    """Name of the dataset."""
    n_test: ClassVar[int]
    """Rows of the test part."""
    by_channel: ClassVar[bool] = False
    """Standardise every channel of the pictures by itself."""
    watched: ClassVar[int] = 0
    """Rows of the test part, and of the training part, that the curve looks at in every epoch but
    the last ten, class by class; 0: all. Figures of the final model are of all rows.
    """

    noise: Literal[
        "sym",
        "sym_incl",
        "sym_iid",
        "pair",
        "asym",
        "idn",
        "lt_imb",
        "tail_sym",
        "confusion",
        "dilute",
        "human",
    ] = "sym"
    """Noise model; ``human`` where the data come with labels by several people."""
    rate: Annotated[float, Meta(ge=0, le=1)] = 0.4
    """Nominal noise rate; ``asym`` applies it within the confused classes
    only, for ``dilute`` it is the share of copies.
    """
    imbalance: Annotated[float, Meta(ge=1)] = 10.0
    """Size of the first class over that of the last, for ``lt_imb`` and ``tail_sym``."""
    n_train: Annotated[int, Meta(ge=0)] = 0
    """Use this many training rows, drawn class by class; 0: all."""
    net: Literal["mlp", "cnn", "resnet18", "resnet34", "preactresnet18"] = "mlp"
    """The net that all methods train."""
    widths: tuple[int, ...] = (256,)
    """Widths of the hidden layers of ``mlp``."""
    channels: tuple[int, ...] = ()
    """Channels of the stages of a convolutional net; none: the net's own."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What the body of a convolutional net computes in."""
    flip: bool = False
    """Mirror half of the pictures in each epoch."""
    crop: Annotated[int, Meta(ge=0)] = 0
    """Shift each picture by up to so many pixels in each epoch."""
    epochs: Annotated[int, Meta(ge=1)] = 60
    """Passes over the training rows."""
    batch_size: Annotated[int, Meta(ge=1)] = 128
    """Rows of a batch."""
    lr: Annotated[float, Meta(gt=0)] = 0.05
    """Learning rate at the start."""
    schedule: Literal["cosine", "restarts", "steps"] = "cosine"
    """How the learning rate falls: one half cosine, one every ``period``
    epochs, or by ``gamma`` at each of ``milestones``.
    """
    lr_min: Annotated[float, Meta(ge=0)] = 0.0
    """Where a cosine ends."""
    period: Annotated[int, Meta(ge=1)] = 10
    """Epochs between restarts."""
    milestones: tuple[int, ...] = ()
    """Epochs, counted from 0, before which the learning rate falls."""
    gamma: Annotated[float, Meta(gt=0, le=1)] = 0.1
    """Factor of such a fall."""
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    """Momentum of SGD."""
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0
    """Weight decay of SGD."""
    holdout: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of the training rows, with their given labels, that is held out and scored instead of
    the test set: for choosing parameters.
    """

    def prepare(self, run: Setup) -> Case:
        """Split, standardise, corrupt."""
        train, test = self.parts(run)
        y, rows = train.y.cpu().numpy(), np.arange(len(train.y))
        if 0 < self.n_train < len(rows):
            rows = stratified_split(y, self.n_train, run.numpy_generator("split", "train"))[1]
        generator = run.numpy_generator("corruption", self.noise)
        rows = rows[
            drawn_rows(
                self.noise,
                y[rows],
                rate=self.rate,
                classes=train.classes,
                imbalance=self.imbalance,
                generator=generator,
            )
        ]
        taken = torch.from_numpy(rows).to(train.y.device)
        x, x_test = standardised(train.x[taken], test.x, by_channel=self.by_channel)
        given = self.given(train, rows, x, generator)
        # many datasets are sorted by class, where the place of a row would tell its true label
        order = run.numpy_generator("split", "order").permutation(len(rows))
        given, true = (torch.from_numpy(labels[order]).to(x.device) for labels in (given, y[rows]))
        protocol = {name: getattr(self, name) for name in _PROTOCOL}
        problem = Problem(
            x=x[torch.from_numpy(order).to(x.device)],
            y=given,
            n_classes=train.classes,
            widths=self.widths if self.net == "mlp" else self.channels,
            schedule=Schedule(self.schedule, self.lr_min, self.period, self.milestones, self.gamma),
            noise_rate=float((given != true).double().mean()),
            **protocol,
        )
        case = Case(problems=[problem], hidden=Hidden(x_test, test.y, true))
        return (
            held_out(problem, self.holdout, true, run.numpy_generator("split", "holdout"))
            if self.holdout
            else case
        )

    def parts(self, run: Setup) -> tuple[Examples, Examples]:
        """Return the data that may be trained on and those to judge by: where the data bring none
        of their own, ``n_test`` rows, drawn class by class.
        """
        data = run.dataset(self.source)
        split = stratified_split(
            data.y.cpu().numpy(), self.n_test, run.numpy_generator("split", "test")
        )
        train, test = (
            Examples(data.x[rows], data.y[rows], data.classes)
            for rows in map(torch.from_numpy, split)
        )
        return train, test

    def given(
        self, train: Examples, rows: np.ndarray, x: torch.Tensor, generator: np.random.Generator
    ) -> np.ndarray:
        """Return the given labels of ``rows`` of the training data, whose
        standardised inputs are ``x``.
        """
        return corrupt(
            self.noise,
            train.y.cpu().numpy()[rows],
            rate=self.rate,
            classes=train.classes,
            generator=generator,
            x=x.flatten(1).cpu().numpy(),
        )

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score an epoch: clean test accuracy, and what became of the wrong labels."""
        hidden, problem = case.hidden, case.problems[k]
        most = self.watched if step <= self.epochs - LAST else 0
        # training rows of all kinds: shown the wrong ones alone, a model would know them
        test, train = (shown(labels, most) for labels in (hidden.y_test, hidden.y_true))
        judged = predict(model, hidden.x_test[test]).argmax(-1)
        said = predict(model, problem.x[train]).argmax(-1)
        given, true = problem.y[train], hidden.y_true[train]
        wrong = given != true
        return Watched(
            {
                "acc": percent(judged == hidden.y_test[test]),
                "memorised": percent((said == given)[wrong]),
                "recovered": percent((said == true)[wrong]),
            }
        )

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the final model, the corrected labels and the selection."""
        outcome, hidden, problem = outcomes[0], case.hidden, case.problems[0]
        solution: Solution = outcome.solution
        accuracy = percent(predict(solution.model, hidden.x_test).argmax(-1) == hidden.y_test)
        if self.holdout:
            return Score(
                metrics={"acc_val": accuracy},
                not_rankable="scored on held-out training rows by their given labels",
            )
        curve = [entry["acc"] for entry in outcome.curve] or [accuracy]
        predicted = predict(solution.model, problem.x).argmax(-1)
        bad = problem.y != hidden.y_true
        metrics = {
            "acc_last": accuracy,
            "acc_last10": sum(curve[-LAST:]) / len(curve[-LAST:]),
            "acc_best": max(curve),
            "drop": max(curve) - accuracy,
            "memorised": percent((predicted == problem.y)[bad]),
            "recovered": percent((predicted == hidden.y_true)[bad]),
            "clean_fit": percent((predicted == hidden.y_true)[~bad]),
        }
        if solution.ensemble is not None:
            metrics["acc_ensemble"] = percent(
                predict(solution.ensemble, hidden.x_test).argmax(-1) == hidden.y_test
            )
        if solution.labels is not None:
            right = solution.labels == hidden.y_true
            metrics |= {
                "fix_rate": percent(right[bad]),
                "keep_rate": percent(right[~bad]),
                "label_acc": percent(right),
            }
        if solution.kept is not None:
            metrics |= {
                "select_prec": percent(~bad[solution.kept]),
                "select_rec": percent(solution.kept[~bad]),
            }
        counts = transitions(
            hidden.y_true.cpu().numpy(), problem.y.cpu().numpy(), problem.n_classes
        )
        arrays = {"transitions": counts}
        if solution.clean_score is not None:
            arrays["clean_score"] = solution.clean_score.cpu().numpy()
        return Score(
            metrics=metrics,
            arrays=arrays,
            images=pictures_of(problem, hidden.y_true, solution, outcome.curve, counts),
        )

    def train_on_clean_labels(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the null method, given the true labels."""
        return NoisyLabelMethod().solve(msgspec.structs.replace(problem, y=hidden.y_true), run)
