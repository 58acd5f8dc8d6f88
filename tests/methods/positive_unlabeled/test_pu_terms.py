"""Terms that tell risks of known positives apart, against loops over rows and columns."""

import math

import numpy as np
import pytest
import torch
from bench.builtin.methods.positive_unlabeled.em_apl import AsymmetricPseudoLabels
from bench.builtin.methods.positive_unlabeled.em_spml import MaximumEntropy
from bench.builtin.methods.positive_unlabeled.sar_e import KnownPropensity
from bench.builtin.methods.positive_unlabeled.taylor_vpu import TaylorRisk
from positive_small import blobs, pu_run

from bench.tracks.positive_unlabeled import Members


@pytest.fixture
def members(tmp_path):
    """Return two members of two columns, whose propensities differ row by row."""
    drawn = torch.Generator().manual_seed(3)
    pairs = [
        blobs(seed, labels=2, propensity=0.2 + 0.8 * torch.rand(60, 2, generator=drawn))
        for seed in range(2)
    ]
    made = Members([own for own, _ in pairs], [pu_run(tmp_path, seed) for seed in range(2)])
    made.nets = made.build()
    return made


def step_of(members):
    """Return the first batch, and scores of its two parts, float64."""
    batch = next(iter(members.batches()))
    z = members.nets(batch.x).detach().double()
    size = batch.rows.shape[1]
    return batch, z[:, :size], z[:, size:]


def averaged(members, batch, z, loss):
    """Return the mean over the unlabelled rows of ``loss(k, row, column, p, known)``, (K, L)."""
    found = np.zeros((len(z), z.shape[2]))
    for k, at in np.ndindex(found.shape):
        rows = batch.rows[k].tolist()
        for place, row in enumerate(rows):
            p = 1 / (1 + math.exp(-float(z[k, place, at])))
            known = bool(members.problems[k].s[row, at])
            found[k, at] += loss(k, row, at, p, known) / len(rows)
    return found


def bits(p):
    """Return the entropy of a coin in nats."""
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


@pytest.mark.parametrize("alpha", [0.1, 0.7])
def test_the_entropy_of_unknown_labels_is_subtracted_and_that_of_known_ones_is_not(members, alpha):
    batch, z, known = step_of(members)
    found = MaximumEntropy(alpha=alpha).risk(None, batch, z, known)
    wanted = averaged(
        members, batch, z, lambda k, row, at, p, s: -math.log(p) if s else -alpha * bits(p)
    )
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_a_pseudo_label_is_learned_at_its_weight_in_place_of_the_entropy(members):
    method = AsymmetricPseudoLabels(alpha=0.3, beta=0.05)
    state, drawn = method.start(members), torch.Generator().manual_seed(0)
    unknown = members.s == 0
    state.marked = (unknown & (torch.rand(members.s.shape, generator=drawn) < 0.4)).float()
    state.soft = 0.3 * state.marked * torch.rand(members.s.shape, generator=drawn)
    batch, z, known = step_of(members)

    def loss(k, row, at, p, s):
        if s:
            return -math.log(p)
        if not state.marked[k, row, at]:
            return -0.3 * bits(p)
        soft = float(state.soft[k, row, at])
        return -0.05 * (soft * math.log(p) + (1 - soft) * math.log(1 - p))

    found = method.risk(state, batch, z, known)
    np.testing.assert_allclose(found, averaged(members, batch, z, loss), atol=1e-6)


def test_known_rows_count_by_their_own_propensities(members):
    batch, z, known = step_of(members)

    def loss(k, row, at, p, s):
        e = float(members.problems[k].propensity[row, at])
        return -math.log(p) / e - (1 - 1 / e) * math.log(1 - p) if s else -math.log(1 - p)

    method = KnownPropensity()
    found = method.risk(method.start(members), batch, z, known)
    np.testing.assert_allclose(found, averaged(members, batch, z, loss), atol=1e-6)


def test_the_calibration_is_the_divergence_both_ways_from_a_slow_average_of_the_net(members):
    method = TaylorRisk(calibration=0.2, decay=0.9)
    state = method.start(members)
    # by 1 / (t + 1) of the way, and from the tenth step on by a tenth
    slow = [own.detach().clone() for own in members.nets.parameters()]
    for step in (1, 2, 30):
        with torch.no_grad():
            for own in members.nets.parameters():
                own.add_(0.1)
        method.after_step(state, members, step)
        move = {1: 1 / 2, 2: 1 / 3, 30: 0.1}[step]
        slow = [
            (1 - move) * mine + move * own
            for mine, own in zip(slow, members.nets.parameters(), strict=True)
        ]
    for mine, own in zip(state.average.parameters(), slow, strict=True):
        torch.testing.assert_close(mine, own)
    batch, z, known = step_of(members)
    found = method.risk(state, batch, z, known) - TaylorRisk(calibration=0).risk(
        state, batch, z, known
    )
    p, q = torch.cat([z, known], 1).sigmoid(), state.average(batch.x).detach().double().sigmoid()
    for k, at in np.ndindex(2, 2):
        total = 0.0
        for a, b in zip(p[k, :, at].tolist(), q[k, :, at].tolist(), strict=True):
            total += a * math.log(a / b) + (1 - a) * math.log((1 - a) / (1 - b))
            total += b * math.log(b / a) + (1 - b) * math.log((1 - b) / (1 - a))
        assert float(found[k, at]) == pytest.approx(0.2 * total / p.shape[1], rel=1e-5)
