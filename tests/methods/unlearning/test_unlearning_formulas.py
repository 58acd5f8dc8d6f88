"""Each method's formula against a slow computation of it, or a case worked by hand."""

import contextlib
import math

import msgspec
import pytest
import torch
from bench.builtin.methods.unlearning import iu
from bench.builtin.methods.unlearning.audit_lira import AuditLira
from bench.builtin.methods.unlearning.bad_teacher import BadTeacher
from bench.builtin.methods.unlearning.blindspot import Blindspot, attention
from bench.builtin.methods.unlearning.cf_k import LastLayers
from bench.builtin.methods.unlearning.ft import FineTune
from bench.builtin.methods.unlearning.ga import GradientAscent
from bench.builtin.methods.unlearning.gaussian_amnesiac import GaussianAmnesiac
from bench.builtin.methods.unlearning.iu import InfluenceUnlearning, curved, recursion
from bench.builtin.methods.unlearning.l1_sparse import L1Sparse
from bench.builtin.methods.unlearning.l_codec import LCodec, foci, gradient, newton
from bench.builtin.methods.unlearning.laf import LabelAgnosticForgetting, alignment, turned
from bench.builtin.methods.unlearning.neggrad_plus import NegGradPlus
from bench.builtin.methods.unlearning.original import Original
from bench.builtin.methods.unlearning.prune_then import PruneThen
from bench.builtin.methods.unlearning.salun import SalUn
from bench.builtin.methods.unlearning.scrub import Scrub
from bench.builtin.methods.unlearning.ssd import (
    SelectiveSynapticDampening,
    dampened,
    importance,
)
from bench.builtin.methods.unlearning.stochastic_teacher import StochasticTeacher
from bench.builtin.methods.unlearning.visual_memory import VisualMemory
from torch.distributions import Normal
from torch.nn import functional as F

from bench.tracks.unlearning import (
    Group,
    Perceptrons,
    beside,
    confidence,
    cross_entropy,
    divergence,
)

CPU = torch.device("cpu")


def whole(problem):
    """The problem with one batch for everything, so that an epoch is a step."""
    return msgspec.structs.replace(problem, batch_size=1000, momentum=0.0)


def fitted(problem, run):
    """The problem with labels that the original predicts on every row, and
    with none on the validation rows.
    """
    model = Original().solve(problem, run).model
    return msgspec.structs.replace(
        problem, y=model(problem.x).argmax(-1), y_val=(model(problem.x_val).argmax(-1) + 1) % 4
    )


def flat(net):
    return torch.cat(
        [net[f"{layer}.weight"].flatten() for layer in range(len(net) // 2)]
        + [net[f"{layer}.bias"] for layer in range(len(net) // 2)]
    )


def slow_step(problem, loss, lr):
    """One plain gradient step from the original on ``loss(net)``, ``net`` from inputs to logits."""
    layers = [
        (
            problem.weights[f"{k}.weight"].clone().requires_grad_(),
            problem.weights[f"{k}.bias"].clone().requires_grad_(),
        )
        for k in range(3)
    ]

    def net(x):
        for position, (weight, bias) in enumerate(layers):
            x = F.linear(x.relu() if position else x, weight, bias)
        return x

    loss(net, [parameter for pair in layers for parameter in pair]).backward()
    return {
        f"{k}.{name}": (value - lr * value.grad).detach()
        for k, pair in enumerate(layers)
        for name, value in zip(("weight", "bias"), pair, strict=True)
    }


def assert_near(found, expected):
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-5)


# One step of each loss -------------------------------------------------------------


def test_one_step_of_fine_tuning_l1_and_neggrad_is_a_step_on_their_loss(toy, run_of):
    problem = whole(toy())
    x_r, y_r, x_s, y_s = (
        problem.x[~problem.forget],
        problem.y[~problem.forget],
        problem.x[problem.forget],
        problem.y[problem.forget],
    )
    ce = F.cross_entropy
    assert_near(
        FineTune(rate=2, epochs=1).solve(problem, run_of()).weights,
        slow_step(problem, lambda net, _: ce(net(x_r), y_r), 0.1),
    )
    expected = slow_step(
        problem,
        lambda net, all_: ce(net(x_r), y_r) + 0.01 * sum(part.abs().sum() for part in all_),
        0.1,
    )
    assert_near(L1Sparse(lr=0.1, epochs=1, alpha=0.01).solve(problem, run_of()).weights, expected)
    expected = slow_step(
        problem, lambda net, _: 0.7 * ce(net(x_r), y_r) - 0.3 * ce(net(x_s), y_s), 0.1
    )
    assert_near(NegGradPlus(lr=0.1, epochs=1, alpha=0.7).solve(problem, run_of()).weights, expected)


def test_the_weight_of_the_l1_penalty_falls_linearly_to_0(toy, run_of):
    problem = whole(toy())
    two = L1Sparse(lr=0.1, epochs=2, alpha=0.02, falling=False).solve(problem, run_of()).weights
    once = L1Sparse(lr=0.1, epochs=1, alpha=0.02, falling=False).solve(problem, run_of()).weights
    then = (
        L1Sparse(lr=0.1, epochs=1, alpha=0.01, falling=False)
        .solve(msgspec.structs.replace(problem, weights=once), run_of())
        .weights
    )
    assert_near(two, then)


def test_gradient_ascent_climbs_the_loss_of_the_forgotten_rows_by_clipped_steps(toy, run_of):
    problem = whole(fitted(toy(), run_of()))
    x_s, y_s = problem.x[problem.forget], problem.y[problem.forget]
    expected = slow_step(problem, lambda net, _: -F.cross_entropy(net(x_s), y_s), 0.01)
    assert_near(
        GradientAscent(rate=0.2, epochs=1, clip=1e9).solve(problem, run_of()).weights, expected
    )
    moved = flat(
        GradientAscent(rate=0.2, epochs=1, clip=1e-3).solve(problem, run_of()).weights
    ) - flat(problem.weights)
    assert moved.norm().item() == pytest.approx(0.01 * 1e-3, rel=1e-2)


def test_gradient_ascent_leaves_a_model_alone_whose_forget_accuracy_is_down_to_the_validation_accuracy(
    toy, run_of
):
    problem = fitted(toy(), run_of())
    # none of S is predicted as labelled
    hopeless = msgspec.structs.replace(
        problem, y=torch.where(problem.forget, (problem.y + 1) % 4, problem.y)
    )
    found = GradientAscent(rate=20, epochs=3).solve_stacked(
        [hopeless, problem], [run_of(0), run_of(1)]
    )
    assert torch.equal(flat(found[0].weights), flat(problem.weights))
    assert not torch.equal(flat(found[1].weights), flat(problem.weights))


def test_a_max_step_of_scrub_leaves_the_original_and_a_min_step_stays(toy, run_of):
    problem = whole(toy())
    x_r, y_r = problem.x[~problem.forget], problem.y[~problem.forget]
    original = Original().solve(problem, run_of()).model
    expected = slow_step(
        problem,
        lambda net, _: (
            0.5 * F.cross_entropy(net(x_r), y_r)
            + 0.2
            * 16
            * F.kl_div(
                (net(x_r) / 4).log_softmax(-1),
                (original(x_r) / 4).log_softmax(-1),
                reduction="batchmean",
                log_target=True,
            )
        ),
        0.1,
    )
    assert_near(
        Scrub(lr=0.1, epochs=1, msteps=0, alpha=0.2, gamma=0.5).solve(problem, run_of()).weights,
        expected,
    )
    small = msgspec.structs.replace(problem, batch_size=3)
    x_s = problem.x[problem.forget]
    apart = [
        divergence(
            original(x_s),
            Scrub(lr=0.1, epochs=2, msteps=msteps, alpha=0.0, gamma=1.0)
            .solve(small, run_of())
            .model(x_s),
        )
        .mean()
        .item()
        for msteps in (0, 1, 2)
    ]
    # at the original itself the divergence has no slope
    assert apart[0] == pytest.approx(apart[1], rel=0.2)
    assert apart[2] > 1.5 * apart[0]


def test_bad_teaching_pulls_forgotten_rows_to_a_random_net_and_leaves_the_others(toy, run_of):
    problem = toy()
    run = run_of()
    bad = Group([problem], [run_of()]).fresh("method", "teacher").member(0)
    taught = BadTeacher(lr=0.05, epochs=40, share=1.0).solve(problem, run).model
    original = Original().solve(problem, run_of()).model
    x_s, x_r = problem.x[problem.forget], problem.x[~problem.forget]
    assert (
        divergence(bad(x_s), taught(x_s)).mean() < 0.5 * divergence(bad(x_s), original(x_s)).mean()
    )
    assert divergence(original(x_r), taught(x_r)).mean() < 0.3
    erased = StochasticTeacher(lr=0.05, erase=40, rebuild=0).solve(problem, run_of()).model
    assert (
        divergence(bad(x_s), erased(x_s)).mean() < 0.2 * divergence(bad(x_s), original(x_s)).mean()
    )


# SalUn ------------------------------------------------------------------------------


def test_salun_keeps_the_weights_of_largest_gradient_and_moves_no_other_whatever_momentum_and_decay_do(
    toy, run_of
):
    problem = msgspec.structs.replace(toy(), momentum=0.9, weight_decay=0.01)
    method = SalUn(rate=0.3, lr=0.05, epochs=2)
    group = Group([problem, toy(1)], [run_of(0), run_of(1)])
    nets = group.originals()
    masks = torch.cat([mask.flatten(1) for mask in method.masks(group, nets)], 1)
    total = sum(value.numel() for value in problem.weights.values())
    assert masks.sum(1).tolist() == [round(0.3 * total)] * 2
    x_s, y_s = problem.x[problem.forget], problem.y[problem.forget]
    assert len(y_s) <= problem.batch_size  # one batch: the saliency is the gradient of its mean
    before, after = (
        flat(problem.weights),
        flat(slow_step(problem, lambda net, _: -F.cross_entropy(net(x_s), y_s), 1.0)),
    )
    saliency = (before - after).abs()
    order = torch.cat(
        [
            saliency[: sum(weight[0].numel() for weight in nets.weights)],
            saliency[sum(weight[0].numel() for weight in nets.weights) :],
        ]
    )
    assert order[masks[0] == 1].min() >= order[masks[0] == 0].max() - 1e-6
    for decay in (0.01, 0.0):
        problem = msgspec.structs.replace(problem, weight_decay=decay)
        moved = flat(method.solve(problem, run_of(0)).weights) != before
        assert not moved[masks[0] == 0].any()
        # a weight of a unit that is off moves by decay alone
        assert moved[masks[0] == 1].double().mean() > (0.9 if decay else 0.6)


# Fewer layers, influence -------------------------------------------------------------


@pytest.mark.parametrize("fresh", [False, True], ids=["from the original", "from new values"])
def test_fine_tuning_of_the_last_layers_leaves_the_others(toy, run_of, fresh):
    problem = msgspec.structs.replace(toy(), weight_decay=0.01)
    found = LastLayers(k=2, fresh=fresh, epochs=0 if fresh else 2).solve(problem, run_of()).weights
    assert [
        layer
        for layer in range(3)
        if not torch.equal(found[f"{layer}.weight"], problem.weights[f"{layer}.weight"])
    ] == [1, 2]
    drawn = Group([problem], [run_of()]).fresh("method", "layers").net(0)
    assert torch.equal(found["2.weight"], drawn["2.weight"]) == fresh


def test_influence_unlearning_of_a_linear_regression_is_least_squares_without_the_rows(toy, run_of):
    problem = msgspec.structs.replace(line(toy), widths=())
    ones = torch.ones(len(problem.x), 1)
    design = torch.cat([problem.x, ones], 1).double()
    y = (
        problem.y.double()
        + torch.randn(len(problem.y), generator=torch.Generator().manual_seed(0)).double()
    )
    full, without = (
        torch.linalg.lstsq(design[rows], y[rows, None]).solution[:, 0].float()
        for rows in (slice(None), ~problem.forget)
    )
    problem = msgspec.structs.replace(
        problem, y=y.float(), weights={"0.weight": full[None, :6], "0.bias": full[6:]}
    )
    found = (
        InfluenceUnlearning(rows=10_000, damping=1e-8, iterations=20)
        .solve(problem, run_of())
        .weights
    )
    assert (full - without).abs().max() > 0.01
    torch.testing.assert_close(
        torch.cat([found["0.weight"][0], found["0.bias"]]), without, rtol=1e-3, atol=1e-4
    )


def test_the_curvature_of_influence_unlearning_is_the_gauss_newton_matrix(toy, run_of):
    problem = toy()
    group = Group([problem], [run_of()])
    nets = group.originals()
    direction = torch.randn(
        1,
        sum(part[0].numel() for part in nets.parameters()),
        generator=torch.Generator().manual_seed(0),
    )
    found = curved(group, nets, group.retain, direction)[0]
    names, own = zip(*nets.named_parameters(), strict=True)
    x = problem.x[~problem.forget]
    jacobian = torch.autograd.functional.jacobian(
        lambda *parts: torch.func.functional_call(
            nets, dict(zip(names, parts, strict=True)), (x[None],)
        )[0],
        own,
    )
    j = torch.cat([part.flatten(2) for part in jacobian], 2)  # rows, classes, weights
    p = nets(x[None])[0].softmax(-1).detach()
    middle = torch.diag_embed(p) - p[:, :, None] * p[:, None]
    torch.testing.assert_close(
        found,
        torch.einsum("ncp,ncd,ndq,q->p", j, middle, j, direction[0]) / len(x),
        rtol=1e-3,
        atol=1e-5,
    )


def test_the_recursion_of_the_repository_moves_along_the_first_gradient_alone():
    generator = torch.Generator().manual_seed(0)
    v, gradients = (
        torch.randn(1, 8, generator=generator),
        [torch.randn(1, 8, generator=generator) for _ in range(5)],
    )
    start, slow = gradients[0].clone(), v.clone()
    for g in gradients[1:]:  # the first only starts it, and N is 1000 however few there are
        t = float(start @ g.T)
        slow = slow - float(slow @ g.T) / (1000 + t) * start
        start = start - t / (1000 + t) * start
    torch.testing.assert_close(recursion(v, gradients), slow)
    moved = recursion(v, gradients) - v
    assert torch.nn.functional.cosine_similarity(moved, gradients[0]).abs().item() == pytest.approx(
        1, abs=1e-5
    )


def test_single_gradients_of_several_rows_at_once_are_those_of_one_row_and_keep_to_the_masks(
    toy, run_of, monkeypatch
):
    group = Group([toy(), toy(1)], [run_of(0), run_of(1)])
    nets = group.originals()
    masks = [(torch.rand(part.shape) < 0.5).float() for part in nets.parameters()]
    group.begin_with(nets, masks)
    nets, rows = group.originals().eval(), group.retain[:, :7]
    slow = [gradient(group, nets, row) for row in rows.split(1, 1)]
    assert (slow[0] == 0).double().mean() > 0.4
    size = sum(part.numel() for part in nets.parameters())
    for together in (1, 3, 100):
        monkeypatch.setattr(iu, "_COPIED", together * size)
        found = list(iu.singly(group, nets, rows))
        for one, other in zip(found, slow, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_neggrad_in_one_pass_is_neggrad_in_two_and_batchnorm_keeps_to_two(toy, run_of):
    group, method = Group([toy(), toy(1)], [run_of(0), run_of(1)]), NegGradPlus(alpha=0.7)
    stays, goes = group.batch(group.retain[:, :24]), group.batch(group.forget[:, :9])
    found = []
    for together in (True, False):
        nets = group.originals()
        method.descend(group, nets, stays, goes, together)
        found.append(torch.cat([part.grad.flatten(1) for part in nets.parameters()], 1))
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-6)
    assert not list(nets.buffers())
    pictures = toy(shape=(1, 6, 6), net="cnn", widths=(3, 4))
    assert list(Group([pictures], [run_of()]).originals().buffers())


def test_a_teacher_is_asked_once_about_the_rows_that_it_speaks_of(toy, run_of):
    run = run_of()
    group = Group([toy()], [run])
    nets = group.originals()
    table = group.known(nets, group.forget, group.retain[:, :5])
    asked = torch.cat([group.forget, group.retain[:, :5]], 1)
    assert run._counts["forward"] == asked.shape[1]
    torch.testing.assert_close(beside(table, asked), group.outputs(nets, asked))
    assert not beside(table, group.retain[:, 5:]).any()


# Pruning, dampening -----------------------------------------------------------------


def test_pruning_zeroes_the_smallest_weights_for_good_and_no_bias(toy, run_of):
    problem = toy()
    weights = PruneThen(sparsity=0.6, rewind=1).solve(problem, run_of()).weights
    before = torch.cat([problem.weights[f"{layer}.weight"].flatten() for layer in range(3)]).abs()
    after = torch.cat([weights[f"{layer}.weight"].flatten() for layer in range(3)])
    kept = after != 0
    assert kept.sum() <= round(0.4 * len(before))
    assert kept.sum() >= 0.35 * len(before)
    assert (
        before[kept].min() >= before[before.argsort(descending=True)[round(0.4 * len(before)) - 1]]
    )
    assert all(
        (weights[f"{layer}.bias"] != problem.weights[f"{layer}.bias"]).any() for layer in range(3)
    )


def test_importance_is_the_mean_square_of_batch_gradients_and_dampening_follows_it(toy, run_of):
    problem = toy()
    group = Group([problem], [run_of()])
    found = importance(group, group.originals(), group.forget)
    x_s, y_s = problem.x[problem.forget], problem.y[problem.forget]
    gradient = {
        name: problem.weights[name] - value
        for name, value in slow_step(
            problem, lambda net, _: F.cross_entropy(net(x_s), y_s), 1.0
        ).items()
    }
    torch.testing.assert_close(found[0][0], gradient["0.weight"].square(), rtol=1e-2, atol=1e-6)
    nets = Perceptrons.of(
        [{"0.weight": torch.tensor([[1.0, 1.0, 1.0]]), "0.bias": torch.ones(1)}], CPU
    )
    everything = [torch.tensor([[[1.0, 1.0, 1.0]]]), torch.ones(1, 1, 1)]
    forget = [torch.tensor([[[1.0, 3.0, 8.0]]]), torch.ones(1, 1, 1)]
    # min(1, 2 / 3), 2 / 8
    assert dampened(nets, everything, forget, 2.0, 2.0).weights[0][0, 0].tolist() == pytest.approx(
        [1.0, 2 / 3, 0.25]
    )


# L-CODEC ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_l_foci_finds_the_two_columns_that_the_target_is_made_of_among_ten(seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(200, 10, generator=generator)
    assert sorted(foci(x, x[:, 0].sin() + x[:, 1], generator, 10)) == [0, 1]


def test_the_first_coefficient_of_l_foci_is_chatterjee_s_by_a_slow_loop():
    generator = torch.Generator().manual_seed(5)
    x, target = torch.randn(12, 3, generator=generator), torch.randn(12, generator=generator)
    values = []
    rank = [int((target <= value).sum()) for value in target]
    left = [int((target >= value).sum()) for value in target]
    for column in range(3):
        total = 0
        for i in range(12):
            gaps = [
                abs(float(x[i, column] - x[j, column])) if j != i else math.inf for j in range(12)
            ]
            total += 12 * min(rank[i], rank[gaps.index(min(gaps))]) - left[i] ** 2
        values.append(total / sum(value * (12 - value) for value in left))
    assert foci(x, target, generator, 1) == [values.index(max(values))]


def test_the_newton_step_is_that_of_the_dense_curvature():
    generator = torch.Generator().manual_seed(0)
    slope, moved, bend, own = (
        torch.randn(2, 7, generator=generator, dtype=torch.float64) for _ in range(4)
    )
    bend, own = (
        bend * (bend * moved).sum(1, keepdim=True).sign(),
        0.1 * own * (own * moved).sum(1, keepdim=True).sign(),
    )
    found = newton(slope, moved, bend, own, n=100, size=5, damping=0.3)
    for k in range(2):
        curvature = [torch.outer(y, y) / (y @ moved[k]) for y in (bend[k], own[k])]
        dense = (100 * curvature[0] - 5 * curvature[1]) / 95 + 0.3 * torch.eye(
            7, dtype=torch.float64
        )
        assert slope[k] @ torch.linalg.solve(dense, slope[k]) > 0
        torch.testing.assert_close(
            found[k], torch.linalg.solve(dense, slope[k]), rtol=1e-5, atol=1e-6
        )


def test_an_update_moves_the_chosen_units_alone_and_one_that_costs_too_much_is_undone(toy, run_of):
    problem = toy()
    before = flat(problem.weights)
    moved = flat(LCodec(select="one", batch=20).solve(problem, run_of()).weights) != before
    assert 0 < moved.sum() <= 13  # a unit of the hidden layer has 12 weights and a bias
    assert torch.equal(
        flat(LCodec(damping=1e-9, drop=0.0, select="full").solve(problem, run_of()).weights), before
    )
    assert not torch.equal(
        flat(LCodec(drop=100.0).solve(problem, run_of()).weights),
        flat(LCodec(drop=100.0, compat=True).solve(problem, run_of()).weights),
    )
    assert not torch.equal(
        flat(LCodec(drop=100.0).solve(problem, run_of()).weights),
        flat(LCodec(drop=100.0, epsilon=1e6).solve(problem, run_of()).weights),
    )


# LAF ---------------------------------------------------------------------------------


def test_laf_gets_no_labels(toy, run_of):
    problem = toy()
    method = LabelAgnosticForgetting(vae_epochs=1, epochs=1, lr_forget=1e-3, lr_align=1e-3)
    assert (Group([problem], [run_of()], labels=method.labels).y == -1).all()
    other = msgspec.structs.replace(problem, y=problem.y.flip(0), y_val=problem.y_val.flip(0))
    found = method.solve(problem, run_of()).weights
    assert torch.equal(flat(found), flat(method.solve(other, run_of()).weights))
    assert torch.equal(found["2.weight"], problem.weights["2.weight"])  # the head stays
    assert not torch.equal(found["0.weight"], problem.weights["0.weight"])


def test_the_alignment_of_laf_by_hand():
    assert turned(
        torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.0, 2.0]]])
    ).item() == pytest.approx(1)
    stays, goes = torch.tensor([[0.1, 0.3]]), torch.tensor([[0.2, 0.4]])
    bottom = math.exp(0.2 / 5) + math.exp(0.4 / 5)
    expected = (math.log(math.exp(0.1) / bottom) + math.log(math.exp(0.3) / bottom)) / 2
    assert alignment(stays, goes, 5.0).item() == pytest.approx(expected, rel=1e-5)


def test_an_official_epoch_of_laf_ends_with_the_shorter_of_both_sets_and_ours_with_the_rows_that_stay(
    toy, run_of
):
    problem = toy()  # 60 rows that stay, 10 to forget, batches of 24
    for walk, pairs in (("retain", 60 + 3 * 10), ("shorter", 24 + 10)):
        run = run_of()
        LabelAgnosticForgetting(vae_epochs=0, epochs=2, walk=walk).solve(problem, run)
        # both losses visit a pair of batches; the original saw every row before
        assert run._counts["backward"] == 2 * 2 * pairs
        assert run._counts["forward"] == 2 * 2 * pairs + 70


# A class that goes as a whole ----------------------------------------------------------


def test_what_a_class_that_goes_as_a_whole_costs_on_validation_rows_does_not_count(toy, run_of):
    problem = toy()
    gone = msgspec.structs.replace(problem, forget=problem.y == 2)
    group = Group([gone], [run_of()])
    nets = group.originals()
    kept = gone.y_val != 2
    right = nets(gone.x_val[None])[0].argmax(-1) == gone.y_val
    assert group.accuracy(nets).item() == pytest.approx(right[kept].double().mean().item())
    assert group.expected(nets).item() == 0
    whole = Group([problem], [run_of()])
    assert whole.expected(nets).item() == pytest.approx(right.double().mean().item())
    before = (nets(gone.x[gone.forget][None])[0].argmax(-1) == 2).double().mean()
    model = SelectiveSynapticDampening(drop=30.0).solve(gone, run_of()).model
    after = (model(gone.x[gone.forget]).argmax(-1) == 2).double().mean()
    assert after < before - 0.2


def test_gradient_ascent_of_a_regression_stops_where_the_error_is_up_to_that_on_unseen_rows(
    toy, run_of
):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        problem = line(toy)
    group = Group([problem], [run_of()])
    nets = group.originals()
    error = group.loss(group.outputs(nets, group.forget), group.y.gather(1, group.forget)).mean()
    unseen = group.loss(nets(group.x_val), group.y_val).mean()
    assert GradientAscent.fitted(group, nets).item() == (error < unseen).item()
    harder = msgspec.structs.replace(problem, y_val=problem.y_val + 10)
    easier = msgspec.structs.replace(problem, y=problem.y + 10)
    moved = GradientAscent(rate=0.1, epochs=2)
    assert not torch.equal(flat(moved.solve(harder, run_of()).weights), flat(problem.weights))
    assert torch.equal(flat(moved.solve(easier, run_of()).weights), flat(problem.weights))


# A visual memory ----------------------------------------------------------------------


def test_a_memory_votes_by_rank_among_the_rows_that_stay(toy, run_of):
    problem = toy()
    solution = VisualMemory(k=3, smoothing=0.1).solve(problem, run_of())
    x, y = problem.x[~problem.forget], problem.y[~problem.forget]
    query = problem.x_val[:4]
    for row, said in zip(query, solution.model(query).exp(), strict=True):
        near = torch.stack([F.cosine_similarity(row, other, dim=0) for other in x]).topk(3).indices
        votes = torch.zeros(4)
        for weight, place in zip((1 / 2, 1 / 3, 1 / 4), near, strict=True):
            votes[y[place]] += weight
        torch.testing.assert_close(said, 0.9 * votes / votes.sum() + 0.1 / 4)
    assert solution.exact
    assert solution.stored == x.nbytes + y.nbytes


# Regression -----------------------------------------------------------------------------


def line(toy, seed=0):
    problem = toy(seed)
    nets = Perceptrons((6, 12, 8, 1), [contextlib.nullcontext()], CPU)
    return msgspec.structs.replace(
        problem,
        weights=nets.net(0),
        y=problem.x[:, 0].clone(),
        y_val=problem.x_val[:, 0].clone(),
        n_classes=0,
    )


def test_amnesiac_targets_are_redrawn_for_forgotten_rows_alone(toy, run_of):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        problem = line(toy)
    other = msgspec.structs.replace(
        problem, y=torch.where(problem.forget, problem.y.flip(0), problem.y)
    )
    alike = msgspec.structs.replace(
        other, y=torch.where(problem.forget, problem.y[problem.forget].mean(), problem.y)
    )
    found = [
        GaussianAmnesiac(epochs=1).solve(item, run_of()).weights for item in (problem, other, alike)
    ]
    # of the old targets only mean and spread are left
    assert (flat(found[0]) - flat(found[1])).abs().max() < 1e-2
    assert torch.equal(
        flat(GaussianAmnesiac(epochs=0).solve(problem, run_of()).weights), flat(problem.weights)
    )


def test_the_loss_of_blindspot_by_a_slow_computation():
    generator = torch.Generator().manual_seed(0)
    layers = [torch.randn(1, 4, 5, generator=generator), torch.randn(1, 4, 1, generator=generator)]
    guide = [torch.randn(1, 4, 5, generator=generator), torch.randn(1, 4, 1, generator=generator)]
    y, inside = torch.randn(1, 4, generator=generator), torch.tensor([[1.0, 0.0, 0.0, 1.0]])
    on_forgotten = 0.0
    for row in (0, 3):
        maps = [
            layer[0, row].square() / layer[0, row].square().norm()
            for layer in (layers[0], guide[0])
        ]
        on_forgotten += (
            abs(layers[1][0, row, 0] - guide[1][0, row, 0])
            + 50 * (maps[0] - maps[1]).square().mean()
        ) / 2
    on_retained = sum(abs(layers[1][0, row, 0] - y[0, row]) for row in (1, 2)) / 2
    torch.testing.assert_close(
        Blindspot().losses(layers, guide, y, inside),
        (0.5 * on_forgotten + 0.5 * on_retained).view(1, 1),
    )
    torch.testing.assert_close(
        attention(torch.tensor([[[3.0, 0.0, 4.0]]])).norm(), torch.tensor(1.0)
    )


# The audit ------------------------------------------------------------------------------


def test_lira_is_the_log_ratio_of_gaussians_of_models_that_saw_a_row_and_that_did_not():
    generator = torch.Generator().manual_seed(0)
    phi = torch.randn(8, 5, generator=generator, dtype=torch.float64)
    seen = torch.rand(8, 5, generator=generator) < 0.5
    seen[:2], seen[2:4] = True, False
    target = torch.randn(5, generator=generator, dtype=torch.float64)
    found = AuditLira(spread="row", floor=0.0).scores(target, phi, seen)
    for row in range(5):
        inside, outside = phi[seen[:, row], row], phi[~seen[:, row], row]
        slow = Normal(inside.mean(), inside.std()).log_prob(target[row]) - Normal(
            outside.mean(), outside.std()
        ).log_prob(target[row])
        torch.testing.assert_close(found[row], slow)
    offline = AuditLira(mode="offline", spread="row", floor=0.0).scores(target, phi, seen)
    torch.testing.assert_close(
        offline[0], (target[0] - phi[~seen[:, 0], 0].mean()) / phi[~seen[:, 0], 0].std()
    )


def test_confidence_is_the_log_odds_of_the_label_however_sure_the_model_is():
    logits = torch.tensor([[2.0, 1.0, -1.0], [500.0, 0.0, 0.0]])
    p = logits[0].double().softmax(-1)
    found = confidence(logits, torch.tensor([1, 0]))
    assert found[0].item() == pytest.approx(math.log(p[1] / (1 - p[1])))
    assert found[1].item() == pytest.approx(500 - math.log(2))
    assert cross_entropy(logits, torch.tensor([1, 0]))[0].item() == pytest.approx(-math.log(p[1]))
