"""Methods for long tails: what they are on equal classes, and their formulas by slow computation."""

import numpy as np
import pytest
import torch
from bench.builtin.methods.long_tail._priors import log_priors
from bench.builtin.methods.long_tail._weights import effective
from bench.builtin.methods.long_tail.adam import Adam
from bench.builtin.methods.long_tail.asl import AsymmetricLoss
from bench.builtin.methods.long_tail.class_balanced import ClassBalanced
from bench.builtin.methods.long_tail.class_weights import ClassWeights
from bench.builtin.methods.long_tail.drw import Drw
from bench.builtin.methods.long_tail.ldam import Ldam
from bench.builtin.methods.long_tail.ldam_drw import LdamDrw
from bench.builtin.methods.long_tail.logit_adjust import LogitAdjust
from bench.builtin.methods.long_tail.logit_adjust_post import LogitAdjustPost
from bench.builtin.methods.long_tail.nc_long_tail import NcLongTail, smallest_angles
from bench.builtin.methods.long_tail.resample import Resample
from bench.builtin.methods.long_tail.scl_relu import SclRelu, contrast
from bench.builtin.methods.long_tail.sign_sgd import SignSgd
from bench.builtin.methods.long_tail.undersample import Undersample
from bench.builtin.methods.recipes.plain import Plain
from recipes_small import blobs, outputs, runs

from bench.training.recipe import Batch, Seeds, cross_entropy

TAIL = (30, 15, 7, 3)


def a_batch(y, epoch=0):
    zeros = torch.zeros_like(y)
    return Batch(0, epoch, zeros, zeros, torch.zeros(*y.shape, 1), y)


def logits_and_labels():
    logits = 3 * torch.randn(2, 9, 4, generator=torch.Generator().manual_seed(1))
    return logits, torch.arange(18).view(2, 9) % 4


@pytest.fixture(scope="module")
def even():
    return [blobs(seed) for seed in range(2)]


@pytest.fixture(scope="module")
def plain(even, tmp_path_factory):
    return outputs(Plain(), even, tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(
    "method",
    [
        ClassWeights(),
        ClassBalanced(),
        ClassBalanced(beta=0.9999),
        Drw(),
        LogitAdjust(),
        NcLongTail(within=0.0, between=0.0),
        AsymmetricLoss(positive=0.0, negative=0.0, smoothing=0.0),
    ],
    ids=lambda method: method.card.name,
)
def test_on_classes_of_equal_size_a_method_of_weights_is_plain_training(
    method, even, plain, tmp_path
):
    for found, expected in zip(outputs(method, even, tmp_path), plain, strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_a_shift_of_equal_priors_moves_no_class(even, plain, tmp_path):
    for found, expected in zip(outputs(LogitAdjustPost(), even, tmp_path), plain, strict=True):
        torch.testing.assert_close(found.softmax(-1), expected.softmax(-1))


@pytest.mark.parametrize("method", [LogitAdjust(tau=0.0), LogitAdjustPost(tau=0.0), Drw(after=1.0)])
def test_a_method_for_tails_that_is_switched_off_is_plain_training(method, tmp_path):
    problems = [blobs(seed, TAIL) for seed in range(2)]
    found, expected = outputs(method, problems, tmp_path), outputs(Plain(), problems, tmp_path)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_deferred_weights_do_switch(tmp_path):
    problems = [blobs(seed, TAIL, epochs=5) for seed in range(2)]
    late, never = (outputs(Drw(after=after), problems, tmp_path) for after in (0.8, 1.0))
    assert not torch.equal(late[0], never[0])
    logits, y = logits_and_labels()
    seeds = Seeds(problems, runs(tmp_path, 2))
    method = Drw()
    state = method.start(seeds)
    before, after = (method.loss(state, a_batch(y, epoch), logits) for epoch in (3, 4))
    torch.testing.assert_close(before, cross_entropy(logits, y))
    weights = effective(torch.tensor([[30.0, 15, 7, 3]]), 0.9999)[0][y]
    expected = (weights * cross_entropy(logits, y)).sum(1) / weights.sum(1)
    torch.testing.assert_close(after[:, 0], expected)


def test_effective_numbers_run_from_equal_weights_to_inverse_sizes():
    sizes = torch.tensor([[30.0, 15.0, 7.0, 3.0]])
    torch.testing.assert_close(effective(sizes, 0.0), torch.ones(1, 4))
    inverse = (1 / sizes) / (1 / sizes).mean()
    torch.testing.assert_close(effective(sizes, 1 - 1e-9), inverse, rtol=1e-4, atol=0)
    assert float(effective(sizes, 0.9).sum()) == pytest.approx(4.0)


def test_resampled_rows_have_equal_classes_on_average(tmp_path):
    seeds = Seeds([blobs(seed, TAIL) for seed in range(2)], runs(tmp_path, 2))
    method = Resample()
    state = method.start(seeds)
    order = seeds.order()
    rows = torch.cat([method.rows(state, epoch, order) for epoch in range(200)], 1)
    shares = torch.nn.functional.one_hot(seeds.y.gather(1, rows), 4).float().mean(1)
    # 11,000 draws: the standard error of a share of 1/4 is .004
    assert (shares - 0.25).abs().max() < 0.02


def test_an_undersampled_epoch_has_the_smallest_class_of_each_and_as_many_steps(tmp_path):
    seeds = Seeds([blobs(seed, TAIL) for seed in range(2)], runs(tmp_path, 2))
    method = Undersample()
    state = method.start(seeds)
    first, second = (method.rows(state, epoch, seeds.order()) for epoch in range(2))
    assert first.shape == (2, 55)
    for k in range(2):
        distinct = first[k].unique()
        assert seeds.y[k][distinct].bincount().tolist() == [3, 3, 3, 3]
        assert set(first[k, :12].tolist()) == set(distinct.tolist())
        assert set(second[k].tolist()) != set(distinct.tolist())


def test_adjusted_logits_in_training_and_after_it_are_the_same_shift(tmp_path):
    problems = [blobs(seed, TAIL) for seed in range(2)]
    seeds = Seeds(problems, runs(tmp_path, 2))
    priors = log_priors(seeds)
    torch.testing.assert_close(priors[0].exp(), torch.tensor(TAIL) / 55.0)
    logits, y = logits_and_labels()
    method = LogitAdjust(tau=1.5)
    found = method.loss(method.start(seeds), a_batch(y), logits)
    torch.testing.assert_close(found, cross_entropy(logits + 1.5 * priors[:, None], y))
    plain, post = (
        outputs(method, problems, tmp_path) for method in (Plain(), LogitAdjustPost(tau=1.5))
    )
    for k in range(2):
        torch.testing.assert_close(post[k], plain[k] - 1.5 * priors[k])


def test_margins_grow_with_rarity_up_to_the_largest(tmp_path):
    seeds = Seeds([blobs(seed, TAIL) for seed in range(2)], runs(tmp_path, 2))
    seeds.nets = seeds.build()
    method = Ldam(largest=0.5)
    margins = method.start(seeds).margins[0]
    expected = np.array(TAIL) ** -0.25
    np.testing.assert_allclose(margins, 0.5 * expected / expected.max(), rtol=1e-5)
    cosines, y = logits_and_labels()
    found = method.loss(method.start(seeds), a_batch(y), cosines)
    for k in range(2):
        for i in range(9):
            shifted = cosines[k, i].clone()
            shifted[y[k, i]] -= margins[y[k, i]]
            lost = torch.nn.functional.cross_entropy(30 * shifted[None], y[k, i][None])
            torch.testing.assert_close(found[k, i], lost)


class Cosines(Plain):
    """Plain training of a net whose logits are five times the cosines of features and classes."""

    def forward(self, state, nets, batch):
        hidden = batch.x
        for weight, bias in list(zip(nets.weights, nets.biases, strict=True))[:-1]:
            hidden = (torch.einsum("kbi,koi->kbo", hidden, weight) + bias).relu()
        return 5 * torch.cosine_similarity(hidden[:, :, None], nets.weights[-1][:, None], dim=-1)

    def readout(self, state, nets, k):
        def model(x):
            alone = type(nets.member(k)).features(nets.member(k), x)
            return 5 * torch.cosine_similarity(alone[:, None], nets.weights[-1][k][None], dim=-1)

        return model


@pytest.mark.parametrize("sizes", [(12, 12, 12, 12), TAIL], ids=["equal", "tail"])
def test_margins_of_nothing_are_plain_training_of_scaled_cosines(sizes, tmp_path):
    problems = [blobs(seed, sizes) for seed in range(2)]
    expected = outputs(Cosines(), problems, tmp_path)
    methods = [Ldam(largest=0.0, scale=5.0), LdamDrw(largest=0.0, scale=5.0, after=1.0)]
    if sizes[0] == sizes[-1]:  # weights of equal classes are equal
        methods.append(LdamDrw(largest=0.0, scale=5.0, after=0.0))
    for method in methods:
        for found, plain in zip(outputs(method, problems, tmp_path), expected, strict=True):
            torch.testing.assert_close(found, plain.detach(), rtol=0, atol=1e-4)
    wide = outputs(Ldam(scale=5.0), problems, tmp_path)
    assert not torch.allclose(wide[0], expected[0], atol=1e-2)


def test_the_asymmetric_loss_by_hand():
    logits, y = logits_and_labels()
    found = AsymmetricLoss(positive=1.0, negative=2.0, smoothing=0.1).loss(None, a_batch(y), logits)
    for k in range(2):
        for i in range(9):
            p = logits[k, i].double().softmax(0)
            lost = 0.0
            for c in range(4):
                own = int(y[k, i]) == c
                weight = (1 - p[c]) if own else p[c] ** 2
                lost -= (0.9 * own + 0.025) * weight * p[c].log()
            assert float(found[k, i]) == pytest.approx(float(lost), rel=1e-4)


def test_the_contrastive_loss_by_hand():
    features = torch.nn.functional.normalize(
        torch.randn(1, 6, 3, generator=torch.Generator().manual_seed(0)), dim=-1
    )
    y = torch.tensor([[0, 0, 0, 1, 1, 2]])
    found = contrast(features, y, 0.2)[0]
    for i in range(6):
        others = [j for j in range(6) if j != i]
        friends = [j for j in others if y[0, j] == y[0, i]]
        close = {j: float(features[0, i] @ features[0, j]) / 0.2 for j in others}
        whole = np.log(sum(np.exp(value) for value in close.values()))
        expected = np.mean([whole - close[j] for j in friends]) if friends else 0.0
        assert float(found[i]) == pytest.approx(expected, abs=1e-5)


def test_bound_rows_are_two_of_each_class(tmp_path):
    problems = [blobs(seed, (20, 5, 2, 1)) for seed in range(2)]
    seeds = Seeds(problems, runs(tmp_path, 2))
    bound = SclRelu(bind=True).start(seeds).bound
    for k in range(2):
        assert seeds.y[k][bound[k]].tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
        assert bound[k].unique().numel() == 7  # the class of one row has it twice
    found = outputs(SclRelu(bind=True), problems, tmp_path)
    assert found[0].shape == (28, 4)


def test_a_contrastive_net_freezes_its_features_for_the_head(tmp_path):
    problems = [blobs(seed, epochs=10) for seed in range(2)]
    kept = []

    class Looking(SclRelu):
        def after_epoch(self, state, epoch):
            kept.append([weight.detach().clone() for weight in state.seeds.nets.weights])

    Looking(share=0.5).solve_stacked(problems, runs(tmp_path, 2))
    assert not torch.equal(kept[3][0], kept[4][0])
    assert torch.equal(kept[3][-1], kept[4][-1])
    assert torch.equal(kept[4][0], kept[9][0])
    assert not torch.equal(kept[4][-1], kept[9][-1])


def test_the_head_of_a_contrastive_net_fits_the_rows_of_a_rare_class(tmp_path):
    problem = blobs(0, sizes=TAIL, epochs=60, widths=(32, 32))
    (found,) = outputs(SclRelu(), [problem], tmp_path)
    assert (found.argmax(-1) == problem.y)[problem.y == 3].all()


def test_the_smallest_angles_of_a_simplex_are_all_the_same():
    simplex = torch.eye(4)[None] + 3.0
    expected = torch.full((1, 4), np.arccos(-1 / 3), dtype=torch.float32)
    torch.testing.assert_close(smallest_angles(simplex), expected)
    near = torch.tensor([[[1.0, 0.0], [1.0, 0.1], [-2.0, -0.1]]])
    angles = smallest_angles(near)[0]
    assert float(angles[0]) == pytest.approx(float(angles[1]))
    assert angles[0] < angles[2]


def test_pulling_features_together_lowers_their_spread(tmp_path):
    problems = [blobs(seed, TAIL, epochs=20, lr=0.02) for seed in range(2)]
    spread = []
    for method in (NcLongTail(within=0.0, between=0.0), NcLongTail(within=0.3, between=0.0)):
        solution = method.solve_stacked(problems, runs(tmp_path, 2))[0]
        features, y = solution.model.features(problems[0].x), problems[0].y
        means = torch.stack([features[y == c].mean(0) for c in range(4)])
        within = (features - means[y]).square().sum(-1).mean()
        spread.append(float(within / means.var(0).sum()))
    assert spread[1] < spread[0]


def test_a_step_by_signs_moves_every_weight_by_the_rate(tmp_path):
    problems = [blobs(seed, epochs=1, batch_size=48) for seed in range(2)]
    seeds = Seeds(problems, runs(tmp_path, 2))
    seeds.nets = seeds.build()
    before = [weight.detach().clone() for weight in seeds.nets.parameters()]
    method = SignSgd(lr=0.01)
    optimiser = method.optimiser(seeds)
    for group in optimiser.param_groups:
        group["lr"] = problems[0].lr
    method.step(method.start(seeds), seeds.nets, optimiser, next(seeds.epoch(0)))
    for weight, start in zip(seeds.nets.parameters(), before, strict=True):
        moved = (weight.detach() - start).abs()
        assert ((moved - 0.01).abs() < 1e-6).logical_or(moved == 0).all()


def test_adam_starts_at_its_own_rate(tmp_path):
    problems = [blobs(seed, epochs=1, batch_size=48) for seed in range(2)]
    seeds = Seeds(problems, runs(tmp_path, 2))
    seeds.nets = seeds.build()
    method = Adam(lr=0.003)
    optimiser = method.optimiser(seeds)
    for group in optimiser.param_groups:
        group["lr"] = problems[0].lr
    method.step(method.start(seeds), seeds.nets, optimiser, next(seeds.epoch(0)))
    assert [group["lr"] for group in optimiser.param_groups] == pytest.approx(
        [0.003] * len(optimiser.param_groups)
    )
