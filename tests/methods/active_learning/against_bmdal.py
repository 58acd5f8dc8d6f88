"""Compare our selectors with those of the public package of arXiv:2203.09410 on the same features.

``python tests/methods/active_learning/against_bmdal.py FOLDER`` prints for each selector and draw how
many of 40 rows are the same. FOLDER is a checkout of github.com/dholzmueller/bmdal_reg; nothing of it
is copied. How long both take is compared by ``tests/speed/against_official.py --only lcmd``.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import torch
from bench.builtin.methods.active_learning.bmdal import largest_cluster, max_det, max_dist

COUNT = 40
DRAWS = range(5)
SELECTORS = {
    "lcmd": (largest_cluster, "LargestClusterMaxDistSelectionMethod", {}),
    "maxdist": (max_dist, "MaxDistSelectionMethod", {}),
    "maxdet": (lambda *all_: max_det(*all_, 0.1), "MaxDetSelectionMethod", {"noise_sigma": 0.1}),
}
"""Name -> ours, the class of the public package, and its options."""


def features(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return features of open rows (750, 12) and of known rows (50, 12)."""
    x = torch.from_numpy(np.random.default_rng(seed).standard_normal((800, 12)))
    return x[50:], x[:50]


def ours(name: str, seed: int) -> list[int]:
    """Return the places that our selector chooses."""
    return SELECTORS[name][0](*features(seed), COUNT).tolist()


def public(name: str, seed: int) -> list[int]:
    """Return the places that the class of the public package chooses."""
    np.Inf = np.inf  # NumPy 2 has the name no longer
    module = importlib.import_module("bmdal_reg.bmdal.selection")

    def wrapped(x: torch.Tensor):
        flat = module.IdentityFeatureMap(n_features=x.shape[1])
        return module.Features(flat, module.TensorFeatureData(x))

    _, kind, options = SELECTORS[name]
    pool, train = map(wrapped, features(seed))
    made = getattr(module, kind)(pool, train, sel_with_train=True, verbosity=0, **options)
    return made.select(COUNT).tolist()


def main() -> None:
    """Print how many rows are the same."""
    if len(sys.argv) != 2 or not Path(sys.argv[1], "bmdal_reg", "bmdal").is_dir():
        sys.exit(
            "against_bmdal: name a checkout of github.com/dholzmueller/bmdal_reg, the folder that "
            "holds the package bmdal_reg."
        )
    sys.path.append(sys.argv[1])
    for name in SELECTORS:
        for seed in DRAWS:
            same = sum(a == b for a, b in zip(ours(name, seed), public(name, seed), strict=True))
            sys.stdout.write(f"{name}, draw {seed}: {same} of {COUNT} rows are the same\n")


if __name__ == "__main__":
    main()
