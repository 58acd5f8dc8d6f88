"""What the tasks of the track share: corrupting labels, watching epochs, scoring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import Case, Meta, Metric, Outcome, Run, Score, Setup, Task, Watched
from bench.tracks.noisy_labels import NoisyLabelMethod, Problem, Solution
from bench.training.data import standardised, stratified_split
from bench.training.pictures import curves, grid, heat_map
from bench.training.state import predict

from ._noise import corrupt, drawn_rows, transitions

SPLIT_SEED = 12345
"""The split is the same for every seed, so that seeds differ in noise, initial weights and order alone."""

METRICS = (
    Metric(name="acc_last", primary=True, unit="%", bounds=(0, 100), chance=10, title="clean test accuracy after the last epoch, of the first net"),
    Metric(name="drop", direction="min", unit="points", title="best minus last"),
    Metric(name="memorised", direction="min", unit="%", bounds=(0, 100), title="wrongly labelled rows predicted as labelled"),
    Metric(name="recovered", unit="%", bounds=(0, 100), title="wrongly labelled rows predicted right"),
    Metric(name="clean_fit", unit="%", bounds=(0, 100), title="rightly labelled rows predicted right"),
    Metric(name="acc_last10", unit="%", bounds=(0, 100), title="mean over the last ten epochs"),
    Metric(name="acc_best", direction="none", unit="%", bounds=(0, 100), title="best epoch, chosen on the test set: an oracle, never ranked"),
    Metric(name="acc_ensemble", unit="%", bounds=(0, 100), title="accuracy of all nets together, where a method has several"),
    Metric(name="fix_rate", unit="%", bounds=(0, 100), title="wrong labels that the method corrects"),
    Metric(name="keep_rate", unit="%", bounds=(0, 100), title="right labels that the method leaves alone"),
    Metric(name="label_acc", unit="%", bounds=(0, 100), title="corrected labels that are right"),
    Metric(name="select_prec", unit="%", bounds=(0, 100), title="rows kept that are rightly labelled"),
    Metric(name="select_rec", unit="%", bounds=(0, 100), title="rightly labelled rows that are kept"),
)

DEFAULT_VARIANTS = {
    "sym40": {"noise": "sym", "rate": 0.4},
    "asym40": {"noise": "asym", "rate": 0.4},
    "pair45": {"noise": "pair", "rate": 0.45},
    "clean": {"noise": "sym", "rate": 0.0},
}


class Hidden(msgspec.Struct, frozen=True):
    """What no method sees: the clean test set and the true labels of the training rows.

    ``x_watched`` holds the test rows and then the wrongly labelled training rows: what every epoch is scored on.
    """

    x_test: torch.Tensor
    y_test: torch.Tensor
    y_true: torch.Tensor
    x_watched: torch.Tensor
    y_given_wrong: torch.Tensor
    y_true_wrong: torch.Tensor

    @classmethod
    def of(cls, x_test: torch.Tensor, y_test: torch.Tensor, y_true: torch.Tensor, x: torch.Tensor, y_given: torch.Tensor) -> Hidden:
        """Hide the test set and the true labels of the rows ``x`` that were given ``y_given``."""
        wrong = y_given != y_true
        return cls(x_test, y_test, y_true, torch.cat([x_test, x[wrong]]), y_given[wrong], y_true[wrong])


class NoisyLabelTask(Task):
    """Corrupt the training labels of a data set; judge on its clean test part."""

    source: ClassVar[str]
    """Name of the data set."""
    n_test: ClassVar[int]
    """Rows of the test part."""

    noise: Literal["sym", "sym_incl", "sym_iid", "pair", "asym", "idn", "lt_imb", "tail_sym", "confusion", "dilute", "human"] = "sym"
    """Noise model; ``human`` where the data come with labels by several people."""
    rate: Annotated[float, Meta(ge=0, le=1)] = 0.4
    """Nominal noise rate; ``asym`` applies it within the confused classes only, for ``dilute`` it is the share of copies."""
    imbalance: Annotated[float, Meta(ge=1)] = 10.0
    """Size of the first class over that of the last, for ``lt_imb`` and ``tail_sym``."""
    n_train: Annotated[int, Meta(ge=0)] = 0
    """Use this many training rows; 0: all."""
    widths: tuple[int, ...] = (256,)
    """Widths of the hidden layers."""
    epochs: Annotated[int, Meta(ge=1)] = 60
    """Passes over the training rows."""
    batch_size: Annotated[int, Meta(ge=1)] = 128
    """Rows of a batch."""
    lr: Annotated[float, Meta(gt=0)] = 0.05
    """Learning rate at the start of the cosine."""
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    """Momentum of SGD."""
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0
    """Weight decay of SGD."""

    def prepare(self, run: Setup) -> Case:
        """Split, standardise, corrupt."""
        data = run.dataset(self.source)
        y = data.y.cpu().numpy()
        train, test = stratified_split(y, self.n_test, np.random.Generator(np.random.PCG64(SPLIT_SEED)))
        if 0 < self.n_train < len(train):
            train = train[stratified_split(y[train], self.n_train, np.random.Generator(np.random.PCG64(SPLIT_SEED)))[1]]
        generator = run.numpy_generator("corruption", self.noise)
        train = train[drawn_rows(self.noise, y[train], rate=self.rate, classes=data.classes, imbalance=self.imbalance, generator=generator)]
        rows, test_rows = (torch.from_numpy(part).to(data.y.device) for part in (train, test))
        x, x_test = standardised(data.x[rows], data.x[test_rows])
        given = corrupt(self.noise, y[train], rate=self.rate, classes=data.classes, generator=generator, x=x.flatten(1).cpu().numpy())
        problem = Problem(
            x=x,
            y=torch.from_numpy(given).to(x.device),
            n_classes=data.classes,
            widths=self.widths,
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            noise_rate=float((given != y[train]).mean()),
        )
        return Case(problems=[problem], hidden=Hidden.of(x_test, data.y[test_rows], data.y[rows], x, problem.y))

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score an epoch: clean test accuracy, and what became of the wrong labels."""
        hidden: Hidden = case.hidden
        predicted = predict(model, hidden.x_watched).argmax(-1)
        test, wrong = predicted[: len(hidden.y_test)], predicted[len(hidden.y_test) :]
        return Watched(
            {"acc": percent(test == hidden.y_test), "memorised": percent(wrong == hidden.y_given_wrong), "recovered": percent(wrong == hidden.y_true_wrong)}
        )

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the final model, the corrected labels and the selection."""
        outcome, hidden, problem = outcomes[0], case.hidden, case.problems[0]
        solution: Solution = outcome.solution
        accuracy = percent(predict(solution.model, hidden.x_test).argmax(-1) == hidden.y_test)
        curve = [entry["acc"] for entry in outcome.curve] or [accuracy]
        predicted = predict(solution.model, problem.x).argmax(-1)
        bad = problem.y != hidden.y_true
        metrics = {
            "acc_last": accuracy,
            "acc_last10": sum(curve[-10:]) / len(curve[-10:]),
            "acc_best": max(curve),
            "drop": max(curve) - accuracy,
            "memorised": percent((predicted == problem.y)[bad]),
            "recovered": percent((predicted == hidden.y_true)[bad]),
            "clean_fit": percent((predicted == hidden.y_true)[~bad]),
        }
        if solution.ensemble is not None:
            metrics["acc_ensemble"] = percent(predict(solution.ensemble, hidden.x_test).argmax(-1) == hidden.y_test)
        if solution.labels is not None:
            right = solution.labels == hidden.y_true
            metrics |= {"fix_rate": percent(right[bad]), "keep_rate": percent(right[~bad]), "label_acc": percent(right)}
        if solution.kept is not None:
            metrics |= {"select_prec": percent(~bad[solution.kept]), "select_rec": percent(solution.kept[~bad])}
        counts = transitions(hidden.y_true.cpu().numpy(), problem.y.cpu().numpy(), problem.n_classes)
        arrays = {"transitions": counts}
        if solution.clean_score is not None:
            arrays["clean_score"] = solution.clean_score.cpu().numpy()
        return Score(metrics=metrics, arrays=arrays, images=_pictures(problem, hidden, solution, outcome.curve, counts))

    def train_on_clean_labels(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: the null method, given the true labels."""
        return NoisyLabelMethod().solve(msgspec.structs.replace(problem, y=hidden.y_true), run)


def _pictures(problem: Problem, hidden: Hidden, solution: Solution, curve: list[dict[str, Any]], counts: np.ndarray) -> dict[str, np.ndarray]:
    """Return what was given for what, how the epochs went, and the rows that look most suspicious where they are images and there is a score."""
    names = {"acc": "accuracy on the clean test", "memorised": "wrong labels memorised", "recovered": "wrong labels recovered"}
    classes = range(problem.n_classes)
    pictures = {
        "transitions": heat_map(counts, classes, classes, "Labels given to the training rows", "given", "true"),
        "epochs": curves({title: [(entry["step"], entry.get(name)) for entry in curve] for name, title in names.items()}, "", "epoch", "%"),
    }
    if solution.clean_score is not None and problem.x.dim() == 4 and problem.x.shape[1] in (1, 3):
        worst = solution.clean_score.argsort(stable=True)[:24]
        captions = [f"{given} (is {true})" for given, true in zip(problem.y[worst].tolist(), hidden.y_true[worst].tolist(), strict=True)]
        pictures["suspicious"] = grid(problem.x[worst].cpu(), captions, columns=8, title="Least trusted rows: given label (true label)")
    return pictures


def percent(right: torch.Tensor) -> float | None:
    """Return the share that is true in percent; None of nothing."""
    return 100 * int(right.sum()) / right.numel() if right.numel() else None
