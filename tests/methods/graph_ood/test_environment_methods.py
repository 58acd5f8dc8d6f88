"""IRM, V-REx, group DRO and mixup: their objectives by hand, by
differences, and where they must be the null.
"""

import copy
from types import SimpleNamespace

import pytest
import torch
from bench.builtin.methods.graph_ood._environments import environment_means
from bench.builtin.methods.graph_ood.erm import EmpiricalRisk
from bench.builtin.methods.graph_ood.groupdro import GroupDRO
from bench.builtin.methods.graph_ood.irm import InvariantRisk, scale_slopes
from bench.builtin.methods.graph_ood.mixup import Mixup
from bench.builtin.methods.graph_ood.vrex import RiskExtrapolation

from bench.runs.tools import Tools
from bench.tracks.graph_ood import GraphMethod, Training, graph_losses

ENV = torch.arange(70) % 3


class Ends(Tools):
    def __init__(self):
        self.seen = []

    def report(self, run, step, model):
        self.seen.append(
            torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
        )


def path(method, problem, run_of):
    tools = Ends()
    method.solve(problem, run_of(tools=tools))
    return tools.seen


@pytest.fixture
def step_of(toy, run_of):
    """Return a function to a training, its first batch and the losses of its graphs there."""

    def make(kind="classes", env=ENV, **protocol):
        training = Training(toy(kind=kind, env=env, **protocol), run_of())
        batch = next(training.epoch(0))
        with torch.no_grad():
            logits = copy.deepcopy(training.net)(batch.graphs).logits
        return training, batch, logits, graph_losses(logits, batch.y)

    return make


def means(losses, batch):
    return torch.stack([losses[batch.env == e].mean() for e in batch.env.unique()])


@pytest.mark.parametrize("kind", ["classes", "binary", "numbers"])
@pytest.mark.parametrize(
    "method",
    [InvariantRisk(lam=0), RiskExtrapolation(lam=0), Mixup(alpha=0)],
    ids=lambda method: method.card.name,
)
def test_without_its_term_a_method_is_the_null_bit_for_bit(toy, run_of, method, kind):
    problem = toy(kind=kind, env=ENV)
    assert all(
        torch.equal(a, b)
        for a, b in zip(
            path(method, problem, run_of), path(EmpiricalRisk(), problem, run_of), strict=True
        )
    )


def test_means_of_environments_skip_those_that_are_absent():
    found, present = environment_means(torch.tensor([1.0, 3.0, 5.0]), torch.tensor([2, 0, 2]), 4)
    assert found.tolist() == [3.0, 0.0, 3.0, 0.0]
    assert present.tolist() == [True, False, True, False]


@pytest.mark.parametrize("kind", ["classes", "binary", "numbers"])
def test_irm_s_penalty_is_the_squared_difference_quotient_of_each_environment(step_of, kind):
    training, batch, logits, losses = step_of(kind)
    h = 1e-4
    ends = [
        means(
            graph_losses(
                logits.double() * (1 + sign * h), batch.y.double() if kind == "numbers" else batch.y
            ),
            batch,
        )
        for sign in (1, -1)
    ]
    expected = losses.mean() + 0.7 * ((ends[0] - ends[1]) / (2 * h)).square().mean()
    method = InvariantRisk(lam=0.7)
    torch.testing.assert_close(
        method.loss(method.start(training), batch, training.net).double(),
        expected.double(),
        rtol=1e-4,
        atol=1e-5,
    )


def test_irm_s_slope_of_a_missing_target_is_none():
    y = torch.tensor([[2.0, float("nan")]])
    assert scale_slopes(torch.tensor([[3.0, 5.0]]), y).tolist() == [2 * (3 - 2) * 3]


def test_vrex_adds_the_unbiased_variance_of_the_environments(step_of):
    training, batch, _, losses = step_of()
    method = RiskExtrapolation(lam=10)
    found = method.loss(method.start(training), batch, training.net)
    torch.testing.assert_close(found, losses.mean() + 10 * means(losses, batch).var(correction=1))


@pytest.mark.parametrize("method", [RiskExtrapolation(), InvariantRisk()], ids=["vrex", "irm"])
def test_a_batch_of_one_environment_gives_a_number(step_of, method):
    training, batch, _, losses = step_of(
        env=torch.cat([torch.ones(69, dtype=torch.int64), torch.tensor([2])]), batch_size=8
    )
    assert len(batch.env.unique()) == 1
    found = method.loss(method.start(training), batch, training.net)
    assert found.isfinite()
    if isinstance(method, RiskExtrapolation):
        torch.testing.assert_close(found, losses.mean())


def test_group_dro_s_weights_grow_with_the_losses_sum_to_one_and_last(step_of):
    training, batch, _, losses = step_of()
    method = GroupDRO(eta=2.0)
    q = method.start(training)
    assert q.tolist() == pytest.approx([1 / 3] * 3)
    level = means(losses, batch)
    found = method.loss(q, batch, copy.deepcopy(training.net))
    first = (2 * level).softmax(0)
    torch.testing.assert_close(q, first)
    torch.testing.assert_close(found, first @ level)
    method.loss(q, batch, copy.deepcopy(training.net))
    torch.testing.assert_close(q, (4 * level).softmax(0))  # the second batch goes on from the first
    assert q.sum() == pytest.approx(1)


def test_group_dro_leaves_an_absent_environment_s_weight_to_the_norm_alone(step_of):
    training, batch, _, losses = step_of(
        env=torch.cat([torch.zeros(69, dtype=torch.int64), torch.tensor([2])]), batch_size=8
    )
    method = GroupDRO(eta=1.0)
    q = method.start(training)
    found = method.loss(q, batch, training.net)
    grown = losses.mean().exp()
    torch.testing.assert_close(
        q, torch.stack([grown, torch.tensor(1.0), torch.tensor(1.0)]) / (grown + 2)
    )
    torch.testing.assert_close(found, q[0] * losses.mean())


def test_mixup_is_the_mixed_loss_of_mixed_embeddings(step_of):
    training, batch, _, _ = step_of()
    method = Mixup(alpha=0.4)
    state = SimpleNamespace(
        shares=training.run.numpy_generator("method"), partners=torch.Generator().manual_seed(3)
    )
    share = float(copy.deepcopy(state.shares).beta(0.4, 0.4))
    partner = torch.randperm(16, generator=torch.Generator().manual_seed(3))
    net = copy.deepcopy(training.net)
    z = net(batch.graphs).z
    logits = share * net.head(z) + (1 - share) * net.head(z[partner])  # the head is affine
    expected = (
        share * graph_losses(logits, batch.y) + (1 - share) * graph_losses(logits, batch.y[partner])
    ).mean()
    torch.testing.assert_close(
        method.loss(state, batch, training.net), expected, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    "method",
    [GraphMethod, InvariantRisk, RiskExtrapolation, GroupDRO, Mixup],
    ids=lambda kind: kind.__name__,
)
def test_a_batch_of_one_graph_trains(toy, run_of, method, count):
    assert all(
        seen.isfinite().all()
        for seen in path(
            method(), toy(count=count, env=torch.zeros(count, dtype=torch.int64)), run_of
        )
    )
