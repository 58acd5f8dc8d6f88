"""Learners of a stream: formulas against slow computations, and limits in which a method is naive
training bit for bit.
"""

import math
from typing import ClassVar

import msgspec
import pytest
import torch
from bench.builtin.methods.continual._ash import ClippedAdagrad, WideNets, unit
from bench.builtin.methods.continual._teacher import softened
from bench.builtin.methods.continual.a_gem import AveragedGem, project
from bench.builtin.methods.continual.ash import Ash
from bench.builtin.methods.continual.ash_relu import AshRelu
from bench.builtin.methods.continual.derpp import DarkExperienceReplay
from bench.builtin.methods.continual.er import ExperienceReplay
from bench.builtin.methods.continual.ewc import ElasticWeightConsolidation
from bench.builtin.methods.continual.feature_distil import FeatureDistillation
from bench.builtin.methods.continual.gdumb import GreedySamplerDumbLearner, balance, clipped
from bench.builtin.methods.continual.hard_ash import HardAsh
from bench.builtin.methods.continual.kd_l2 import DistillationAndPull
from bench.builtin.methods.continual.l2 import L2
from bench.builtin.methods.continual.l2_anchor import AnchoredWeights
from bench.builtin.methods.continual.l2_init import L2Init
from bench.builtin.methods.continual.lwf import LearningWithoutForgetting
from bench.builtin.methods.continual.naive import Naive
from bench.builtin.methods.continual.naive_thrice import NaiveThrice
from bench.builtin.methods.continual.nearest_mean import NearestMean
from bench.builtin.methods.continual.reset import Reset
from bench.builtin.methods.continual.shrink_perturb import ShrinkPerturb
from bench.builtin.methods.continual.si import SynapticIntelligence
from bench.builtin.methods.continual.spectral import SpectralRegularisation, _State
from bench.builtin.methods.continual.upgd import UtilityPerturbed
from bench.builtin.methods.continual.wasserstein_init import WassersteinInit
from continual_small import answers, blobs, stream_run

from bench.errors import ParameterError
from bench.tracks.continual import ContinualMethod, Members, cross_entropy
from bench.training import optimisers
from bench.training.fisher import diagonal_fisher
from bench.training.memory import Memory, Store

EVERY = (
    Naive,
    NaiveThrice,
    NearestMean,
    ExperienceReplay,
    DarkExperienceReplay,
    ElasticWeightConsolidation,
    SynapticIntelligence,
    AnchoredWeights,
    LearningWithoutForgetting,
    FeatureDistillation,
    DistillationAndPull,
    AveragedGem,
    GreedySamplerDumbLearner,
    HardAsh,
    Ash,
    AshRelu,
    UtilityPerturbed,
    ShrinkPerturb,
    SpectralRegularisation,
    WassersteinInit,
    L2Init,
    L2,
    Reset,
)
QUICK = {GreedySamplerDumbLearner: {"passes": 2}, HardAsh: {"width": 12}, Ash: {"width": 12}}


@pytest.fixture(scope="module")
def naive(tmp_path_factory):
    return answers(Naive().solve(blobs(), stream_run(tmp_path_factory.mktemp("naive"))))


def unbuilt(tmp_path, seeds=2, **fields):
    return Members(
        [blobs(seed, **fields) for seed in range(seeds)],
        [stream_run(tmp_path, seed) for seed in range(seeds)],
    )


def built(tmp_path, seeds=2, **fields):
    members = unbuilt(tmp_path, seeds, **fields)
    members.nets = members.build()
    members.optimiser = optimisers.sgd(members.nets.parameters(), 0.1, 0.0, 0.0)
    return members


@pytest.mark.parametrize(
    ("method", "capacity"),
    [
        (ExperienceReplay(), 0),
        (DarkExperienceReplay(), 0),
        (DarkExperienceReplay(alpha=0.0, beta=0.0), 6),
        (ElasticWeightConsolidation(lam=0.0), 6),
        (SynapticIntelligence(c=0.0), 6),
        (AnchoredWeights(lam=0.0), 6),
        (AveragedGem(), 0),
        (NaiveThrice(times=1), 6),
        (L2(lam=0.0), 6),
        (L2Init(lam=0.0), 6),
        (WassersteinInit(lam=0.0), 6),
        (SpectralRegularisation(lam=0.0), 6),
        (ShrinkPerturb(lr=0.1, noise=0.0, decay=0.0), 6),
    ],
    ids=lambda value: getattr(type(value), "__name__", ""),
)
def test_without_its_part_a_method_is_naive_training_bit_for_bit(method, capacity, naive, tmp_path):
    found = answers(method.solve(blobs(capacity=capacity), stream_run(tmp_path)))
    exact = not isinstance(method, ShrinkPerturb)  # another way to write the step of SGD
    assert torch.equal(found, naive) if exact else torch.allclose(found, naive, atol=1e-5)


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_a_seed_gets_the_same_bits_whoever_stands_beside_it(kind, tmp_path):
    method = kind(**QUICK.get(kind, {}))
    three = method.solve_stacked(
        [blobs(seed) for seed in range(3)], [stream_run(tmp_path, seed) for seed in range(3)]
    )
    two = method.solve_stacked(
        [blobs(seed) for seed in (1, 2)], [stream_run(tmp_path, seed) for seed in (1, 2)]
    )
    assert answers(three[1]).isfinite().all()
    assert torch.equal(answers(three[1]), answers(two[0]))
    assert torch.equal(answers(three[2]), answers(two[1]))


def test_the_fisher_matrix_by_products_is_that_of_a_loop_over_rows_and_classes(tmp_path):
    nets = built(tmp_path, widths=(5, 4)).nets
    x = torch.randn(2, 7, 6, generator=torch.Generator().manual_seed(3))
    found = diagonal_fisher(nets, x)
    for k in range(2):
        slow = [torch.zeros_like(own[k]) for own in nets.parameters()]
        for row in range(7):
            said = nets(x[:, row : row + 1])[k, 0].log_softmax(0)
            for c in range(4):
                gradients = torch.autograd.grad(said[c], list(nets.parameters()), retain_graph=True)
                for total, own in zip(slow, gradients, strict=True):
                    total += float(said[c].detach().exp()) * own[k].square() / 7
        for own, by_loop in zip(found, slow, strict=True):
            assert torch.allclose(own[k], by_loop, atol=1e-6)


def test_the_fisher_matrix_of_given_labels_alone_is_another(tmp_path):
    """The empirical matrix, planted: one label a row instead of the expectation over all."""
    nets = built(tmp_path).nets
    x = torch.randn(2, 7, 6, generator=torch.Generator().manual_seed(3))
    total = torch.zeros_like(nets.weights[1])
    for row in range(7):
        said = nets(x[:, row : row + 1]).log_softmax(2)[:, 0, 0].sum()
        total += torch.autograd.grad(said, nets.weights[1])[0].square() / 7
    assert not torch.allclose(diagonal_fisher(nets, x)[1], total, rtol=0.2)


def test_a_gem_leaves_a_gradient_that_agrees_and_takes_out_what_works_against_the_store(tmp_path):
    members = built(tmp_path)
    x = torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(0))
    y = torch.tensor([[0, 1, 2, 3, 0]] * 2)

    def flat():
        return torch.cat([own.grad.flatten(1) for own in members.nets.parameters()], 1)

    def projected(factor):
        """Project a gradient that is so many times that of the stored rows, and something else."""
        for own, of_rows, other in zip(members.nets.parameters(), r, noise, strict=True):
            own.grad = factor * of_rows + other
        before = flat()
        project(members, x, y)
        return before, flat()

    optimisers.descend(cross_entropy(members.nets(x), y))
    r = [own.grad.clone() for own in members.nets.parameters()]
    stored = flat()
    generator = torch.Generator().manual_seed(1)
    noise = [0.01 * torch.randn(own.shape, generator=generator) for own in r]
    agreeing, found = projected(1.0)
    assert torch.equal(found, agreeing)
    g, found = projected(-1.0)
    dot = (g * stored).sum(1, keepdim=True)
    assert (dot < 0).all()
    by_hand = g - dot / stored.square().sum(1, keepdim=True) * stored
    assert torch.allclose(found, by_hand, atol=1e-6)
    assert torch.allclose((found * stored).sum(1), torch.zeros(2), atol=1e-5)


def test_derpp_is_three_terms_of_which_each_is_a_mean():
    from bench.builtin.methods.continual.derpp import _State as State

    from bench.training.memory import Rows
    from bench.training.stream import Chunk

    y = torch.tensor([[0, 1]])
    logits = torch.randn(1, 5, 3, generator=torch.Generator().manual_seed(1))
    stored = torch.randn(1, 1, 3, generator=torch.Generator().manual_seed(2))
    state = State.__new__(State)
    one = Rows(torch.zeros(1, 1, 2), torch.tensor([[2]]), stored, torch.zeros(1, 1))
    two = Rows(torch.zeros(1, 2, 2), torch.tensor([[1, 0]]), stored, torch.zeros(1, 2))
    state.drawn = [one, two]
    found = DarkExperienceReplay(alpha=0.3, beta=0.7).loss(
        state, Chunk(0, 0, True, False, torch.zeros(1, 2, 2), y), logits
    )
    log_p = logits.log_softmax(2)[0]
    by_hand = (
        -(log_p[0, 0] + log_p[1, 1]) / 2
        + 0.3 * (logits[0, 2] - stored[0, 0]).square().mean()
        - 0.7 * (log_p[3, 1] + log_p[4, 0]) / 2
    )
    assert float(found.mean()) == pytest.approx(float(by_hand), abs=1e-6)


def test_si_gives_a_weight_what_it_did_for_the_loss_by_the_square_of_its_way(tmp_path):
    members = built(tmp_path, seeds=1)
    method = SynapticIntelligence(c=1.0, xi=0.1)
    state = method.start(members)
    first = state.point[0].clone()
    for gradient in (0.5, -0.25):
        for own in members.nets.parameters():
            own.grad = torch.full_like(own, gradient)
        batch = next(iter(blobs().stream))
        method.before_step(state, members, batch)
        members.optimiser.step()
        method.after_step(state, members, batch, torch.zeros(1))
    method.end(state, members, 0, (torch.zeros(1), torch.zeros(1)))
    # moves of -.05 and .025 under SGD at .1: the sum of -g move, over way^2 + xi
    expected = (0.5 * 0.05 + 0.25 * 0.025) / (0.025**2 + 0.1)
    assert torch.allclose(state.before[0], torch.full_like(first, expected), rtol=1e-3)
    assert not state.now[0].any()


def test_lwf_holds_the_softened_shares_of_earlier_classes_alone():
    logits = torch.tensor([[[1.0, 2.0, 30.0]]])
    old = torch.tensor([[[True, True, False]]])
    found = softened(logits, old, 2.0).exp()
    assert torch.allclose(found[0, 0], torch.tensor([1.0, math.e**0.5, 0]) / (1 + math.e**0.5))


def test_an_unchanged_net_has_no_distance_from_its_teacher(tmp_path):
    for kind in (LearningWithoutForgetting, FeatureDistillation):
        members = built(tmp_path)
        method = kind()
        state = method.start(members)
        method.begin(state, members, 1)
        batch = next(members.chunks())
        batch = msgspec.structs.replace(batch, t=1)
        logits = method.forward(state, members, batch)
        features = state.nets.features(batch.x)
        apart = method.distil(state, batch, logits, features)
        assert torch.allclose(apart, torch.zeros_like(apart), atol=1e-5), kind
        if kind is FeatureDistillation:
            shifted = method.distil(state, batch, logits, features + 0.5)
            assert torch.allclose(shifted, torch.full_like(shifted, 0.25 * 16), atol=1e-4)


def test_gdumb_keeps_classes_as_equal_as_they_can_be_and_rows_of_a_class_alike():
    members, capacity = 300, 6
    stores = [Store(capacity) for _ in range(members)]
    memory = Memory(stores, (1,), 1, [torch.Generator()] * members, torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    labels = [0] * 10 + [1] * 8 + [2] * 2
    for start in range(0, 20, 5):
        rows = torch.arange(start, start + 5.0).view(1, 5, 1).expand(members, -1, -1)
        y = torch.tensor(labels[start : start + 5]).expand(members, -1)
        balance(memory, rows, y, 0, torch.rand(members, 5, generator=generator))
        assert memory.kept == min(capacity, start + 5)
    for c in range(3):
        assert ((memory.y == c).sum(1) == 2).all()
    assert all(len(set(own.tolist())) == capacity for own in memory.x[..., 0])
    kept = torch.bincount(memory.x.flatten().long(), minlength=20)[:10].double() / members
    # a fifth of the stores holds each row of class 0
    assert float((kept - 0.2).abs().max()) < 4 * (0.16 / members) ** 0.5
    assert {store.peak for store in stores} == {capacity}


@pytest.mark.parametrize("method", [HardAsh(width=12), Ash(width=12), AshRelu(width=12)])
def test_units_read_centred_weights_of_length_1_and_a_row_is_answered_alone(method, tmp_path):
    members = unbuilt(tmp_path)
    nets = WideNets(members, 12, method.activate)
    x = torch.randn(2, 9, 6, generator=torch.Generator().manual_seed(0))
    alone = torch.cat([nets(x[:, row : row + 1]) for row in range(9)], 1)
    assert torch.allclose(alone, nets(x), atol=1e-6)
    assert torch.allclose(nets.member(1)(x[1]), nets(x)[1], atol=1e-6)
    before = nets(x)
    with torch.no_grad():
        nets.hidden[:, 3] *= 7
    assert torch.allclose(nets(x), before, atol=1e-5)
    weights = unit(nets.hidden)
    assert torch.allclose(weights.norm(dim=2), torch.ones(2, 12))
    assert torch.allclose(weights.sum(2), torch.zeros(2, 12), atol=1e-5)


def test_hard_ash_is_its_formula_by_hand():
    h = torch.tensor([0.0, 1.0, 2.0, 9.0])
    mean, spread = 3.0, math.sqrt((9 + 4 + 1 + 36) / 4)
    for place, value in enumerate(h.tolist()):
        over = 3 * (value - mean - 1.5 * spread)
        gate = min(max(over + 3, 0), 6) / 6
        found = HardAsh(z=1.5).activate(h)[place]
        assert float(found) == pytest.approx(min(max(value, 0), 2) * gate, abs=1e-6)
        soft = value / (1 + math.exp(-over))
        assert float(Ash(z=1.5).activate(h)[place]) == pytest.approx(soft, abs=1e-6)


def test_adagrad_moves_by_its_sum_of_squares_and_no_further_than_it_may():
    weight = torch.zeros(1, 2, requires_grad=True)
    optimiser = ClippedAdagrad([weight], lr=0.1, most=0.05, start=0.0)
    for gradient in (3.0, 4.0):
        weight.grad = torch.tensor([[gradient, 0.0]]) + 1e-12
        optimiser.step()
    assert float(weight[0, 0].detach()) == pytest.approx(-0.05 - 0.05)
    loose = torch.zeros(1, 2, requires_grad=True)
    optimiser = ClippedAdagrad([loose], lr=0.1, most=9.0, start=0.0)
    for gradient in (3.0, 4.0):
        loose.grad = torch.full((1, 2), gradient)
        optimiser.step()
    assert float(loose[0, 0].detach()) == pytest.approx(-0.1 - 0.1 * 4 / 5, rel=1e-5)


def test_upgd_shakes_by_utility_corrected_for_its_start(tmp_path):
    members = built(tmp_path, seeds=1)
    method = UtilityPerturbed(lr=0.1, beta=0.9, noise=0.0, decay=0.5)
    members.optimiser = method.optimiser(members)
    own = list(members.nets.parameters())
    before = [parameter.detach().clone() for parameter in own]
    generator = torch.Generator().manual_seed(0)
    for parameter in own:
        parameter.grad = torch.randn(parameter.shape, generator=generator)
    members.optimiser.step()
    utility = [-parameter.grad * old for parameter, old in zip(own, before, strict=True)]
    most = max(float(part.max()) for part in utility)
    for parameter, old, part in zip(own, before, utility, strict=True):
        scale = (part / most).sigmoid()
        by_hand = (1 - 0.1 * 0.5) * old - 2 * 0.1 * parameter.grad * (1 - scale)
        assert torch.allclose(parameter.detach(), by_hand, atol=1e-6)


def test_the_spectral_term_is_the_gradient_of_its_formula_once_power_steps_have_settled(tmp_path):
    members = built(tmp_path)
    method = SpectralRegularisation(lam=0.3, k=2)
    state = _State(members)
    weight = members.nets.weights[0].detach()
    for _ in range(300):
        sigma = state.power(0, weight)
    assert torch.allclose(sigma, torch.linalg.svdvals(weight)[:, 0], rtol=1e-4)
    copy = weight.clone().requires_grad_()
    (0.3 * (torch.linalg.svdvals(copy)[:, 0] ** 2 - 1) ** 2).sum().backward()
    assert torch.allclose(method.term(state, 0, weight), copy.grad, atol=1e-3)
    bias = torch.randn(2, 1, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    (0.3 * bias.flatten(1).norm(dim=1) ** 4).sum().backward()
    assert torch.allclose(method.term(state, 99, bias), bias.grad, atol=1e-5)


def test_the_distance_of_sorted_weights_does_not_see_their_order(tmp_path):
    members = built(tmp_path)
    method = WassersteinInit(lam=0.5)
    drawn, now = method.start(members), list(members.nets.parameters())
    assert not any(term.any() for term in method.terms(drawn, now))
    order = torch.randperm(now[0][0].numel(), generator=torch.Generator().manual_seed(0))
    mixed = [now[0].flatten(1)[:, order].view_as(now[0]), *now[1:]]
    assert not any(term.any() for term in method.terms(drawn, mixed))
    moved = [own + 0.1 for own in mixed]
    for term in method.terms(drawn, moved)[:2]:
        assert torch.allclose(term, torch.full_like(term, 0.1), atol=1e-6)


def test_l2_init_has_no_gradient_where_weights_were_drawn(tmp_path):
    members = built(tmp_path)
    method = L2Init(lam=0.5)
    state = method.start(members)
    for own in members.nets.parameters():
        own.grad = torch.zeros_like(own)
    method.before_step(state, members, None)
    assert not any(own.grad.any() for own in members.nets.parameters())
    with torch.no_grad():
        for own in members.nets.parameters():
            own += 0.2
    method.before_step(state, members, None)
    assert all(torch.allclose(o.grad, torch.full_like(o, 0.2)) for o in members.nets.parameters())


def test_a_fresh_start_learns_the_last_task_alone(tmp_path):
    class Last(ContinualMethod, frozen=True, kw_only=True):
        card: ClassVar = Naive.card

        def step(self, state, members, batch):
            if batch.t == 1:
                super().step(state, members, batch)

    found = answers(Reset().solve(blobs(), stream_run(tmp_path)))
    assert torch.equal(found, answers(Last().solve(blobs(), stream_run(tmp_path))))


def test_the_nearest_mean_is_that_of_all_rows_so_far(tmp_path):
    problem = blobs()
    x, y = torch.cat(problem.stream._x), torch.cat(problem.stream._y)
    means = torch.stack([x[y == c].mean(0) for c in range(4)])
    solution = NearestMean().solve(problem, stream_run(tmp_path))
    rows = torch.randn(30, 6, generator=torch.Generator().manual_seed(5))
    by_hand = (rows[:, None] - means).square().sum(2)
    assert torch.allclose(solution.model(rows), -by_hand, atol=1e-3)


def test_replay_keeps_what_naive_training_forgets(tmp_path):
    def first_task(method):
        problem = blobs(tasks=3, rows=200, capacity=20)
        x, y = problem.stream._x[0], problem.stream._y[0]
        model = method.solve(problem, stream_run(tmp_path)).model
        return float((model(x).argmax(1) == y).double().mean())

    lost = first_task(Naive())
    kept = {
        kind: first_task(kind())
        for kind in (ExperienceReplay, DarkExperienceReplay, GreedySamplerDumbLearner)
    }
    assert min(kept.values()) > lost + 0.2, (lost, kept)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (DarkExperienceReplay, {"alpha": -1.0}),
        (ElasticWeightConsolidation, {"gamma": 1.5}),
        (SynapticIntelligence, {"xi": 0.0}),
        (SynapticIntelligence, {"xi": 1e-300}),
        (LearningWithoutForgetting, {"temperature": 1e-300}),
        (LearningWithoutForgetting, {"temperature": 1e30}),
        (GreedySamplerDumbLearner, {"passes": 0}),
        (UtilityPerturbed, {"beta": 1.0}),
        (SpectralRegularisation, {"k": 0}),
        (SpectralRegularisation, {"k": 10_000}),
        (HardAsh, {"width": 0}),
    ],
)
def test_values_out_of_range_are_refused(kind, wrong):
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        kind(**wrong)


def test_gdumb_scales_the_gradient_of_each_net_alone_down_to_its_length():
    weights = [torch.zeros(2, 3, 4, requires_grad=True), torch.zeros(2, 1, 4, requires_grad=True)]
    generator = torch.Generator().manual_seed(0)
    for weight in weights:
        weight.grad = torch.randn(weight.shape, generator=generator)
        weight.grad[1] *= 1e-3
    before = [weight.grad.clone() for weight in weights]
    clipped(weights, 0.5)
    for k in range(2):
        alone = [torch.zeros(part[k].shape, requires_grad=True) for part in before]
        for weight, part in zip(alone, before, strict=True):
            weight.grad = part[k].clone()
        torch.nn.utils.clip_grad_norm_(alone, 0.5)
        for weight, own in zip(weights, alone, strict=True):
            torch.testing.assert_close(weight.grad[k], own.grad)
    assert torch.equal(weights[0].grad[1], before[0][1])
