"""Beta Shapley (arXiv:2110.14049)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.data_valuation_sampling import beta_weights

from ._permutations import PermutationMethod


class BetaShapley(PermutationMethod):
    """The mean gain of a row over random orders, early places weighing more."""

    card: ClassVar = MethodCard(
        name="beta-shapley",
        title="Beta Shapley",
        track="data-valuation",
        paper="arXiv:2110.14049",
        bibtex="""@inproceedings{kwon2022beta,
  title = {Beta Shapley: a Unified and Noise-reduced Data Valuation Framework for Machine Learning},
  author = {Kwon, Yongchan and Zou, James},
  booktitle = {AISTATS},
  year = {2022},
  eprint = {2110.14049},
  archivePrefix = {arXiv}
}""",
        claim="Weighing gains on small sets more than the Shapley value does finds wrong labels "
        "better.",
        deviates="A fixed number of orders instead of the Gelman-Rubin test of convergence.",
        signal="utility",
        needs=("utility",),
        defaults_from="paper",
    )
    alpha: Annotated[float, Meta(ge=1e-6, le=1e6)] = 16.0
    """The larger, the more the first places weigh."""
    beta: Annotated[float, Meta(ge=1e-6, le=1e6)] = 1.0
    """The larger, the more the last places weigh."""

    def weights(self, n: int) -> torch.Tensor:
        """Return the weight of what is added at each place of an order, (n,)."""
        return beta_weights(n, self.alpha, self.beta)

    def estimates(self) -> str | None:
        """Return the semivalue whose estimate this is; the track's ``beta`` is beta(16, 1)."""
        known = {(16.0, 1.0): "beta", (1.0, 1.0): "shapley"}
        return known.get((self.alpha, self.beta))
