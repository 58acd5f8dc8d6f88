"""Our selectors beside the public package of arXiv:2203.09410.

``BENCH_BMDAL=FOLDER python -m pytest -m slow tests/methods/active_learning/test_against_bmdal.py``
takes the package from a checkout of github.com/dholzmueller/bmdal_reg; nothing of it is copied.
"""

from __future__ import annotations

import importlib
import os
import sys
import time

import numpy as np
import pytest
import torch
from bench.builtin.methods.active_learning.bmdal import largest_cluster, max_det, max_dist

FOLDER = os.environ.get("BENCH_BMDAL")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER, reason="BENCH_BMDAL names no checkout of bmdal_reg"),
]


@pytest.fixture
def official(monkeypatch):
    """The package's selection, with the name that NumPy 2 has no longer."""
    monkeypatch.setattr(np, "Inf", np.inf, raising=False)
    monkeypatch.setattr(sys, "path", [FOLDER, *sys.path])
    parts = {
        name: importlib.import_module(f"bmdal_reg.bmdal.{name}")
        for name in ("selection", "features", "feature_maps", "feature_data")
    }

    def select(kind, pool, train, count, **options):
        def features(x):
            wrapped = parts["feature_data"].TensorFeatureData(x)
            return parts["features"].Features(
                parts["feature_maps"].IdentityFeatureMap(n_features=x.shape[1]), wrapped
            )

        made = getattr(parts["selection"], kind)(
            features(pool), features(train), sel_with_train=True, verbosity=0, **options
        )
        return made.select(count).tolist()

    return select


@pytest.mark.parametrize("seed", range(5))
def test_the_same_forty_rows_are_chosen_as_by_the_public_package(official, seed):
    drawn = np.random.default_rng(seed)
    x = torch.from_numpy(drawn.standard_normal((800, 12)))
    train, pool = x[:50], x[50:]
    lcmd = official("LargestClusterMaxDistSelectionMethod", pool, train, 40)
    assert largest_cluster(pool, train, 40).tolist() == lcmd
    assert max_dist(pool, train, 40).tolist() == official("MaxDistSelectionMethod", pool, train, 40)
    assert max_det(pool, train, 40, 0.1).tolist() == official(
        "MaxDetSelectionMethod", pool, train, 40, noise_sigma=0.1
    )


def test_the_largest_cluster_is_twice_as_fast_as_in_the_public_package(official):
    drawn = np.random.default_rng(0)
    x = torch.from_numpy(drawn.standard_normal((4000, 128))).float()
    train, pool = x[:300], x[300:]
    took = {"ours": [], "theirs": []}
    for _ in range(5):
        for name, call in (
            ("ours", lambda: largest_cluster(pool, train, 40)),
            (
                "theirs",
                lambda: official("LargestClusterMaxDistSelectionMethod", pool, train, 40),
            ),
        ):
            start = time.process_time()
            call()
            took[name].append(time.process_time() - start)
    assert np.median(took["theirs"]) >= 2 * np.median(took["ours"])
