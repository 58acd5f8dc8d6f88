"""The loops of active learning, on features of the last layer."""

from __future__ import annotations

import numpy as np
import torch
from bench.builtin.methods.active_learning.bmdal import largest_cluster, max_dist

from official_loops.checkouts import Checkout
from official_loops.pairs import Pair, loop

KNOWN, COUNT = 300, 40


@loop("lcmd", "active-learning", "bmdal",
      "bmdal_reg.bmdal.selection.LargestClusterMaxDistSelectionMethod.select",
      ours=largest_cluster)  # fmt: skip
@loop("maxdist", "active-learning", "bmdal",
      "bmdal_reg.bmdal.selection.MaxDistSelectionMethod.select",
      ours=max_dist)  # fmt: skip
def selector(official: Checkout, ours) -> Pair:
    np.Inf = np.inf  # NumPy 2 has the name no longer
    module = official.load("bmdal_reg.bmdal.selection")
    kind = {
        largest_cluster: module.LargestClusterMaxDistSelectionMethod,
        max_dist: module.MaxDistSelectionMethod,
    }[ours]
    x = torch.randn(4000, 128, generator=torch.Generator().manual_seed(0))
    train, pool = x[:KNOWN], x[KNOWN:]

    def theirs():
        both = [
            module.Features(
                module.IdentityFeatureMap(n_features=part.shape[1]), module.TensorFeatureData(part)
            )
            for part in (pool, train)
        ]
        return kind(*both, sel_with_train=True, verbosity=0).select(COUNT)

    return Pair(lambda: ours(pool, train, COUNT), theirs, "rows selected", 0.0)
