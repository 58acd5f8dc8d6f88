"""Losses and mixing of subpopulation benchmarks: by hand, and where they are the baseline."""

import pytest
import torch
from bench.builtin.methods.group_shift.cb import ClassBalanced, balance
from bench.builtin.methods.group_shift.cvar_dro import ConditionalValueAtRisk, worst_mean
from bench.builtin.methods.group_shift.erm import EmpiricalRisk
from bench.builtin.methods.group_shift.focal import FocalLoss
from bench.builtin.methods.group_shift.lisa import SelectiveAugmentation
from shift_helpers import batch_of, solved

from bench.errors import ParameterError
from bench.tracks.group_shift import cross_entropy


def said(method, problem, run):
    return solved(method, [problem], [run])[0].model(problem.x).detach()


def test_the_mean_of_the_worst_share_counts_the_row_at_the_limit_in_part():
    losses = torch.tensor([[1.0, 5.0, 3.0, 2.0]])
    assert worst_mean(losses, 0.5).item() == pytest.approx(4.0)
    assert worst_mean(losses, 0.375).item() == pytest.approx((5 + 0.5 * 3) / 1.5)
    assert worst_mean(losses, 0.1).item() == pytest.approx(5.0)
    assert worst_mean(losses, 1.0).item() == pytest.approx(losses.mean().item())


@pytest.mark.parametrize(
    "method", [ConditionalValueAtRisk(share=1.0), FocalLoss(gamma=0.0), ClassBalanced(beta=0.0)]
)
def test_at_its_limit_a_loss_is_that_of_erm(method, toy, run_of):
    problem = toy()
    erm = said(EmpiricalRisk(), problem, run_of())
    torch.testing.assert_close(said(method, problem, run_of()), erm, rtol=0, atol=1e-4)


def test_focal_loss_is_its_formula():
    logits = torch.randn(1, 6, 3, generator=torch.Generator().manual_seed(0))
    y = torch.tensor([[0, 1, 2, 0, 1, 2]])
    p = logits.softmax(-1).gather(-1, y[..., None])[..., 0]
    found = FocalLoss(gamma=2.0).loss(None, batch_of(y=y), logits)
    assert torch.allclose(found, (1 - p) ** 2 * -p.log(), atol=1e-6)


def test_classes_weigh_one_over_their_effective_number():
    counts = torch.tensor([[10, 1000, 0]])
    found = balance(counts, 0.99)[0]
    effective = [(1 - 0.99**n) / 0.01 for n in (10, 1000)]
    assert float(found[0] / found[1]) == pytest.approx(effective[1] / effective[0], rel=1e-5)
    assert float(found.mean()) == pytest.approx(1)
    assert found[2] == 0
    assert torch.allclose(balance(torch.tensor([[7, 7]]), 0.9999), torch.ones(1, 2))


def begun(method, problem, run):
    seeds = method.gather([problem], [run])
    seeds.nets = seeds.build()
    return seeds, method.start(seeds)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_partners_differ_in_the_attribute_alone_or_in_the_label_alone(share, toy, run_of):
    problem = toy(rows=60, classes=3, rho=0.6)
    method = SelectiveAugmentation(same_label=share)
    seeds, state = begun(method, problem, run_of())
    rows = method.rows(state, 0, seeds.order())
    partners = torch.cat(state.partners, 1)[0]
    groups = problem.train_groups
    own, other = groups[rows[0]], groups[partners]
    same, differs = (own // 3, own % 3), (other // 3, other % 3)
    fixed, free = (0, 1) if share else (1, 0)
    assert torch.equal(same[fixed], differs[fixed])
    assert (same[free] != differs[free]).all()


def test_a_row_without_a_partner_is_mixed_with_itself(toy, run_of):
    problem = toy(rows=30, rho=1.0)
    method = SelectiveAugmentation(same_label=1.0)
    seeds, state = begun(method, problem, run_of())
    rows = method.rows(state, 0, seeds.order())
    assert torch.equal(torch.cat(state.partners, 1), rows)
    batch = next(iter(seeds.epoch(0, rows)))
    assert torch.allclose(method.inputs(state, batch), batch.x, atol=1e-6)


def test_inputs_and_losses_are_mixed_by_the_same_weight(toy, run_of):
    problem = toy(rows=40)
    method = SelectiveAugmentation()
    seeds, state = begun(method, problem, run_of())
    rows = method.rows(state, 0, seeds.order())
    batch = next(iter(seeds.epoch(0, rows)))
    lam, partner = state.lam[0, 0], state.partners[0][0]
    mixed = lam * problem.x[rows[0, :32]] + (1 - lam) * problem.x[partner]
    assert torch.allclose(method.inputs(state, batch)[0], mixed)
    logits = torch.randn(1, 32, 2, generator=torch.Generator().manual_seed(0))
    by_hand = lam * cross_entropy(logits, batch.y)[0] + (1 - lam) * cross_entropy(
        logits[0], problem.y[partner]
    )
    assert torch.allclose(method.loss(state, batch, logits)[0], by_hand)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (ConditionalValueAtRisk, {"share": 0.0}),
        (FocalLoss, {"gamma": -1.0}),
        (ClassBalanced, {"beta": 1.0}),
        (SelectiveAugmentation, {"alpha": 0.0}),
        (SelectiveAugmentation, {"same_label": 1.2}),
    ],
)
def test_values_out_of_range_are_refused(kind, wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        kind(**wrong)
