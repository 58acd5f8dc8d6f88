"""Settings at which a recipe must be another: plain training, or mixup."""

import types

import numpy as np
import pytest
import torch
from bench.builtin.methods.recipes import distill_rounds
from bench.builtin.methods.recipes.amp import Amp
from bench.builtin.methods.recipes.asam import Asam
from bench.builtin.methods.recipes.cutout import Cutout
from bench.builtin.methods.recipes.decoupled_lambda import DecoupledLambda
from bench.builtin.methods.recipes.decoupled_mixup import DecoupledMixup, decoupled
from bench.builtin.methods.recipes.distill_rounds import DistillRounds
from bench.builtin.methods.recipes.dropout import Dropout
from bench.builtin.methods.recipes.encouraging_loss import EncouragingLoss
from bench.builtin.methods.recipes.focal import Focal
from bench.builtin.methods.recipes.ls import LabelSmoothing
from bench.builtin.methods.recipes.manifold_mixup import ManifoldMixup
from bench.builtin.methods.recipes.midpoint_mixup import MidpointMixup
from bench.builtin.methods.recipes.mixup import Mixup
from bench.builtin.methods.recipes.plain import Plain
from bench.builtin.methods.recipes.plain_long import PlainLong
from bench.builtin.methods.recipes.sam import Sam
from bench.builtin.methods.recipes.trivial_augment import TrivialAugment
from bench.builtin.methods.recipes.weight_decay import WeightDecay
from recipes_small import blobs, outputs, runs

from bench.training.mixing import Mixing
from bench.training.recipe import Batch, Recipe, cross_entropy, drawn_beta


@pytest.fixture(scope="module")
def problems():
    return [blobs(seed, pictures=True) for seed in range(2)]


@pytest.fixture(scope="module")
def plain(problems, tmp_path_factory):
    return outputs(Plain(), problems, tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize(
    "method",
    [
        Mixup(alpha=0.0),
        ManifoldMixup(alpha=0.0),
        LabelSmoothing(smoothing=0.0),
        Dropout(rate=0.0, inputs_rate=0.0),
        Cutout(share=0.0),
        Sam(rho=0.0),
        Asam(rho=0.0),
        Amp(radius=0.0),
        Amp(radius=0.0, inner_steps=2),
        Focal(gamma=0.0),
        DecoupledLambda(stop=0.0),
        WeightDecay(decay=0.0),
        PlainLong(factor=1),
    ],
    ids=lambda method: method.card.name,
)
def test_a_recipe_that_changes_nothing_is_plain_training_bit_for_bit(
    method, problems, plain, tmp_path
):
    for found, expected in zip(outputs(method, problems, tmp_path), plain, strict=True):
        assert torch.equal(found, expected)


def test_pictures_changed_with_no_strength_are_those_of_plain_training(problems, plain, tmp_path):
    found = outputs(TrivialAugment(strength=0.0), problems, tmp_path)
    for one, other in zip(found, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-4)


def test_distillation_with_all_weight_on_labels_is_plain_training(problems, plain, tmp_path):
    found = outputs(DistillRounds(alpha=1.0), problems, tmp_path)
    for one, other in zip(found, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


class AllHalves(Mixup):
    """mixup whose weights are 1/2 whatever is drawn."""

    def draw(self, state, epoch):
        super().draw(state, epoch)
        state.lam = torch.full_like(state.lam, 0.5)


def test_midpoint_mixup_is_mixup_with_all_weights_a_half(problems, tmp_path):
    midpoints = outputs(MidpointMixup(), problems, tmp_path)
    halves = outputs(AllHalves(), problems, tmp_path)
    assert all(torch.equal(one, other) for one, other in zip(midpoints, halves, strict=True))


def test_the_weights_of_mixup_gather_at_a_half_as_alpha_grows():
    draws = [[np.random.default_rng(0)] for _ in range(3)]
    spread = [
        float((drawn_beta(own, alpha, 500, torch.device("cpu")) - 0.5).abs().mean())
        for own, alpha in zip(draws, (1.0, 100.0, 1e6), strict=True)
    ]
    assert spread[0] > 0.2
    assert spread[1] < 0.05
    assert spread[2] < 1e-3


def test_manifold_mixup_at_the_inputs_alone_is_mixup(problems, tmp_path):
    mixup = outputs(Mixup(alpha=2.0), problems, tmp_path)
    manifold = outputs(ManifoldMixup(deepest=0), problems, tmp_path)
    assert all(torch.equal(one, other) for one, other in zip(manifold, mixup, strict=True))


def test_decoupled_mixup_without_its_term_is_mixup(problems, tmp_path):
    mixup = outputs(Mixup(), problems, tmp_path)
    found = outputs(DecoupledMixup(eta=0.0), problems, tmp_path)
    assert all(torch.equal(one, other) for one, other in zip(found, mixup, strict=True))


def test_the_decoupled_term_is_the_cross_entropy_over_the_classes_but_the_other():
    logits = torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(0))
    one = torch.tensor([[0, 1, 2, 3, 4, 0, 1], [4, 3, 2, 1, 0, 4, 3]])
    other = (one + 2) % 5
    found = decoupled(logits, one, other)
    for k in range(2):
        for i in range(7):
            kept = [c for c in range(5) if c != other[k, i]]
            expected = torch.nn.functional.cross_entropy(
                logits[k, i][kept][None], torch.tensor([kept.index(int(one[k, i]))])
            )
            torch.testing.assert_close(found[k, i], expected)


def a_batch(y):
    return Batch(0, 0, torch.zeros_like(y), torch.zeros_like(y), torch.zeros(*y.shape, 1), y)


def logits_and_labels():
    logits = 3 * torch.randn(2, 9, 4, generator=torch.Generator().manual_seed(1))
    return logits, torch.arange(18).view(2, 9) % 4


def test_the_encouraging_loss_that_turns_at_zero_is_cross_entropy_less_the_probability():
    logits, y = logits_and_labels()
    lost = cross_entropy(logits, y)
    found = EncouragingLoss(turn=0.0).loss(None, a_batch(y), logits)
    torch.testing.assert_close(found, lost - (-lost).exp())


def test_the_bonus_of_the_encouraging_loss_is_the_logarithm_and_then_its_tangent():
    for p in (0.1, 0.6, 0.75, 0.9, 0.999):
        logits = torch.tensor([[[np.log(p), np.log(1 - p)]]])
        found = float(
            EncouragingLoss(turn=0.75).loss(None, a_batch(torch.zeros(1, 1).long()), logits)
        )
        bonus = np.log(1 - p) if p <= 0.75 else np.log(0.25) - (p - 0.75) / 0.25
        assert found == pytest.approx(-np.log(p) + bonus, abs=1e-5)


def test_the_encouraging_loss_rewards_a_sure_row_more_than_cross_entropy_does():
    logits, y = logits_and_labels()
    logits.requires_grad_()
    p = logits.softmax(-1).gather(-1, y[..., None])
    (steeper,) = torch.autograd.grad(
        EncouragingLoss().loss(None, a_batch(y), logits).sum(), logits, retain_graph=True
    )
    (plain,) = torch.autograd.grad(cross_entropy(logits, y).sum(), logits, retain_graph=True)
    steep, flat = (part.gather(-1, y[..., None]).abs() for part in (steeper, plain))
    assert p.max() > 0.9
    assert (steep >= flat - 1e-6).all()


def test_focal_loss_is_cross_entropy_times_a_power_of_the_error():
    logits, y = logits_and_labels()
    p = logits.double().softmax(-1).gather(-1, y[..., None])[..., 0]
    found = Focal(gamma=2.0).loss(None, a_batch(y), logits)
    torch.testing.assert_close(found.double(), -((1 - p) ** 2) * p.log(), rtol=1e-4, atol=1e-6)


def test_label_smoothing_is_the_cross_entropy_with_smoothed_shares():
    logits, y = logits_and_labels()
    shares = 0.9 * torch.nn.functional.one_hot(y, 4) + 0.1 / 4
    found = LabelSmoothing(smoothing=0.1).loss(None, a_batch(y), logits)
    torch.testing.assert_close(found, -(shares * logits.log_softmax(-1)).sum(-1))


def test_the_cross_entropy_of_a_mixed_target_is_the_mixture_of_cross_entropies(problems, tmp_path):
    seen = []

    class Looking(Mixing):
        def loss(self, state, batch, logits):
            own = super().loss(state, batch, logits)
            lam = state.lam[:, batch.step, None]
            other = cross_entropy(logits, state.others(batch, batch.y))
            seen.append((own.detach(), (lam * cross_entropy(logits, batch.y) + (1 - lam) * other)))
            return own

    Looking().solve_stacked(problems, runs(tmp_path, 2))
    assert len(seen) == 3 * 5
    for found, expected in seen:
        torch.testing.assert_close(found, expected.detach())


def test_a_student_at_temperature_one_learns_the_mixture_of_label_and_teacher(problems, tmp_path):
    seen = []

    class Looking(DistillRounds):
        def loss(self, state, batch, logits):
            own = super().loss(state, batch, logits)
            label = torch.nn.functional.one_hot(batch.y, 4)
            target = self.alpha * label + (1 - self.alpha) * state.taught[batch.flat]
            seen.append((own.detach(), -(target * logits.detach().log_softmax(-1)).sum(-1)))
            return own

    solutions = Looking(alpha=0.3, tau=1.0).solve_stacked(problems, runs(tmp_path, 2))
    for found, expected in seen:
        torch.testing.assert_close(found, expected)
    taught = solutions[0].teacher(problems[0].x)
    assert taught.shape == (48, 4)
    assert not torch.equal(taught, solutions[0].model(problems[0].x))


def student(method, x, y, taught, penalty):
    """Return the weights (D, C) of a linear net that minimise the method's loss and a penalty on
    their squares, by Newton's steps in double precision.
    """
    state, rows = types.SimpleNamespace(taught=taught), torch.arange(len(y))[None]
    batch = Batch(0, 0, rows, rows, x[None], y[None])

    def objective(weights):
        logits = (x @ weights.view(x.shape[1], -1))[None]
        lost = method.loss(state, batch, logits)
        return lost.sum() + penalty / 2 * weights.square().sum()

    weights = torch.zeros(x.shape[1] * taught.shape[1], dtype=x.dtype)
    for _ in range(8):
        gradient = torch.autograd.functional.jacobian(objective, weights)
        curvature = torch.autograd.functional.hessian(objective, weights)
        weights = weights - torch.linalg.solve(curvature, gradient)
    return weights.view(x.shape[1], -1)


def rows_and_labels():
    x = torch.randn(30, 3, generator=torch.Generator().manual_seed(2)).double()
    return x, torch.arange(30) % 4


def test_rounds_on_squared_errors_are_ridge_on_labels_and_ridge(monkeypatch):
    # far above all logits the teacher's term is a squared error, here that of the labels is one too
    classes, penalty, alpha, tau = 4, 2.0, 0.3, 1e6
    x, y = rows_and_labels()
    centred = torch.nn.functional.one_hot(y, classes).double() - 1 / classes

    def squared(logits, labels):
        return (logits - centred[None]).square().sum(-1) / (2 * classes)

    monkeypatch.setattr(distill_rounds, "cross_entropy", squared)
    method = DistillRounds(alpha=alpha, tau=tau)

    def ridge(penalty):
        return x @ torch.linalg.solve(x.T @ x + penalty * torch.eye(3).double(), x.T)

    smoother = ridge(penalty)
    found = expected = smoother @ centred
    for _ in range(3):
        taught = (found / tau).softmax(-1)
        found = x @ student(method, x, y, taught, penalty / classes)
        expected = smoother @ (alpha * centred + (1 - alpha) * expected)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    # where the rounds end the labels alone have a larger penalty
    for _ in range(200):
        expected = smoother @ (alpha * centred + (1 - alpha) * expected)
    torch.testing.assert_close(expected, ridge(penalty / alpha) @ centred, rtol=0, atol=1e-6)
    assert not torch.allclose(found, smoother @ centred, atol=1e-2)


@pytest.mark.parametrize("tau", [1.0, 4.0])
def test_a_student_of_a_net_with_a_larger_penalty_is_that_net(tau):
    # so rounds with cross entropy end as plain training with the penalty over alpha
    x, y = rows_and_labels()
    end = x @ student(DistillRounds(alpha=1.0), x, y, torch.ones(30, 4).double() / 4, 2.0 / 0.3)
    taught = (end / tau).softmax(-1)
    again = x @ student(DistillRounds(alpha=0.3, tau=tau), x, y, taught, 2.0)
    torch.testing.assert_close(again, end, rtol=0, atol=1e-6)


def test_more_rounds_of_distillation_train_that_many_more_nets(problems, tmp_path):
    counted = []
    for rounds in (1, 2):
        own = runs(tmp_path, 2)
        DistillRounds(rounds=rounds).solve_stacked(problems, own)
        counted.append(own[0]._counts["backward"])
    visits = 3 * 48
    assert counted == [2 * visits, 3 * visits]


@pytest.mark.parametrize("method", [Sam(), Asam(), Amp()], ids=lambda method: method.card.name)
def test_a_method_with_two_passes_counts_both(method, problems, tmp_path):
    own = runs(tmp_path, 2)
    method.solve_stacked(problems, own)
    assert own[0]._counts == {"forward": 2 * 3 * 48, "backward": 2 * 3 * 48}


def test_every_recipe_is_the_same_beside_another_member(problems, tmp_path):
    third = [*problems, blobs(5, pictures=True)]
    for method in (Dropout(), TrivialAugment(), DecoupledMixup(on="cutmix", mode="more"), Sam()):
        two, three = outputs(method, problems, tmp_path), outputs(method, third, tmp_path)
        assert all(torch.equal(one, other) for one, other in zip(two, three, strict=False))


def test_plain_training_of_real_targets_lowers_the_squared_error(tmp_path):
    import msgspec

    found = []
    for epochs in (1, 30):
        problem = blobs(0, epochs=epochs)
        target = problem.x[:, 0] - problem.x[:, 1]
        from bench.training import recipe

        real = recipe.Problem(
            **{
                name: getattr(problem, name)
                for name in problem.__struct_fields__
                if name not in ("y", "n_classes", "lr")
            },
            y=target,
            n_classes=1,
            lr=0.01,
        )
        real = msgspec.structs.replace(real, optimiser="adam")
        for method in (Recipe(), Mixup(), Dropout(), ManifoldMixup(), Sam()):
            solution = method.solve(real, runs(tmp_path, 1)[0])
            found.append(float((solution.model(real.x)[:, 0] - target).square().mean()))
    assert all(late < early for early, late in zip(found[:5], found[5:], strict=True))
