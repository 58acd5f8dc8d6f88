"""Our risks beside the public code of arXiv:1703.00593: figures that it gave, and, where
``BENCH_NNPU`` names a checkout of it and ``BENCH_CHAINER`` the Python of an environment with the
library that it is written for, the code itself (``against_nnpu.py`` says which).
"""

import json
import os
import subprocess
from pathlib import Path

import against_nnpu
import numpy as np
import pytest
import torch
from against_nnpu import KNOWN, OTHERS, PRIOR, cases, scores
from bench.builtin.methods.positive_unlabeled.nnpu import NonNegativeRisk
from bench.builtin.methods.positive_unlabeled.upu import UnbiasedRisk

from bench.tracks.positive_unlabeled import Batch

GAVE = {
    (0, "sigmoid", True, 0.0, 1.0): (0.3871061, -0.1286869, 0.2048171),
    (4, "sigmoid", True, 0.0, 1.0): (0.0128996, 0.0122205, -0.0040665),
    (4, "sigmoid", True, 0.02, 0.5): (-0.0071004, 0.0061103, -0.0020332),
    (0, "logistic", False, 0.0, 1.0): (0.5039651, -0.4, 0.550142),
    (4, "logistic", False, 0.0, 1.0): (-1.4788953, -0.4, 0.0041064),
}
"""Case -> what the public code says: the loss, and the sums of its gradient over the known rows and
over the others.
"""


def ours(seed, kind, nnpu, beta, gamma):
    """Return what a step descends, its gradient (26,), and the negative part of the risk."""
    known, others = (
        torch.from_numpy(part).double()[None, :, None].requires_grad_() for part in scores(seed)
    )
    rows = torch.arange(OTHERS)[None]
    s, s_known = torch.zeros(1, OTHERS, 1).double(), torch.ones(1, KNOWN, 1).double()
    batch = Batch(0, rows, rows[:, :KNOWN], torch.zeros(1, KNOWN + OTHERS, 1).double(), s, s_known)
    prior = torch.full((1, 1), PRIOR).double()
    method = NonNegativeRisk(loss=kind, beta=beta, gamma=gamma)
    if not nnpu:
        # the unbiased risk is the other one that is never below its bound
        method = UnbiasedRisk() if kind == "logistic" else NonNegativeRisk(loss=kind, beta=1e6)
    risk = method.risk(prior, batch, others, known)
    risk.sum().backward()
    negative = torch.sigmoid if kind == "sigmoid" else torch.nn.functional.softplus
    rest = float((negative(others).mean() - PRIOR * negative(known).mean()).detach())
    slope = torch.cat([known.grad.flatten(), others.grad.flatten()]).numpy()
    return float(risk.detach()), slope, rest


def steps_back(case, rest):
    """Return whether the step climbs the negative part: theirs then says another loss than what it
    follows.
    """
    return case[2] and rest < -case[3]


@pytest.mark.parametrize("case", GAVE, ids=str)
def test_the_risk_of_known_positives_gives_the_figures_of_the_public_code(case):
    loss, slope, rest = ours(*case)
    said, known, others = GAVE[case]
    assert (slope[:KNOWN].sum(), slope[KNOWN:].sum()) == pytest.approx((known, others), abs=1e-6)
    if not steps_back(case, rest):
        assert loss == pytest.approx(said, abs=1e-6)


@pytest.mark.slow
def test_the_risk_and_its_gradient_are_those_of_the_public_code():
    folder, python = (os.environ.get(name) for name in ("BENCH_NNPU", "BENCH_CHAINER"))
    if not folder or not python:
        pytest.skip("BENCH_NNPU and BENCH_CHAINER name no public code and no Python that runs it")
    done = subprocess.run(
        [python, str(Path(against_nnpu.__file__)), folder],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    back = 0
    for case, theirs in zip(cases(), json.loads(done.stdout), strict=True):
        loss, slope, rest = ours(*case)
        np.testing.assert_allclose(slope, theirs["slope"], rtol=0, atol=1e-6, err_msg=str(case))
        back += steps_back(case, rest)
        if not steps_back(case, rest):
            assert loss == pytest.approx(theirs["loss"], abs=1e-6), case
    assert 0 < back < len(cases()) / 2
