"""Track ``label-errors``: say which labels of a training set are wrong.

The problem is the one of ``noisy-labels``.

A detector returns a :class:`Solution`. A training method of the track ``noisy-labels`` may serve
this track too, unchanged: what it says of its rows (``clean_score``, corrected ``labels``, rows
``kept``) is read as a judgement, see :func:`judgement`.

Shapes: N training rows, C classes.
"""

from __future__ import annotations

import functools
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import torch

from bench.cards import TrackCard
from bench.declared import Array
from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.tracks.noisy_labels import Problem, cross_entropy
from bench.training.state import predict

__all__ = ["Problem", "Solution", "judgement", "out_of_fold", "votes"]

TRACK = TrackCard(
    name="label-errors",
    title="Label errors",
    about="Find the labels of a training set that are wrong.",
    field="wrong labels",
    ranked="detectors, and training methods by what they say of their rows, by how well they "
    "tell wrong labels from right ones",
)

FOLDS, NEIGHBOURS = 5, 20


class Solution(msgspec.Struct, kw_only=True):
    """What a detector says of the training rows: one of the two, or both.

    Attributes:
        suspicion: higher means more likely a wrong label (N,), any real numbers, ties allowed.
        flags: rows held to be wrong (N,), bool.
    """

    suspicion: Annotated[torch.Tensor | None, Array("N", dtype="number", infinite=True)] = None
    flags: Annotated[torch.Tensor | None, Array("N", dtype="bool")] = None

    def validate(self, problem: Problem) -> None:
        """Hold the fields against each other.

        Raises:
            InvalidRun: there is nothing to judge by.
        """
        if self.suspicion is None and self.flags is None:
            raise InvalidRun(
                "it has neither a suspicion nor flags; return one value a training row"
            )


def judgement(solution: Any, problem: Problem) -> Solution:
    """Return what ``solution`` says of the rows of ``problem``, with a suspicion in any case.

    Of a detector it is the solution itself; where it only has flags, they are the suspicion. Of a
    training method the suspicion is ``-clean_score``, or where it has none the cross entropy of its
    model on the given labels; the flags are the rows whose label it corrects, or where it corrects
    none those it does not keep.
    """
    if isinstance(solution, Solution):
        suspicion, flags = solution.suspicion, solution.flags
    else:
        score = solution.clean_score
        suspicion = (
            -score
            if score is not None
            else cross_entropy(predict(solution.model, problem.x), problem.y)
        )
        kept = solution.kept
        flags = (
            solution.labels != problem.y
            if solution.labels is not None
            else ~kept
            if kept is not None
            else None
        )
    if suspicion is None:
        assert flags is not None, "a solution without both is refused before"
        suspicion = flags.float()
    return Solution(suspicion=suspicion, flags=flags)


def out_of_fold(
    problem: Problem, run: Run, model: Literal["knn", "logistic"] = "knn"
) -> torch.Tensor:
    """Return class probabilities (N, C), float64, of each row from a model that saw only the four
    fifths of the rows without it.

    Built once for each problem however many detectors want it, and charged to each of them.

    Args:
        problem: the rows and their given labels.
        run: the method's run.
        model: ``knn``: shares of the 20 nearest rows (Euclid); ``logistic``: multinomial logistic
            regression of scikit-learn.
    """
    built, _ = run.cached(
        {"out-of-fold": model, "folds": FOLDS, "neighbours": NEIGHBOURS},
        functools.partial(_out_of_fold, problem, model),
    )
    return built["probabilities"]


def _out_of_fold(problem: Problem, model: str, run: Run) -> dict[str, torch.Tensor]:
    x, y = problem.x.flatten(1), problem.y
    fold = _folds(y.cpu().numpy(), run.numpy_generator("split"))
    found = torch.zeros(len(y), problem.n_classes, dtype=torch.float64, device=x.device)
    for part in range(FOLDS):
        inside = torch.from_numpy(fold == part).to(x.device)
        if inside.any():
            predicted = _knn if model == "knn" else _logistic
            found[inside] = predicted(x[~inside], y[~inside], x[inside], problem.n_classes)
    return {"probabilities": found}


def _folds(y: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return the fold of each row, the folds of each class as even as they can be."""
    order = generator.permutation(len(y))
    fold = np.empty(len(y), dtype=np.int64)
    fold[order[np.argsort(y[order], kind="stable")]] = np.arange(len(y)) % FOLDS
    return fold


def _knn(x: torch.Tensor, y: torch.Tensor, queries: torch.Tensor, classes: int) -> torch.Tensor:
    return torch.cat(
        [votes(torch.cdist(part, x), y, NEIGHBOURS, classes) for part in queries.split(2048)]
    )


def _logistic(
    x: torch.Tensor, y: torch.Tensor, queries: torch.Tensor, classes: int
) -> torch.Tensor:
    from sklearn.linear_model import LogisticRegression

    seen = y.unique()
    found = torch.zeros(len(queries), classes, dtype=torch.float64, device=x.device)
    if len(seen) == 1:
        found[:, seen] = 1.0
        return found
    fitted = LogisticRegression(max_iter=1000).fit(x.cpu().double().numpy(), y.cpu().numpy())
    found[:, seen] = torch.from_numpy(fitted.predict_proba(queries.cpu().double().numpy())).to(
        x.device
    )
    return found


def votes(distances: torch.Tensor, labels: torch.Tensor, k: int, classes: int) -> torch.Tensor:
    """Return the share of each class among the ``k`` nearest, (n, classes) float64.

    Args:
        distances: of n rows to m others (n, m); infinite: not a neighbour.
        labels: of the others (m,).
        k: number of neighbours; of fewer others, all.
        classes: number of classes.
    """
    nearest = distances.topk(min(k, distances.shape[1]), largest=False)
    one_hot = torch.zeros(len(distances), classes, dtype=torch.float64, device=distances.device)
    one_hot.scatter_add_(1, labels[nearest.indices], nearest.values.isfinite().double())
    return one_hot / one_hot.sum(1, keepdim=True).clamp_min(1)
