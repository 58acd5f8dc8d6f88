"""What the track's tasks share: wrong labels, training on kept rows, comparing with random rows."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import torch
from torch.nn import functional as F

from bench import Case, Meta, Outcome, Run, Score, Setup, Task
from bench.tracks.selection import Problem, Selection
from bench.training.convnet import Params
from bench.training.data import Examples, stratified_split
from bench.training.fitting import fit, outputs, passes_of
from bench.training.state import finite

from ._metrics import FRACTIONS, HELD_OUT, NAMED
from ._rows import Hidden, held_out, moved, some


class PruningTask(Task):
    """Keep a share of the training rows; nets trained on them for equally many steps are judged."""

    source: ClassVar[str]
    """Name of the dataset."""

    pool: Annotated[int, Meta(ge=1)] = 1
    """Average pixels over squares of this side first."""
    label_noise: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of the training rows whose label is moved to another class."""
    class_balance: bool = False
    """Whether each class gets its equal share of the rows kept."""
    fractions: tuple[float, ...] = FRACTIONS
    """Shares of the rows to keep."""
    widths: tuple[int, ...] = (256,)
    """Widths of the hidden layers."""
    epochs: Annotated[int, Meta(ge=1)] = 15
    """Passes over all rows whose steps every training takes, however few rows are kept."""
    batch_size: Annotated[int, Meta(ge=1)] = 128
    """Rows of a batch."""
    lr: Annotated[float, Meta(gt=0)] = 0.1
    """Learning rate at the start of the cosine."""
    nets: Annotated[int, Meta(ge=1)] = 3
    """Nets for each share."""
    n_train: Annotated[int, Meta(ge=0)] = 0
    """Use this many training rows; 0: all."""
    holdout: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of the training rows held out, with given labels, and scored instead of test rows."""

    def prepare(self, run: Setup) -> Case:
        """Take the parts, move labels; with ``holdout`` leave the test rows out."""
        train, test = self.parts(run)
        # many datasets are sorted by class, where the place of a row would tell its true label
        order = run.numpy_generator("split", "order").permutation(len(train.y))
        rows = torch.from_numpy(order).to(train.y.device)
        train = Examples(train.x[rows], train.y[rows], train.classes)
        y, x = train.y.cpu().numpy(), train.x
        given, wrong = moved(y, self.label_noise, train.classes, run.numpy_generator("corruption"))
        problem = Problem(
            x=x,
            y=torch.from_numpy(given).to(x.device),
            n_classes=train.classes,
            fractions=self.fractions,
            class_balance=self.class_balance,
            widths=self.widths,
            epochs=self.epochs,
            batch_size=self.batch_size,
            lr=self.lr,
        )
        hidden = Hidden(
            test.x, *(labels.to(x.device) for labels in (test.y, train.y, torch.from_numpy(wrong)))
        )
        return (
            held_out(problem, self.holdout, run.numpy_generator("split", "holdout"))
            if self.holdout
            else Case(problems=[problem], hidden=hidden)
        )

    def parts(self, run: Setup) -> tuple[Examples, Examples]:
        """Return the rows to choose among and those to judge by (three tenths of the data), pixels
        in [0, 1].
        """
        data: Examples = run.dataset(self.source)
        images = data.x.float()
        if self.pool > 1:
            images = F.avg_pool2d(images, self.pool)
        y, generator = data.y.cpu().numpy(), run.numpy_generator("split")
        train, test = stratified_split(y, len(y) * 3 // 10, generator)
        train = some(train, y, self.n_train, generator)
        found, judges = (
            Examples(images[rows] / images.max(), data.y[rows], data.classes)
            for rows in map(torch.from_numpy, (train, test))
        )
        return found, judges

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Train on each share kept; figures of random rows and of all rows come from the cache."""
        outcome, problem, hidden = outcomes[0], case.problems[0], case.hidden
        chosen: Selection = outcome.solution
        everything = Selection(rows=[torch.arange(len(problem.y))])
        if self.holdout:
            whole = type(chosen) is _CleanRows
            kept = everything if whole else chosen
            found = accuracies(problem, hidden, kept, self.nets, run.seed).mean(1).tolist()
            shares = (1.0,) if whole else problem.fractions
            return Score(
                metrics={"auc_val": area(dict(zip(shares, found, strict=True)))},
                not_rankable=HELD_OUT,
            )
        if type(chosen) is _CleanRows:
            right = msgspec.structs.replace(problem, y=hidden.y_true)
            clean = float(accuracies(right, hidden, everything, self.nets, run.seed).mean())
            named = {
                f"acc_{round(100 * f)}": clean for f in problem.fractions if round(100 * f) in NAMED
            }
            return Score(metrics={**named, "auc": clean})
        reached = dict(
            zip(
                problem.fractions,
                accuracies(problem, hidden, chosen, self.nets, run.seed).mean(1).tolist(),
                strict=True,
            )
        )
        full = self._anchor(problem, hidden, everything, run, "all")[0]
        baseline = dict(
            zip(
                problem.fractions,
                self._anchor(problem, hidden, random_rows(problem, run), run, "random"),
                strict=True,
            )
        )
        metrics: dict[str, float | None] = {
            f"acc_{round(100 * f)}": acc for f, acc in reached.items() if round(100 * f) in NAMED
        }
        metrics |= {
            f"gain_{p}": reached[p / 100] - baseline[p / 100]
            for p in (20, 50)
            if p / 100 in reached
        }
        metrics |= {
            "auc": area(reached),
            "acc_full": full,
            "enough": next((100 * f for f in sorted(reached) if reached[f] >= full - 1), 100.0),
        }
        if bool(hidden.wrong.any()) and 0.2 in reached:
            metrics["noise_20"] = 100 * float(
                hidden.wrong[chosen.rows[problem.fractions.index(0.2)]].double().mean()
            )
        metrics["score_passes"] = sum(outcome.counters.values()) / len(problem.y)
        arrays = {
            f"rows_{round(100 * f)}": rows.cpu().numpy()
            for f, rows in zip(problem.fractions, chosen.rows, strict=True)
        }
        if chosen.scores is not None:
            arrays["scores"] = chosen.scores.cpu().numpy()
        return Score(metrics=metrics, arrays=arrays)

    def take_clean_rows(self, problem: Problem, hidden: Hidden, run: Run) -> _CleanRows:
        """The upper reference: every training has all rows, rightly labelled."""
        return _CleanRows()

    def _anchor(
        self, problem: Problem, hidden: Hidden, selection: Selection, run: Setup, kind: str
    ) -> list[float]:
        """Return the mean test accuracies of a selection that every method is compared with."""
        recipe = {"selection anchor": kind, "seed": run.seed, "task": self.values()}
        tensors, _ = run.cached(
            recipe, functools.partial(_anchor, problem, hidden, selection, self.nets, run.seed)
        )
        return [float(value) for value in tensors["acc"].mean(1)]


class _CleanRows:
    """What the upper reference returns in place of a selection."""


def _anchor(
    problem: Problem, hidden: Hidden, selection: Selection, nets: int, seed: int, run: Run
) -> dict[str, torch.Tensor]:
    return {"acc": accuracies(problem, hidden, selection, nets, seed)}


def random_rows(problem: Problem, run: Run) -> Selection:
    """Return random rows for each budget, drawn as the baseline draws them."""
    keys = torch.rand(
        len(problem.y), generator=run.torch_generator("order", "rows", device="cpu")
    ).to(problem.y.device)
    from bench.tracks.selection import spread

    return Selection(
        rows=[
            torch.cat(
                [part[keys[part].argsort()[:count]] for part, count in spread(problem, budget)]
            )
            for budget in problem.budgets
        ]
    )


def accuracies(
    problem: Problem, hidden: Hidden, selection: Selection, nets: int, seed: int
) -> torch.Tensor:
    """Train ``nets`` nets on each share kept, all in one stack and for equally many steps, and
    return their test accuracies in percent, (shares, nets).

    Net k has the same initial weights for every share and method of a seed.
    """
    net, shares = problem.net(), len(selection.rows)
    start = net.init([torch.Generator().manual_seed(1000 * seed + k) for k in range(nets)])
    stacked: Params = [
        tensor.repeat(shares, *[1] * (tensor.dim() - 1)).to(problem.x.device) for tensor in start
    ]
    rows = [own for own in selection.rows for _ in range(nets)]
    orders = [
        torch.Generator().manual_seed(1000 * seed + k + 500)
        for _ in range(shares)
        for k in range(nets)
    ]
    targets = F.one_hot(problem.y, problem.n_classes).float()
    x = problem.x
    # a row has another weight in each share: lay the shares out one after another
    if selection.weights is not None:
        targets = torch.cat(
            [
                targets[own] * weight[:, None].to(targets)
                for own, weight in zip(selection.rows, selection.weights, strict=True)
            ]
        )
        x = torch.cat([problem.x[own] for own in selection.rows])
        sizes = [len(own) for own in selection.rows]
        first = np.cumsum([0, *sizes[:-1]])
        rows = [
            torch.arange(size) + int(begin)
            for size, begin in zip(sizes, first, strict=True)
            for _ in range(nets)
        ]
    params = fit(
        net,
        stacked,
        x,
        targets,
        passes_of(rows, problem.batch_size, problem.steps, orders),
        problem.recipe(problem.steps),
    )
    test = hidden.x_test.clone()
    right = (
        finite(outputs(net, params, test), "nets trained on the rows kept").argmax(-1)
        == hidden.y_test
    ).double().mean(1) * 100
    test.zero_()
    return right.view(shares, nets)


def area(reached: dict[float, float]) -> float:
    """Return the mean accuracy over the log of the share kept; with one share its accuracy."""
    shares = sorted(reached)
    if len(shares) == 1:
        return reached[shares[0]]
    places = np.log(shares)
    return float(
        np.trapezoid([reached[share] for share in shares], places) / (places[-1] - places[0])
    )
