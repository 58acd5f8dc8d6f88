"""APGD against the public code of its authors, where ``BENCH_AUTOATTACK`` names a checkout of
fra31/auto-attack (commit a392200).

``BENCH_AUTOATTACK=FOLDER python -m pytest -m slow tests/training/test_against_autoattack.py``
"""

import importlib
import os
import sys
import types
from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from bench.training.attacks import (
    Ball,
    apgd,
    cross_entropy,
    dlr,
    fgsm,
    frozen,
    targeted,
    wrong,
)

pytestmark = [
    pytest.mark.slow,
    # the authors' code warns where the loss of a row is flat
    pytest.mark.filterwarnings("ignore:there are .* points with zero gradient"),
]
TRAIN, STEPS, CLASSES = 797, 50, 4
BALL = Ball(eps=0.1)


@pytest.fixture(scope="module")
def public():
    """The module of the authors' attack; their package imports one that is not needed here."""
    folder = os.environ.get("BENCH_AUTOATTACK")
    if not folder:
        pytest.skip("BENCH_AUTOATTACK names no checkout of fra31/auto-attack")
    stub = types.ModuleType("autoattack")
    stub.__path__ = [str(Path(folder) / "autoattack")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "autoattack", stub)
        yield importlib.import_module("autoattack.autopgd_base")


@pytest.fixture(scope="module")
def rows():
    """A thousand digits in [0, 1] that no net was trained on, and their classes."""
    x, y = (torch.from_numpy(part) for part in load_digits(return_X_y=True))
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    return (x[order] / 16).float(), y[order]


@pytest.fixture(scope="module", params=["plain", "trained on FGSM"])
def net(request, rows):
    x, y = (part[:TRAIN] for part in rows)
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
    )
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(30):
        for batch in torch.randperm(TRAIN).split(64):
            seen, given = x[batch], y[batch]
            if request.param != "plain":
                seen = fgsm(net, cross_entropy(given), seen, BALL, lead=1)
            optimiser.zero_grad()
            F.cross_entropy(net(seen), given).backward()
            optimiser.step()
    with frozen(net):
        yield net


def robust(net, points, y):
    """Return the share of rows in percent that are right on their clean and their attacked form."""
    with torch.no_grad():
        return 100 * float((~wrong(net(points), y)).double().mean())


@pytest.fixture(scope="module")
def start(rows):
    """Where both searches begin: as far from each row as the ball allows."""
    x = rows[0][TRAIN:]
    noise = 2 * torch.rand(x.shape, generator=torch.Generator().manual_seed(1)) - 1
    return (x + BALL.eps * noise / noise.abs().amax(1, keepdim=True)).clamp(0, 1)


@pytest.mark.parametrize(("name", "loss"), [("ce", cross_entropy), ("dlr", dlr)])
def test_from_the_same_points_the_search_breaks_the_rows_that_the_authors_search_breaks(
    public, rows, net, start, name, loss
):
    x, y = (part[TRAIN:] for part in rows)
    theirs = public.APGDAttack(net, n_iter=STEPS, eps=BALL.eps, loss=name, device="cpu")
    theirs.init_hyperparam(x)
    right = theirs.attack_single_run(x, y, x_init=start)[1].bool()
    found = apgd(net, loss(y), x, BALL, steps=STEPS, lead=1, start=start, labels=y)
    assert 5 < robust(net, found, y) < 95
    assert robust(net, found, y) == pytest.approx(100 * float(right.double().mean()), abs=0.5)
    assert float((wrong(net(found), y) == right).double().mean()) < 0.01  # row by row


def test_towards_the_same_number_of_classes_the_share_of_rows_that_stay_right_is_the_authors(
    public, rows, net, start
):
    x, y = (part[TRAIN:] for part in rows)
    theirs = public.APGDAttack_targeted(
        net, n_iter=STEPS, eps=BALL.eps, n_target_classes=CLASSES, device="cpu"
    )
    theirs = robust(net, theirs.perturb(x, y), y)
    found = targeted(net, x, y, BALL, steps=STEPS, classes=CLASSES, start=start)
    broken = wrong(net(x), y) | wrong(net(found), y)
    assert 100 * float((~broken).double().mean()) == pytest.approx(theirs, abs=1.0)
