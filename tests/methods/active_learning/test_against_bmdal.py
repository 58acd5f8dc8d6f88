"""Our selectors beside the public package of arXiv:2203.09410, where ``BENCH_BMDAL`` names a checkout
of it (``against_bmdal.py`` says which).
"""

import os
import sys

import numpy as np
import pytest
from against_bmdal import DRAWS, SELECTORS, ours, public


@pytest.mark.slow
@pytest.mark.parametrize("name", SELECTORS)
def test_the_same_forty_rows_are_chosen_as_by_the_public_package(name, monkeypatch):
    folder = os.environ.get("BENCH_BMDAL")
    if not folder:
        pytest.skip("BENCH_BMDAL names no checkout of bmdal_reg")
    monkeypatch.setattr(sys, "path", [*sys.path, folder])
    monkeypatch.setattr(np, "Inf", np.inf, raising=False)
    for seed in DRAWS:
        assert ours(name, seed) == public(name, seed)
