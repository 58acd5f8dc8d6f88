"""Clusters of activations (arXiv:1811.03728)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import torch

from bench import Meta, MethodCard, Run
from bench.tracks.poisoning import PoisoningMethod, Problem, features, first_pass, without


class ActivationClusters(PoisoningMethod):
    """Train, part each class's features into two clusters, leave out small ones, and train anew."""

    card: ClassVar = MethodCard(
        name="activation-clusters",
        title="Clusters of activations",
        track="poisoning",
        paper="arXiv:1811.03728",
        bibtex="""@inproceedings{chen2019detecting,
  title = {Detecting Backdoor Attacks on Deep Neural Networks by Activation Clustering},
  author = {Chen, Bryant and Carvalho, Wilka and Baracaldo, Nathalie and Ludwig, Heiko and Edwards,
    Benjamin and Lee, Taesung and Molloy, Ian and Srivastava, Biplav},
  booktitle = {SafeAI at AAAI},
  year = {2019},
  eprint = {1811.03728},
  archivePrefix = {arXiv}
}""",
        claim="Activations of poisoned rows form a separate cluster in the target class, which "
        "identifies them almost without error.",
        deviates="Ten principal components stand for the paper's ten independent ones, and a "
        "cluster is left out by its size alone, not by a look at a new net's answers.",
        signal="features",
        libraries=("sklearn",),
        defaults_from="here",
    )
    components: Annotated[int, Meta(ge=1)] = 10
    """Principal components of a class's features."""
    small: Annotated[float, Meta(ge=0, le=0.5)] = 0.35
    """Share of a class below which its smaller cluster is left out."""

    def solve(self, problem: Problem, run: Run) -> Any:
        """Train twice."""
        seeds = first_pass(self, [problem], [run])
        generator = run.numpy_generator("method", "clusters")
        sizes = self.sizes(
            features(seeds)[0].double().cpu().numpy(), problem.y.cpu().numpy(), generator
        )
        suspect = torch.from_numpy(1 - sizes).to(seeds.device)[None]
        return without(self, seeds, suspect, float((sizes < self.small).mean()))[0]

    def sizes(self, found: np.ndarray, y: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Return for each row of features (N, D) with labels (N,) the share of its class that its
        cluster holds (N,).
        """
        from sklearn.cluster import KMeans
        from sklearn.decomposition import PCA

        shares = np.ones(len(y))
        for label in np.unique(y):
            rows = np.flatnonzero(y == label)
            seed = int(generator.integers(2**31))
            if len(rows) < 3 or np.ptp(found[rows], axis=0).max() == 0:
                continue
            count = min(self.components, len(rows), found.shape[1])
            reduced = PCA(count, svd_solver="full").fit_transform(found[rows])
            cluster = KMeans(2, n_init=10, random_state=seed).fit_predict(reduced)
            shares[rows] = np.bincount(cluster, minlength=2)[cluster] / len(rows)
        return shares
