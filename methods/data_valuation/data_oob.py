"""Data-OOB: what the trees say of a row that they did not see (arXiv:2304.07718)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import torch

from bench import Meta, Method, MethodCard, Run

from ._uses import TRACKS, used


class OutOfBag(Method):
    """The share of bootstrapped trees without a row that are right about it; no validation row is
    looked at.
    """

    card: ClassVar = MethodCard(
        name="data-oob",
        title="Data-OOB",
        track=TRACKS,
        paper="arXiv:2304.07718",
        bibtex="""@inproceedings{kwon2023data,
  title = {Data-OOB: Out-of-bag Estimate as a Simple and Efficient Data Value},
  author = {Kwon, Yongchan and Zou, James},
  booktitle = {ICML},
  year = {2023},
  eprint = {2304.07718},
  archivePrefix = {arXiv}
}""",
        claim="The out-of-bag estimate of a row finds wrong labels better than values by marginal "
        "gains, for the price of one forest.",
        deviates="500 trees instead of 800. A row that no tree left out has the median value. For "
        "numbers the value is minus the mean squared error, and each split looks at the square "
        "root of the number of columns, where the authors' code looks at all.",
        signal="oob",
        libraries=("sklearn",),
        defaults_from="here",
    )
    trees: Annotated[int, Meta(ge=2)] = 500
    """Trees, each on a bootstrap sample."""

    def solve(self, problem: Any, run: Run) -> Any:
        """Grow the trees."""
        trees = min(self.trees, getattr(problem, "max_fits", None) or self.trees)
        seed = int(run.numpy_generator("method").integers(2**31))
        x = problem.x.flatten(1).cpu().numpy().astype(np.float32)
        y = problem.y.cpu().numpy()
        forest = _forest(bool(problem.n_classes), trees, seed).fit(x, y)
        run.count(forward=len(y) * trees)
        right, out = np.zeros((2, len(y))), np.zeros((2, len(y)))
        for place, (tree, seen) in enumerate(
            zip(forest.estimators_, forest.estimators_samples_, strict=True)
        ):
            away = np.setdiff1d(np.arange(len(y)), seen)
            if not len(away):
                continue
            said = tree.tree_.predict(x[away])
            half = place % 2
            if problem.n_classes:
                labels = forest.classes_[said.reshape(len(away), -1).argmax(1)]
                right[half, away] += labels == y[away]
            else:
                right[half, away] -= (said.reshape(-1) - y[away]) ** 2
            out[half, away] += 1
        value = _shares(right.sum(0), out.sum(0))
        halves = np.stack([_shares(*pair) for pair in zip(right, out, strict=True)])
        device = problem.y.device
        return used(
            torch.from_numpy(value).to(device),
            problem,
            run,
            halves=torch.from_numpy(halves).to(device),
            n_fits=trees,
        )


def _forest(classes: bool, trees: int, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    kind = RandomForestClassifier if classes else RandomForestRegressor
    return kind(trees, max_features="sqrt", random_state=seed)


def _shares(right: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Return sums over counts; the median of the others where nothing was counted."""
    found = right / np.maximum(out, 1)
    if (out > 0).any():
        found[out == 0] = np.median(found[out > 0])
    return found
