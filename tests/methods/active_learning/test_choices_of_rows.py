"""Scores, kernels and penalties behind a choice of rows, against loops over rows."""

import copy
import math
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from active_small import active_run, blobs
from bench.builtin.methods.active_learning import bmdal
from bench.builtin.methods.active_learning.bmdal import Bmdal, frank_wolfe, posterior
from bench.builtin.methods.active_learning.cal_distill import CalDistill
from bench.builtin.methods.active_learning.entropy import Entropy
from bench.builtin.methods.active_learning.margin import Margin
from bench.builtin.methods.active_learning.power_bald import PowerBald

from bench.tracks.active_learning import Session, View, risk
from bench.training import optimisers


@pytest.fixture
def view(tmp_path):
    """What one member may look at after a training."""
    problem, made_ledger = blobs(rows=40)
    session = Session([problem], [active_run(tmp_path)])
    session.nets = session.fit(session.known, session.y, risk(problem))
    made = View(session, 0)
    made.ledger = made_ledger
    return made


def least(view, score):
    """Return the open rows of the least ``score(p)``, p the probabilities of one row."""
    found = {}
    for row in view.open.tolist():
        with torch.no_grad():
            z = [math.exp(float(value)) for value in view.net(view.problem.x[row][None])[0]]
        found[row] = score([value / sum(z) for value in z])
    return sorted(found, key=found.get)[: view.count]


def test_the_rows_of_the_smallest_margin_are_those_of_a_loop_over_rows(view):
    wanted = least(view, lambda p: sorted(p)[-1] - sorted(p)[-2])
    assert Margin().ask(None, view).tolist() == wanted


def test_the_rows_of_the_highest_entropy_are_those_of_a_loop_over_rows(view):
    wanted = least(view, lambda p: sum(value * math.log(value) for value in p))
    assert Entropy().ask(None, view).tolist() == wanted


@pytest.mark.parametrize("power", [1.0, 2.5])
def test_disagreement_draws_rows_one_by_one_in_proportion_to_its_power(power):
    # masks that say one class each, more or less surely
    sure = torch.tensor([0.55, 0.7, 0.8, 0.97])
    p = torch.stack([torch.stack([sure, 1 - sure], 1), torch.stack([1 - sure, sure], 1)])
    weight = [
        (math.log(2) + a * math.log(a) + (1 - a) * math.log(1 - a)) ** power for a in sure.tolist()
    ]
    drawn = torch.Generator().manual_seed(0)
    view = SimpleNamespace(
        dropped=lambda masks: p,
        generator=lambda name: drawn,
        highest=lambda scores: scores.argsort(descending=True)[:2],
    )
    draws = 4000
    counts = Counter(tuple(PowerBald(power=power).ask(None, view).tolist()) for _ in range(draws))
    for one in range(4):
        for two in range(4):
            share = 0.0
            if one != two:
                share = weight[one] / sum(weight) * weight[two] / (sum(weight) - weight[one])
            error = (share * (1 - share) / draws) ** 0.5
            assert counts[one, two] / draws == pytest.approx(share, abs=4 * error + 1e-9)


@pytest.mark.parametrize("transform", ["none", "scale", "posterior"])
def test_the_kernel_is_one_on_average_over_known_rows_before_it_is_conditioned(
    view, transform, monkeypatch
):
    read = []
    monkeypatch.setitem(
        bmdal._SELECTORS,
        "maxdiag",
        lambda pool, train, count: read.extend((pool, train)) or torch.arange(count),
    )
    Bmdal(transform=transform, selector="maxdiag", sigma=0.1).ask(None, view)
    with torch.no_grad():
        pool, train = (
            torch.tensor([[*view.net.features(view.problem.x[row][None])[0].tolist(), 1.0]
                          for row in rows.tolist()], dtype=torch.float64)
            for rows in (view.open, view.known)
        )  # fmt: skip
    if transform != "none":
        mean = sum(float(own @ own) for own in train) / len(train)
        pool, train = pool / mean**0.5, train / mean**0.5
    if transform == "posterior":
        pool, train = posterior(pool, train, 0.1)
    torch.testing.assert_close(read[0], pool, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(read[1], train, rtol=1e-5, atol=1e-6)


def test_the_largest_diagonal_is_the_row_of_the_longest_features(view):
    lengths = {
        row: sum(float(value) ** 2 for value in view.net.features(view.problem.x[row][None])[0])
        for row in view.open.tolist()
    }
    wanted = sorted(lengths, key=lengths.get, reverse=True)[: view.count]
    assert Bmdal(selector="maxdiag").ask(None, view).tolist() == wanted


@pytest.mark.parametrize("known", [0, 3])
def test_frank_wolfe_takes_the_steps_that_its_kernel_says(known):
    drawn = np.random.default_rng(6)
    x = drawn.standard_normal((12 + known, 5))
    kernel = x @ x.T
    length, weights, chosen = np.sqrt(np.diag(kernel)), np.zeros(len(x)), []
    for step in range(known + 7):
        # the centres stand behind the open rows, and come first
        place = 12 + step
        if step >= known:
            scores = kernel[:12] @ (1 - weights) / length[:12]
            scores[chosen] = -np.inf
            place = int(scores.argmax())
            chosen.append(place)
        corner = np.zeros(len(x))
        corner[place] = length.sum() / length[place]
        away = corner - weights
        weights = weights + away @ kernel @ (1 - weights) / (away @ kernel @ away) * away
    assert len(set(chosen)) == 7
    found = frank_wolfe(torch.from_numpy(x[:12]), torch.from_numpy(x[12:]), 7)
    assert found.tolist() == chosen


def test_old_rows_are_held_to_the_logits_that_they_had_when_they_were_new(tmp_path):
    problem, _ledger = blobs(steps=4, dropout=0.0)
    session = Session([problem], [active_run(tmp_path)])
    method = CalDistill(distilled=3.0, replayed=20, share=0.5)
    state = method.begin(session)
    method.train(state, session)
    wanted = copy.deepcopy(session.nets)
    logits = wanted(session.inputs(session.known)).detach()
    for asked in ([40, 41], [20, 21, 22]):
        old = session.known.shape[1]
        session.learn([torch.tensor(asked)])
        method.train(state, session)
        # every step is on all rows, so that their order is no matter
        optimiser, x = session.optimiser(wanted), session.inputs(session.known)
        for at in range(2):
            optimisers.set_rate(optimiser, session.rate(at / 2))
            z = wanted(x)[0]
            total = torch.nn.functional.cross_entropy(z, session.y[0], reduction="sum")
            for row in range(old):
                total = total + 3.0 * ((z[row] - logits[0, row]) ** 2).mean()
            optimiser.zero_grad()
            (total / len(z)).backward()
            optimiser.step()
        logits = torch.cat([logits, wanted(x)[:, old:].detach()], 1)
        torch.testing.assert_close(session.nets(x), wanted(x), rtol=1e-4, atol=1e-5)
