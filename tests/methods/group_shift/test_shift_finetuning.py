"""Methods that start from a trained net, and those of several nets: identities and limits."""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.group_shift._ensemble import SeveralNets, Vote
from bench.builtin.methods.group_shift.bang_ls import BalancedAveragingSmoothed
from bench.builtin.methods.group_shift.bang_mixup import BalancedAveragingMixed
from bench.builtin.methods.group_shift.cat import JoinedRepresentations
from bench.builtin.methods.group_shift.deep_ensemble import DeepEnsemble
from bench.builtin.methods.group_shift.erm import EmpiricalRisk
from bench.builtin.methods.group_shift.fine_tune import FineTune
from bench.builtin.methods.group_shift.levi import LayerwiseViews
from bench.builtin.methods.group_shift.linear_probe import LinearProbe
from bench.builtin.methods.group_shift.very_large_dropout import VeryLargeDropout, dropped
from bench.builtin.methods.group_shift.wide import WideNet
from bench.builtin.methods.group_shift.wise import WeightSpaceEnsemble
from shift_helpers import batch_of, solved

from bench.errors import InvalidRun, ParameterError
from bench.tracks.group_shift import cross_entropy, train


def said(method, problem, run):
    return solved(method, [problem], [run])[0].model(problem.x).detach()


# Averages -------------------------------------------------------------------------------------


def test_wise_at_its_ends_is_the_probe_and_the_fine_tuned_net_bit_for_bit(toy, run_of):
    problem = toy()
    end = said(FineTune(), problem, run_of())
    assert torch.equal(said(WeightSpaceEnsemble(alpha=1.0), problem, run_of()), end)
    start = said(WeightSpaceEnsemble(alpha=0.0), problem, run_of())
    longer = msgspec.structs.replace(problem, epochs=9)
    # however long the net is fine-tuned, where it started stays
    assert torch.equal(said(WeightSpaceEnsemble(alpha=0.0), longer, run_of()), start)
    assert not torch.equal(start, end)


def test_the_start_of_wise_is_a_head_fitted_on_the_trained_body(toy, run_of):
    problem = toy(rows=64)
    start = said(WeightSpaceEnsemble(alpha=0.0, probe_epochs=40), problem, run_of())
    body = problem.x
    for weight, bias in zip(
        problem.pretrained.weights[:-1], problem.pretrained.biases[:-1], strict=True
    ):
        body = torch.relu(body @ weight.T + bias)
    # logits are linear in the body's features
    features = torch.cat([body, torch.ones(64, 1)], 1).double().numpy()
    fit = np.linalg.lstsq(features, start.double().numpy(), rcond=None)[0]
    assert np.allclose(features @ fit, start.numpy(), atol=1e-4)


def test_wise_between_averages_weights_and_not_outputs(toy, run_of):
    problem = toy()
    one, other = (said(WeightSpaceEnsemble(alpha=alpha), problem, run_of()) for alpha in (0.0, 1.0))
    half = said(WeightSpaceEnsemble(), problem, run_of())
    assert not torch.allclose(half, (one + other) / 2, atol=1e-3)


def test_bang_without_smoothing_is_wise(toy, run_of):
    problem = toy()
    plain = said(WeightSpaceEnsemble(), problem, run_of())
    same = said(BalancedAveragingSmoothed(smoothing=0.0), problem, run_of())
    assert torch.allclose(same, plain, atol=1e-4)
    assert not torch.allclose(said(BalancedAveragingSmoothed(), problem, run_of()), plain)


def test_bangs_loss_is_that_of_torch():
    logits = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[0, 1, 2, 0, 1], [2, 2, 1, 0, 0]])
    batch = batch_of(rows=torch.arange(5).expand(2, -1), y=labels)
    found = BalancedAveragingSmoothed(smoothing=0.3).loss(None, batch, logits)
    by_torch = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), reduction="none", label_smoothing=0.3
    )
    assert torch.allclose(found.flatten(), by_torch, atol=1e-6)


def test_bang_mixes_inputs_and_losses_by_the_same_weights(toy, run_of):
    problem = toy(rows=32)
    method = BalancedAveragingMixed()
    seeds = method.gather([problem], [run_of()])
    seeds.nets = seeds.build()
    state = method.start(seeds)
    batch = next(iter(seeds.epoch(0)))
    lam, partner = state.step(batch)
    mixed = method.inputs(state, batch)
    by_hand = lam[0] * batch.x[0, 3] + (1 - lam[0]) * batch.x[0, partner[0, 3]]
    assert torch.allclose(mixed[0, 3], by_hand)
    logits = torch.randn(1, 32, 2, generator=torch.Generator().manual_seed(0))
    losses = method.loss(state, batch, logits)
    own = -logits[0, 3].log_softmax(-1)
    there = lam[0] * own[batch.y[0, 3]] + (1 - lam[0]) * own[batch.y[0, partner[0, 3]]]
    assert torch.allclose(losses[0, 3], there[0])


# Dropout --------------------------------------------------------------------------------------


def test_dropout_of_nothing_is_fine_tuning_bit_for_bit(toy, run_of):
    problem = toy()
    none = said(VeryLargeDropout(rate=0.0), problem, run_of())
    assert torch.equal(none, said(FineTune(), problem, run_of()))
    assert not torch.equal(said(VeryLargeDropout(), problem, run_of()), none)


def test_very_large_dropout_keeps_the_mean_of_features():
    features = torch.rand(2, 400, 100, generator=torch.Generator().manual_seed(0)) + 1
    generators = [torch.Generator().manual_seed(10 + k) for k in range(2)]
    found = dropped(features, 0.9, generators)
    assert float(found.mean() / features.mean()) == pytest.approx(1, abs=0.02)
    assert float((found == 0).double().mean()) == pytest.approx(0.9, abs=0.01)
    assert not torch.equal(found[0] == 0, found[1] == 0)


# Views ----------------------------------------------------------------------------------------


def views_of(method, problem, run):
    seeds = method.gather([problem], [run])
    method.start(seeds)
    return seeds.nets


def test_levi_without_a_small_net_is_the_mean_of_probes_of_the_layers(toy, run_of):
    problem = toy()
    nets = views_of(LayerwiseViews(small=0), problem, run_of())
    z, total = problem.x, 0.0
    for layer, (weight, bias) in enumerate(
        zip(problem.pretrained.weights[:-1], problem.pretrained.biases[:-1], strict=True)
    ):
        z = torch.relu(z @ weight.T + bias)
        total = total + z @ nets.weights[layer][0].T + nets.biases[layer][0]
    assert torch.allclose(nets(problem.x[None])[0], total / 2, atol=1e-5)
    assert torch.allclose(nets.member(0)(problem.x), total / 2, atol=1e-5)


def test_levi_reads_each_layer_beside_the_small_net_and_the_small_net_alone(toy, run_of):
    problem = toy()
    nets = views_of(LayerwiseViews(small=8), problem, run_of())
    weights, biases = ([one[0] for one in part] for part in (nets.weights, nets.biases))
    g = torch.relu(problem.x @ weights[0].T + biases[0])
    z, total = problem.x, g @ weights[3].T + biases[3]
    for layer in range(2):
        trained = problem.pretrained
        z = torch.relu(z @ trained.weights[layer].T + trained.biases[layer])
        total = total + torch.cat([z, g], 1) @ weights[1 + layer].T + biases[1 + layer]
    assert torch.allclose(nets(problem.x[None])[0], total / 3, atol=1e-5)
    assert torch.allclose(nets.member(0)(problem.x), total / 3, atol=1e-5)


@pytest.mark.parametrize("kind", [LayerwiseViews, FineTune, LinearProbe, WeightSpaceEnsemble])
def test_the_trained_net_is_left_as_it_is(kind, toy, run_of):
    problem = toy()
    before = [tensor.clone() for tensor in problem.pretrained.weights]
    said(kind(), problem, run_of())
    assert all(map(torch.equal, before, problem.pretrained.weights))


@pytest.mark.parametrize("kind", [LayerwiseViews, FineTune, LinearProbe, VeryLargeDropout])
def test_without_a_trained_net_a_sentence_says_what_is_missing(kind, toy, run_of):
    bare = msgspec.structs.replace(toy(), pretrained=None)
    with pytest.raises(InvalidRun, match="pretrained None; run it on a task that offers"):
        kind().solve(bare, run_of())


# Several nets ---------------------------------------------------------------------------------


def test_an_ensemble_of_one_is_erm_and_a_wide_net_of_factor_1_too(toy, run_of):
    problem = toy()
    erm = said(EmpiricalRisk(), problem, run_of())
    assert torch.equal(said(DeepEnsemble(members=1), problem, run_of()), erm)
    assert torch.equal(said(WideNet(factor=1), problem, run_of()), erm)


def test_a_vote_is_the_mean_probability():
    nets = [torch.nn.Linear(4, 3) for _ in range(3)]
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        by_hand = torch.stack([net(x).softmax(-1) for net in nets]).mean(0)
        assert torch.allclose(Vote(nets)(x).softmax(-1), by_hand, atol=1e-6)


def test_joined_features_of_one_net_are_a_head_retrained_on_its_normalised_features(toy, run_of):
    problem = toy(rows=64, batch_size=32)
    method = JoinedRepresentations(members=1, head_epochs=3)
    found = said(method, problem, run_of())
    # the same by hand: the net of erm, then batch normalisation and a linear layer, row by row
    seeds = method.gather([problem], [run_of()])
    first = seeds.stage(problem.epochs)
    first.nets = first.build(1)
    train(SeveralNets(members=1), first, None, report=False)
    with torch.no_grad():
        features = first.nets.member(0).features(problem.x)
    width = features.shape[1]
    norm, head = torch.nn.BatchNorm1d(width), torch.nn.Linear(width, 2)
    with torch.no_grad(), seeds.runs[0].seeded("init", "head"):
        head.weight.copy_(torch.empty(2, width).uniform_(-(width**-0.5), width**-0.5))
        head.bias.zero_()
    groups = [
        {"params": [head.weight, head.bias], "weight_decay": problem.weight_decay},
        {"params": [norm.weight, norm.bias], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.SGD(groups, lr=0.01, momentum=0.9, nesterov=True)
    last = seeds.stage(3, "head")
    for epoch in range(3):
        for batch in last.epoch(epoch):
            logits = head(norm(features[batch.rows[0]]))
            optimiser.zero_grad()
            cross_entropy(logits, batch.y[0]).mean().backward()
            optimiser.step()
    norm.eval()
    with torch.no_grad():
        by_hand = head(norm(features))
    assert np.allclose(found.numpy(), by_hand.numpy(), atol=1e-4)


def test_joined_features_stand_side_by_side(toy, run_of):
    problem = toy(rows=40)
    method = JoinedRepresentations(members=3, head_epochs=1)
    model = solved(method, [problem, problem], [run_of(0), run_of(1)])[0].model
    features = torch.cat([body.features(problem.x) for body in model.bodies], 1)
    assert model.features(problem.x).shape == features.shape == (40, 48)
    mean, var, scale, shift, *_ = model._own
    by_hand = (features - mean) / (var + 1e-5).sqrt() * scale + shift
    assert torch.allclose(model.features(problem.x), by_hand, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (WeightSpaceEnsemble, {"alpha": 1.5}),
        (VeryLargeDropout, {"rate": 1.0}),
        (BalancedAveragingSmoothed, {"smoothing": -0.1}),
        (BalancedAveragingMixed, {"mix": 0.0}),
        (LayerwiseViews, {"small": -1}),
        (DeepEnsemble, {"members": 0}),
        (WideNet, {"factor": 0}),
        (JoinedRepresentations, {"head_lr": 0.0}),
        (FineTune, {"probe_epochs": 0}),
    ],
)
def test_values_out_of_range_are_refused(kind, wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        kind(**wrong)
