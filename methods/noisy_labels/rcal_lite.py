"""Representation calibration for noisy labels on long-tailed data
(arXiv:2211.10955), on fixed representations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
import numpy as np
import torch

from bench import Meta, MethodCard, Run
from bench.tracks.noisy_labels import NoisyLabelMethod, Problem, Solution


class RepresentationCalibrationLite(NoisyLabelMethod):
    """Fit a Gaussian to the inliers of each label, lend the tail the
    head's shape, and fill small classes up with draws from it.
    """

    card: ClassVar = MethodCard(
        name="rcal-lite",
        title="Representation calibration on fixed representations",
        track="noisy-labels",
        paper="arXiv:2211.10955",
        bibtex="""@inproceedings{zhang2023noisy,
  title = {When Noisy Labels Meet Long Tail Dilemmas: A Representation Calibration Method},
  author = {Zhang, Manyi and Zhao, Xuyang and Yao, Jun and Yuan, Chun and Huang, Weiran},
  booktitle = {ICCV},
  year = {2023},
  eprint = {2211.10955},
  archivePrefix = {arXiv}
}""",
        claim="On long-tailed data with wrong labels, classes recovered as Gaussians and "
        "refilled from them beat methods made for either trouble alone.",
        official_code="none",
        deviates=(
            "An approximation. The representation is the input's leading principal components, "
            "where the paper learns one by contrast; draws are mapped back to inputs, and the "
            "terms that tie a learned representation to the contrastive one, mixup among them, are "
            "left out. How the paper weighs the head classes that a tail class borrows from could "
            "not be read: here each weighs the same."
        ),
        libraries=("sklearn",),
        defaults_from="here",
        trials=None,
        tuning={"share": (0.25, 0.5, 0.75), "borrow": (1, 3, 5)},
    )
    components: Annotated[int, Meta(ge=1)] = 64
    """Principal components at most."""
    outliers: Annotated[int, Meta(ge=1)] = 20
    """Neighbours by which the local outlier factor judges a row among the rows of its label."""
    borrow: Annotated[int, Meta(ge=0)] = 3
    """Head classes, the nearest by their means, that a tail class takes statistics from."""
    share: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """Weight of what is borrowed."""

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Solve one by one: each seed fills its classes up to a size of its own."""
        return [self.solve(problem, run) for problem, run in zip(problems, runs, strict=True)]

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Train on the inliers and the draws for as many visits of rows as the task allows."""
        x = problem.x.flatten(1).double().cpu().numpy()
        given = problem.y.cpu().numpy()
        centre = x.mean(0)
        # (d', d), the widest first
        axes = np.linalg.eigh((x - centre).T @ (x - centre))[1].T[::-1][: self.components]
        z = (x - centre) @ axes.T
        inlier = self._inliers(z, given, problem.n_classes)
        means, covariances = self._statistics(z[inlier], given[inlier], problem.n_classes)
        drawn, labels = _fill(means, covariances, given, run.numpy_generator("method", "draws"))
        virtual = (
            torch.from_numpy(drawn @ axes + centre).to(problem.x).view(-1, *problem.x.shape[1:])
        )
        kept = torch.from_numpy(inlier).to(problem.y.device)
        pool = msgspec.structs.replace(
            problem,
            x=torch.cat([problem.x[kept], virtual]),
            y=torch.cat([problem.y[kept], torch.from_numpy(labels).to(problem.y)]),
        )
        epochs = max(1, round(problem.epochs * len(problem.y) / len(pool.y)))
        solution = NoisyLabelMethod().solve(msgspec.structs.replace(pool, epochs=epochs), run)
        return msgspec.structs.replace(solution, kept=kept)

    def _inliers(self, z: np.ndarray, given: np.ndarray, classes: int) -> np.ndarray:
        """Return which rows the local outlier factor does not mark among the rows of their label
        (N,); it marks none of fewer than three.
        """
        from sklearn.neighbors import LocalOutlierFactor

        inlier = np.ones(len(given), dtype=bool)
        for c in range(classes):
            rows = np.flatnonzero(given == c)
            if len(rows) > 2:
                inlier[rows] = (
                    LocalOutlierFactor(n_neighbors=min(self.outliers, len(rows) - 1)).fit_predict(
                        z[rows]
                    )
                    == 1
                )
        return inlier

    def _statistics(
        self, z: np.ndarray, given: np.ndarray, classes: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean (C, d) and the covariance (C, d, d) of every class, shrunk, those of the
        smaller half of the classes blended with the head's.
        """
        from sklearn.covariance import ledoit_wolf

        sizes = np.bincount(given, minlength=classes)
        everyone = ledoit_wolf(z)[0]
        means = np.stack([z[given == c].mean(0) if sizes[c] else z.mean(0) for c in range(classes)])
        covariances = np.stack(
            [ledoit_wolf(z[given == c])[0] if sizes[c] > 1 else everyone for c in range(classes)]
        )
        order = np.argsort(-sizes, kind="stable")
        head, tail = order[: math.ceil(classes / 2)], order[math.ceil(classes / 2) :]
        calibrated_means, calibrated = means.copy(), covariances.copy()
        for c in tail if self.borrow else []:
            near = head[np.argsort(((means[head] - means[c]) ** 2).sum(1), kind="stable")][
                : self.borrow
            ]
            calibrated_means[c] = (1 - self.share) * means[c] + self.share * means[near].mean(0)
            calibrated[c] = (1 - self.share) * covariances[c] + self.share * covariances[near].mean(
                0
            )
        return calibrated_means, calibrated


def _fill(
    means: np.ndarray, covariances: np.ndarray, given: np.ndarray, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return draws that bring every class that has a row up to the size of
    the largest (n, d), and their labels (n,).
    """
    sizes = np.bincount(given, minlength=len(means))
    missing = np.where(sizes > 0, sizes.max() - sizes, 0)
    labels = np.repeat(np.arange(len(means)), missing)
    roots = np.linalg.cholesky(covariances + 1e-9 * np.eye(means.shape[1]))
    noise = generator.standard_normal((len(labels), means.shape[1]))
    return means[labels] + np.einsum("nij,nj->ni", roots[labels], noise), labels
