"""Methods that are told environments, groups or other pictures: formulas and limits."""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.group_shift._adversarial import smoothed, soft_entropy
from bench.builtin.methods.group_shift.csn import ConceptSubspaces, alignment, basis, distances
from bench.builtin.methods.group_shift.dann import DomainAdversarial
from bench.builtin.methods.group_shift.els import EnvironmentSmoothing
from bench.builtin.methods.group_shift.erm import EmpiricalRisk
from bench.builtin.methods.group_shift.nw_head import NearestSupport, log_shares
from bench.builtin.methods.group_shift.oat import OutOfDistributionTraining
from shift_helpers import solved

from bench.errors import InvalidRun, ParameterError
from bench.tracks.group_shift import cross_entropy, train


def said(method, problem, run):
    return solved(method, [problem], [run])[0].model(problem.x).detach()


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def begun(method, problem, run):
    """Return the seeds and the state that the loop would start with."""
    seeds = method.gather([problem], [run])
    seeds.nets = seeds.build()
    return seeds, method.start(seeds)


# Nadaraya-Watson ------------------------------------------------------------------------------


def test_one_support_row_a_class_is_the_softmax_of_minus_distances():
    query, support = drawn(7, 5), drawn(3, 5, seed=1)
    by_hand = (-torch.cdist(query, support)).softmax(-1)
    assert torch.allclose(log_shares(query, support, 3).exp(), by_hand, atol=1e-5)


def test_doubling_the_support_changes_nothing():
    query, support = drawn(7, 5), drawn(6, 5, seed=1)  # two rows of each of three classes
    twice = support.view(3, 2, 5).repeat(1, 2, 1).view(12, 5)
    assert torch.allclose(log_shares(query, twice, 3), log_shares(query, support, 3), atol=1e-5)


def test_shares_are_the_weights_of_a_class_row_by_row():
    query, support = drawn(4, 5), drawn(6, 5, seed=1)
    found = log_shares(query, support, 3).exp()
    for row in range(4):
        weights = torch.stack([(-(query[row] - one).norm()).exp() for one in support])
        by_hand = weights.view(3, 2).sum(1) / weights.sum()
        assert torch.allclose(found[row], by_hand, atol=1e-5)


def test_a_row_in_its_own_support_does_not_count_and_has_a_finite_gradient():
    support = drawn(4, 5).requires_grad_()
    same = torch.eye(4, dtype=torch.bool)
    found = log_shares(support, support, 2, same)
    by_hand = (-torch.cdist(support, support)).masked_fill(same, -torch.inf).softmax(-1)
    assert torch.allclose(found.exp(), by_hand.view(4, 2, 2).sum(-1), atol=1e-4)
    found.sum().backward()
    assert support.grad.isfinite().all()


@pytest.mark.parametrize("support", ["single", "random"])
def test_supports_are_training_rows_class_by_class_of_one_environment_or_of_all(
    support, toy, run_of
):
    problem = toy(rows=96, rho=0.6)
    method = NearestSupport(support=support, shots=8)
    seeds, state = begun(method, problem, run_of())
    rows = state.epoch[0]
    assert rows.shape == (seeds.steps, 16)
    labels = problem.y[rows].view(-1, 2, 8)
    assert torch.equal(labels, torch.tensor([0, 1])[None, :, None].expand_as(labels))
    mixed = [len(problem.env[step].unique()) for step in rows]
    assert set(mixed) == ({1} if support == "single" else {2})
    envs = 2 if support == "single" else 1
    assert state.full.shape == (1, envs, 200)
    if support == "single":
        own = problem.env[state.full[0]]
        assert torch.equal(own, torch.tensor([[0], [1]]).expand_as(own))


def test_the_head_s_prediction_is_the_mean_over_environments(toy, run_of):
    problem = toy(rows=96, rho=0.6)
    method = NearestSupport(full_shots=5)
    seeds, state = begun(method, problem, run_of())
    model = method.readout(state, seeds.nets, 0)
    net = seeds.nets.member(0)
    each = [
        log_shares(net.features(problem.x), net.features(problem.x[rows]), 2).exp()
        for rows in state.full[0]
    ]
    assert torch.allclose(model(problem.x).softmax(-1), torch.stack(each).mean(0), atol=1e-5)
    together = NearestSupport(full_shots=5, predict="full")
    seeds, state = begun(together, problem, run_of())
    assert state.full.shape == (1, 1, 20)
    labels = problem.y[state.full[0, 0]]
    assert labels.tolist() == [0] * 10 + [1] * 10


def test_an_environment_without_a_class_is_named_in_a_sentence(toy, run_of):
    problem = toy()
    apart = msgspec.structs.replace(problem, env=problem.y.clone())
    with pytest.raises(InvalidRun, match="an environment has no row of some class"):
        NearestSupport().solve(apart, run_of())
    assert NearestSupport(support="random").solve(apart, run_of()) is not None


# Adversarial ----------------------------------------------------------------------------------


def test_els_without_smoothing_is_dann_bit_for_bit(toy, run_of):
    problem = toy()
    plain = said(DomainAdversarial(), problem, run_of())
    assert torch.equal(said(EnvironmentSmoothing(most=0.0), problem, run_of()), plain)
    assert not torch.equal(said(EnvironmentSmoothing(), problem, run_of()), plain)


def test_dann_that_does_not_listen_to_its_discriminator_is_erm(toy, run_of):
    problem = toy()
    deaf = said(DomainAdversarial(weight=0.0), problem, run_of())
    torch.testing.assert_close(deaf, said(EmpiricalRisk(), problem, run_of()), rtol=0, atol=1e-5)


def test_smoothed_targets_and_their_entropy_are_as_by_hand():
    env = torch.tensor([[0, 2]])
    target = smoothed(env, 3, 0.4)
    by_hand = torch.tensor([[[0.6, 0.2, 0.2], [0.2, 0.2, 0.6]]])
    assert torch.allclose(target, by_hand)
    logits = drawn(1, 2, 3)
    entropy = torch.nn.functional.cross_entropy(logits[0], target[0], reduction="none")
    assert torch.allclose(soft_entropy(logits, target)[0], entropy)


def test_smoothing_grows_to_where_all_environments_are_alike():
    method = EnvironmentSmoothing()
    assert [method.smoothing(4, done) for done in (0.0, 0.5, 1.0)] == [0.0, 0.375, 0.75]
    alike = smoothed(torch.tensor([[1]]), 4, method.smoothing(4, 1.0))
    assert torch.allclose(alike, torch.full((1, 1, 4), 0.25))


def test_the_adversarial_step_is_two_gradients_by_hand(toy, run_of):
    problem = toy(rows=32)
    method = DomainAdversarial(weight=0.7)
    seeds, state = begun(method, problem, run_of())
    batch = next(iter(seeds.epoch(0)))
    env = problem.env[batch.rows[0]]
    # SGD in place of Adam, so that the step is the gradient
    state.optimiser = torch.optim.SGD([state.weight, state.bias], lr=0.1)
    optimiser = torch.optim.SGD(seeds.nets.parameters(), lr=0.1)
    parameters = [one.detach()[0].clone() for one in seeds.nets.parameters()]
    disc = torch.nn.Linear(16, 2)
    net = torch.nn.Sequential(
        torch.nn.Linear(12, 16), torch.nn.ReLU(), torch.nn.Linear(16, 16), torch.nn.ReLU()
    )
    head = torch.nn.Linear(16, 2)
    with torch.no_grad():
        disc.weight.copy_(state.weight[0])
        disc.bias.copy_(state.bias[0, 0])
        for layer, own in zip((net[0], net[2], head), range(3), strict=True):
            layer.weight.copy_(parameters[own])
            layer.bias.copy_(parameters[3 + own][0])
    method.step(state, seeds.nets, optimiser, batch)
    entropy = torch.nn.functional.cross_entropy
    entropy(disc(net(batch.x[0]).detach()), env).backward()
    with torch.no_grad():
        for tensor in disc.parameters():
            tensor -= 0.1 * tensor.grad
    features = net(batch.x[0])
    loss = entropy(head(features), batch.y[0]) - 0.7 * entropy(disc(features), env)
    disc.zero_grad()
    loss.backward()
    assert torch.allclose(state.weight[0], disc.weight, atol=1e-6)
    by_hand = net[0].weight - 0.1 * net[0].weight.grad
    assert torch.allclose(next(seeds.nets.parameters())[0], by_hand, atol=1e-6)


# Concepts -------------------------------------------------------------------------------------


def test_of_two_classes_the_alignment_is_the_squared_cosine():
    one, other = drawn(2, 6), drawn(2, 6, seed=1)
    a, b = one[1] - one[0], other[1] - other[0]
    cosine = (a @ b) / (a.norm() * b.norm())
    assert torch.allclose(alignment(basis(one), basis(other)), cosine**2)


def test_distances_are_those_within_the_plane_of_the_prototypes():
    z, prototypes = drawn(5, 6), drawn(3, 6, seed=1)
    plane = prototypes[1:] - prototypes[0]
    weights = torch.linalg.lstsq(plane.T, (z - prototypes[0]).T).solution
    projected = prototypes[0] + (plane.T @ weights).T
    by_hand = torch.cdist(projected, prototypes).square()
    assert torch.allclose(distances(z, prototypes), by_hand, atol=1e-4)


def test_the_log_odds_of_two_classes_are_linear_in_the_code(toy, run_of):
    problem, method = toy(), ConceptSubspaces()
    seeds, state = begun(method, problem, run_of())
    train(method, seeds, state)
    model, (first, second) = seeds.nets.member(0), seeds.nets.prototypes[0][0].detach()
    logits, z = model(problem.x).detach(), model.features(problem.x).detach()
    # t^2 - (t - L)^2 of the place t on the line through both, L apart
    by_hand = 2 * (z - first) @ (second - first) - (second - first).square().sum()
    odds = logits.log_softmax(-1)
    torch.testing.assert_close(odds[:, 1] - odds[:, 0], by_hand, rtol=1e-3, atol=1e-3)


def test_what_is_said_of_a_row_of_concepts_does_not_depend_on_the_rows_beside_it(toy, run_of):
    problem = toy()
    model = solved(ConceptSubspaces(), [problem], [run_of()])[0].model
    whole = model(problem.x)
    for rows in (slice(0, 1), slice(7, 40)):
        torch.testing.assert_close(model(problem.x[rows]), whole[rows], rtol=1e-4, atol=1e-4)


def test_the_loss_of_concepts_is_its_parts(toy, run_of):
    problem = toy(rows=40)
    method = ConceptSubspaces(latent=6, attribute_weight=0.3, near=0.2, align=5.0)
    seeds, state = begun(method, problem, run_of())
    batch = next(iter(seeds.epoch(0)))
    z = method.forward(state, seeds.nets, batch)
    found = method.loss(state, batch, z)[0, 0]
    labels, attributes = (one[0] for one in seeds.nets.prototypes)
    truth = problem.train_groups[batch.rows[0]]
    total = 5.0 * alignment(basis(labels), basis(attributes))
    for weight, own, true in ((1.0, labels, truth // 2), (0.3, attributes, truth % 2)):
        d = distances(z[0], own)
        total = total + weight * cross_entropy(-d, true).mean()
        total = total + 0.2 * (d.min(1).values.mean() + d.min(0).values.mean())
    assert torch.allclose(found, total, atol=1e-4)


def test_alignment_is_driven_down(toy, run_of):
    planes = []
    for align in (0.0, 100.0):
        method = ConceptSubspaces(align=align, latent=4)
        problem = toy(epochs=20, lr=0.02)
        seeds = method.gather([problem], [run_of()])
        seeds.nets = seeds.build()
        state = method.start(seeds)
        labels, attributes = seeds.nets.prototypes
        with torch.no_grad():  # two planes that are almost one
            attributes.copy_(labels + 0.3 * drawn(1, 2, 4))
        train(method, seeds, state, report=False)
        planes.append(float(alignment(basis(labels), basis(attributes)).detach()[0]))
    assert planes[1] < 0.02
    assert planes[0] > 5 * planes[1]


def test_codes_that_are_too_short_or_a_task_without_attribute_are_named(toy, run_of):
    with pytest.raises(InvalidRun, match="the label has 3 values, the attribute 3 and a code 2"):
        ConceptSubspaces(latent=2).solve(toy(classes=3), run_of())
    bare = toy()
    bare = msgspec.structs.replace(bare, n_groups=2, train_groups=bare.y.clone())
    with pytest.raises(InvalidRun, match="the attribute 1 and a code 32 numbers"):
        ConceptSubspaces().solve(bare, run_of(1))


# Other pictures -------------------------------------------------------------------------------


def test_oat_of_no_weight_is_erm(toy, run_of):
    problem = toy()
    none = said(OutOfDistributionTraining(alpha=0.0), problem, run_of())
    torch.testing.assert_close(none, said(EmpiricalRisk(), problem, run_of()), rtol=0, atol=1e-5)


def test_the_target_of_other_pictures_is_uniform(toy, run_of):
    problem = toy(rows=32)
    method = OutOfDistributionTraining(alpha=2.0)
    seeds, state = begun(method, problem, run_of())
    batch = next(iter(seeds.epoch(0)))
    inputs = method.inputs(state, batch)
    assert inputs.shape == (1, 64, 12)
    assert torch.equal(inputs[:, :32], batch.x)
    others = problem.other_pictures.numpy()
    assert all((others == row).all(1).any() for row in inputs[0, 32:].numpy())
    logits = drawn(1, 64, 2)
    uniform = torch.nn.functional.cross_entropy(
        logits[0, 32:], torch.full((32, 2), 0.5), reduction="none"
    )
    by_hand = cross_entropy(logits[:, :32], batch.y)[0] + 2 * uniform
    assert torch.allclose(method.loss(state, batch, logits)[0], by_hand, atol=1e-6)


def test_oat_makes_a_net_less_sure_of_other_pictures(toy, run_of):
    problem = toy(epochs=30)
    sure = []
    for method in (EmpiricalRisk(), OutOfDistributionTraining()):
        model = solved(method, [problem], [run_of()])[0].model
        sure.append(float(model(problem.other_pictures).softmax(-1).amax(1).mean()))
    assert sure[1] < sure[0] - 0.05


def test_without_other_pictures_a_sentence_says_what_is_missing(toy, run_of):
    bare = msgspec.structs.replace(toy(), other_pictures=None)
    with pytest.raises(InvalidRun, match="other_pictures None; run it on a task that offers"):
        OutOfDistributionTraining().solve(bare, run_of())


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (NearestSupport, {"shots": 0}),
        (NearestSupport, {"support": "all"}),
        (DomainAdversarial, {"weight": -1.0}),
        (EnvironmentSmoothing, {"most": 1.5}),
        (ConceptSubspaces, {"latent": 1}),
        (OutOfDistributionTraining, {"alpha": -0.5}),
    ],
)
def test_values_out_of_range_are_refused(kind, wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        kind(**wrong)


def test_other_pictures_of_an_epoch_are_drawn_anew(toy, run_of):
    _, state = begun(OutOfDistributionTraining(), toy(), run_of())
    first = np.concatenate([rows[0] for rows in state.rows])
    state.draw()
    assert not np.array_equal(first, np.concatenate([rows[0] for rows in state.rows]))
