"""Confident learning (arXiv:1911.00068): find label errors, train on the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import Meta, MethodCard, Run
from bench.tracks.noisy_labels import NoisyLabelMethod, Problem, Seeds, Solution, train


class ConfidentLearningPruning(NoisyLabelMethod):
    """Judge every row by its neighbours in other folds, drop what
    confident learning flags, train on the rest by cross entropy.
    """

    card: ClassVar = MethodCard(
        name="cl-prune",
        title="Confident learning, pruning",
        track="noisy-labels",
        paper="arXiv:1911.00068",
        bibtex="""@article{northcutt2021confident,
  title = {Confident Learning: Estimating Uncertainty in Dataset Labels},
  author = {Northcutt, Curtis G. and Jiang, Lu and Chuang, Isaac L.},
  journal = {Journal of Artificial Intelligence Research},
  volume = {70},
  year = {2021},
  eprint = {1911.00068},
  archivePrefix = {arXiv}
}""",
        claim="Training without the rows that confident learning flags beats training on all of "
        "them, most of all under asymmetric noise.",
        official_code="ok",
        deviates="Probabilities come from the votes of nearest neighbours on the inputs instead of "
        "cross-validated nets; flagging is cleanlab's own.",
        libraries=("cleanlab", "sklearn"),
        defaults_from="here",
        trials=None,
        tuning={"neighbours": (5, 10, 20, 40), "rule": ("prune_by_noise_rate", "both")},
    )
    neighbours: Annotated[int, Meta(ge=1)] = 20
    """Rows of other folds that vote on a row."""
    folds: Annotated[int, Meta(ge=2)] = 5
    """Parts of the cross-validation."""
    rule: Literal[
        "prune_by_noise_rate", "prune_by_class", "both", "confident_learning", "predicted_neq_given"
    ] = "prune_by_noise_rate"
    """Cleanlab's ``filter_by``."""

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Solve one by one: each seed keeps a number of rows of its own."""
        return [self.solve(problem, run) for problem, run in zip(problems, runs, strict=True)]

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Flag, then train on what is left."""
        from cleanlab.filter import find_label_issues

        given = problem.y.cpu().numpy()
        votes = self._votes(
            problem.x.flatten(1).cpu().numpy(),
            given,
            problem.n_classes,
            run.numpy_generator("method", "folds"),
        )
        flagged = find_label_issues(given, votes, filter_by=self.rule, n_jobs=1)
        kept = torch.from_numpy(~flagged).to(run.device)
        seeds = Seeds([problem], [run])
        seeds = seeds.part(kept.nonzero().view(1, -1)) if flagged.any() else seeds
        seeds.nets = seeds.build()
        train(self, seeds, None)
        score = torch.from_numpy(votes[np.arange(len(given)), given]).to(run.device)
        return msgspec.structs.replace(self.solutions(None, seeds)[0], kept=kept, clean_score=score)

    def _votes(
        self, x: np.ndarray, given: np.ndarray, classes: int, generator: np.random.Generator
    ) -> np.ndarray:
        """Return the share of a row's neighbours in other folds that have each label, (N, C); each
        label is spread evenly over the folds.
        """
        from sklearn.neighbors import NearestNeighbors

        fold = np.empty(len(given), dtype=np.int64)
        order = generator.permutation(len(given))
        fold[order[np.argsort(given[order], kind="stable")]] = np.arange(len(given)) % self.folds
        votes = np.zeros((len(given), classes))
        for part in range(self.folds):
            inside, outside = np.flatnonzero(fold == part), np.flatnonzero(fold != part)
            if len(inside) and len(outside):
                near = (
                    NearestNeighbors(n_neighbors=min(self.neighbours, len(outside)))
                    .fit(x[outside])
                    .kneighbors(x[inside], return_distance=False)
                )
                for c in range(classes):
                    votes[inside, c] = (given[outside][near] == c).mean(1)
        return votes
