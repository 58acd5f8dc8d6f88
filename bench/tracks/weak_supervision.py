"""Track ``weak-supervision``: find out labels from the votes of sources that are often wrong and
often silent.

A source is a rule, a list of words, or a model that is asked a question. A label model turns the
votes into probabilities of the classes; the task trains one classifier on them, the same for all
methods.

Shapes: K members (seeds), N rows, m sources, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import msgspec
import torch
from torch.nn import functional as F

from bench.cards import TrackCard
from bench.contracts import Method
from bench.declared import Array, Size
from bench.errors import InvalidRun
from bench.runs.context import Run

__all__ = [
    "ABSTAIN",
    "Panel",
    "Problem",
    "Sentences",
    "Solution",
    "WeakSupervisionMethod",
    "WordVectors",
    "alternate",
    "posterior",
    "vote_shares",
]

TRACK = TrackCard(
    name="weak-supervision",
    title="Weak supervision",
    about="Find out labels from sources that vote, err and abstain.",
    field="wrong labels",
    ranked="label models, by the test accuracy of one classifier that is trained on their labels",
)

ABSTAIN = -1
"""The vote of a source that says nothing."""
_SUM = 1e-3


class Sentences(msgspec.Struct, frozen=True):
    """Sentences that people rated, as a dataset returns them.

    Attributes:
        texts: n sentences.
        rating: mean rating of each (n,), float32, negative for a bad opinion.
        lexicon: sum of the valences of its words (n,), float32, by a public list of words.
    """

    texts: tuple[str, ...]
    rating: Annotated[torch.Tensor, Array("n", dtype="float32")]
    lexicon: Annotated[torch.Tensor, Array("n", dtype="float32")]


class WordVectors(msgspec.Struct, frozen=True):
    """A vector for each piece of a word, whatever stands around it.

    Attributes:
        vectors: (V, d), float32, in the order of the tokenizer's vocabulary.
        tokenizer: how texts are cut into pieces, as the library tokenizers writes it.
    """

    vectors: Annotated[torch.Tensor, Array("V", "d", dtype="float32")]
    tokenizer: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees: votes, what the rows look like, and what it is told.

    Attributes:
        votes: what each source says of each row (N, m), a class or -1 where it abstains.
        x: inputs (N, D), float32; label models of votes alone do not read them.
        n_classes: C, at least 2.
        names: of the sources, m words.
        class_prior: share of each class (C,), in [0, 1]; only for methods that need
            ``class-prior``.
        dev_labels: true labels of some rows (N,), -1 for the others; only for methods that need
            ``dev-labels``.
    """

    votes: Annotated[torch.Tensor, Array("N", "m", dtype="int64", ge=-1, lt="C")]
    x: Annotated[torch.Tensor, Array("N", "D", dtype="float32")]
    n_classes: Annotated[int, Size("C", least=2)]
    names: tuple[str, ...] = ()
    class_prior: Annotated[torch.Tensor | None, Array("C", dtype="float32", ge=0, le=1)] = None
    dev_labels: Annotated[torch.Tensor | None, Array("N", dtype="int64", ge=-1, lt="C")] = None

    def validate(self) -> None:
        """Refuse votes that say nothing.

        Raises:
            InvalidRun: every source abstains on every row.
        """
        if not bool((self.votes >= 0).any()):
            raise InvalidRun(
                f"all {self.votes.shape[1]} sources abstain on all {len(self.votes)} rows, so that "
                "there is nothing to learn from; add a source that votes"
            )


class Solution(msgspec.Struct, kw_only=True):
    """What a method returns.

    Attributes:
        proba: probability of each class for each row (N, C), in [0, 1], with sum 1.
    """

    proba: Annotated[torch.Tensor, Array("N", "C", dtype="float32", ge=0, le=1)]

    def validate(self, problem: Problem) -> None:
        """Hold the sums against 1.

        Raises:
            InvalidRun: the probabilities of a row do not add up to 1.
        """
        off = (self.proba.sum(1) - 1).abs()
        if float(off.max()) > _SUM:
            row = int(off.argmax())
            raise InvalidRun(
                f"the probabilities of row {row} add up to {float(self.proba[row].sum()):.4g}, and "
                "must add up to 1; divide each row by its sum"
            )


class Panel:
    """The votes of K problems on the device.

    Attributes:
        problems: the K problems.
        runs: their runs.
        votes: (K, N, m), int64.
        marks: 1 where a source votes for a class (K, N, m, C), float64; all 0 where it abstains.
        casts: 1 where a source votes (K, N, m), float64.
        prior: shares of the classes (K, C), float64; those that the problem tells, else the same
            for all.
        classes: C.
    """

    def __init__(self, problems: Sequence[Problem], runs: Sequence[Run]) -> None:
        self.problems, self.runs = list(problems), list(runs)
        device, self.classes = runs[0].device, problems[0].n_classes
        self.votes = torch.stack([one.votes for one in problems]).to(device)
        self.casts = (self.votes >= 0).double()
        self.marks = F.one_hot(self.votes.clamp_min(0), self.classes) * self.casts[..., None]
        told = [
            torch.full((self.classes,), 1 / self.classes, dtype=torch.float64)
            if one.class_prior is None
            else one.class_prior.double().cpu()
            for one in problems
        ]
        self.prior = torch.stack(told).to(device)

    def count(self, passes: int) -> None:
        """Count so many passes over the rows for every member."""
        for run in self.runs:
            run.count(forward=passes * self.votes.shape[1])


class WeakSupervisionMethod(Method, frozen=True, kw_only=True):
    """A label model: from the votes of all seeds at once to probabilities."""

    def labels(self, panel: Panel) -> torch.Tensor:
        """Return probabilities of the classes (K, N, C); each row adds up to 1."""
        raise TypeError(f"{type(self).__name__} has no labels; write them.")

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Label the rows of one problem."""
        return self.solve_stacked([problem], [run])[0]

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Label the rows of several problems of one shape at once."""
        found = self.labels(Panel(problems, runs)).float()
        return [Solution(proba=own) for own in found.unbind()]


def vote_shares(panel: Panel) -> torch.Tensor:
    """Return the share of each class among the votes of a row (K, N, C), the same for all classes
    where nobody votes.
    """
    counts = panel.marks.sum(2)
    total = counts.sum(-1, keepdim=True)
    even = torch.full_like(counts, 1 / panel.classes)
    return torch.where(total > 0, counts / total.clamp_min(1), even)


def alternate(
    panel: Panel,
    step: Callable[[torch.Tensor], torch.Tensor],
    rounds: int,
    tolerance: float,
) -> torch.Tensor:
    """Return the probabilities (K, N, C) that a step no longer moves, from the shares of the votes
    on; a member that has settled stays as it is while others go on.

    Args:
        panel: the votes.
        step: from probabilities to those of the next round, both (K, N, C).
        rounds: most rounds.
        tolerance: largest change of a probability, in [0, 1], of a member that has settled.
    """
    q = vote_shares(panel)
    active = torch.ones(len(q), 1, 1, dtype=torch.bool, device=q.device)
    spent = torch.zeros(len(q), dtype=torch.int64, device=q.device)
    for _ in range(rounds):
        spent += active[:, 0, 0]
        new = torch.where(active, step(q), q)
        active = active & ((new - q).abs().amax((1, 2), keepdim=True) > tolerance)
        q = new
        if not bool(active.any()):
            break
    for run, passes in zip(panel.runs, spent.tolist(), strict=True):
        run.count(forward=passes * q.shape[1])
        run.log(passes, rounds=passes)
    return q


def posterior(panel: Panel, log_likelihood: torch.Tensor) -> torch.Tensor:
    """Return the probabilities of the classes (K, N, C) by Bayes' rule, sources independent given
    the class.

    Args:
        panel: the votes.
        log_likelihood: of each vote of each source under each class (K, m, v, C), the logarithm of
            its probability; v counts the C classes, or these and abstaining as the last.
    """
    marks = panel.marks
    if log_likelihood.shape[2] > panel.classes:
        marks = torch.cat([marks, 1 - panel.casts[..., None]], -1)
    z = marks.flatten(2) @ log_likelihood.flatten(1, 2)
    return (z + panel.prior.clamp_min(1e-300).log()[:, None]).softmax(-1)
