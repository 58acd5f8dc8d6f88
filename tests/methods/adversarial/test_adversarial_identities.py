"""Methods against limits in which two of them coincide, against slow formulas, and against the
companions of a member in its stack.
"""

import math

import msgspec
import numpy as np
import pytest
import torch
from adversarial_small import in_the_cube, methods_of, run_of, trained
from bench.builtin.methods.adversarial.aaer import Aaer
from bench.builtin.methods.adversarial.arow import Arow
from bench.builtin.methods.adversarial.avmixup import VertexMixup, _State
from bench.builtin.methods.adversarial.beta import BestTargeted
from bench.builtin.methods.adversarial.elle import Elle
from bench.builtin.methods.adversarial.elle_a import AdaptiveElle
from bench.builtin.methods.adversarial.elle_a import _State as Following
from bench.builtin.methods.adversarial.fgsm_at import FgsmTraining
from bench.builtin.methods.adversarial.fgsm_rs import RandomStart
from bench.builtin.methods.adversarial.kernel_vote import KernelVote
from bench.builtin.methods.adversarial.ltd import LowTemperature
from bench.builtin.methods.adversarial.mart import Mart
from bench.builtin.methods.adversarial.n_fgsm import NoisyFgsm
from bench.builtin.methods.adversarial.noise import RandomPoints
from bench.builtin.methods.adversarial.pgd_at import PgdTraining
from bench.builtin.methods.adversarial.pgd_early import EarlyPgd
from bench.builtin.methods.adversarial.srst_awr import SemiSupervised
from bench.builtin.methods.adversarial.trades import Trades
from bench.builtin.methods.recipes.plain import Plain

from bench.errors import BenchError
from bench.tracks.adversarial import AdversarialMethod, WarmUp
from bench.training import attacks
from bench.training.recipe import Batch, Seeds, cross_entropy, fit

METHODS = methods_of("adversarial")
STACKED = sorted(name for name, kind in METHODS.items() if kind.card.stacked)


def pair(**protocol):
    return [in_the_cube(seed, **protocol) for seed in range(2)]


def logits(seed=0, rows=6, classes=4, count=2):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 1, rows, classes, generator=generator).double()


def batch(labels, step=0, epoch=0):
    rows = torch.arange(labels.shape[1])[None].expand_as(labels)
    return Batch(step, epoch, rows, rows, torch.zeros(*labels.shape, 2), labels)


LABELS = torch.tensor([[0, 1, 2, 3, 0, 1]])


# Limits ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "other"),
    [
        (Trades(beta=0.0), Plain()),
        (Arow(beta=0.0, smoothing=0.0), Plain()),
        (Elle(lam=0.0), FgsmTraining()),
        (VertexMixup(gamma=1.0, near=1.0, far=1.0), None),
        (Aaer(lam1=0.0, ramp=0.0), NoisyFgsm()),
        (RandomStart(size=0.0 + 1e-12), None),
    ],
    ids=["trades", "arow", "elle", "avmixup", "aaer", "fgsm-rs"],
)
def test_a_method_at_its_limit_is_another_method(method, other, tmp_path, monkeypatch):
    if isinstance(method, VertexMixup):
        # no share of the clean row: what is left is the attacked one
        def draw(state):
            super(_State, state).draw()
            state.w = torch.zeros(2, 40).split(16, 1)

        monkeypatch.setattr(_State, "draw", draw)
        other = PgdTraining()
    if other is None:
        other = _Started()
    found, expected = (trained(one, pair(), tmp_path) for one in (method, other))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


class _Started(AdversarialMethod):
    """Trains on the starting points themselves."""

    def attack(self, state, nets, batch):
        return state.start(batch)


@pytest.mark.parametrize("kind", [PgdTraining, FgsmTraining, RandomStart, NoisyFgsm, RandomPoints])
def test_without_a_radius_training_on_attacks_is_plain_training(kind, tmp_path):
    problems = pair(eps=0.0)
    found, plain = (trained(one, problems, tmp_path) for one in (kind(), Plain()))
    torch.testing.assert_close(found, plain, rtol=0, atol=1e-5)


def test_one_step_of_the_radius_from_the_row_is_what_fgsm_training_attacks_with(tmp_path):
    class Once(AdversarialMethod):
        def attack(self, state, nets, batch):
            loss = attacks.cross_entropy(batch.y)
            return state.ascend(nets, loss, batch.x, steps=1, step=state.ball.eps)

    found, fgsm = (trained(one, pair(), tmp_path) for one in (Once(), FgsmTraining()))
    assert torch.equal(found, fgsm)


def test_beta_of_two_classes_is_pgd_on_the_margin(tmp_path):
    class OnTheMargin(AdversarialMethod):
        def attack(self, state, nets, batch):
            return state.ascend(nets, attacks.margin(batch.y), batch.x, state.start(batch))

    problems = pair(classes=2)
    found, margin = (trained(one, problems, tmp_path) for one in (BestTargeted(), OnTheMargin()))
    torch.testing.assert_close(found, margin, rtol=0, atol=1e-6)


def test_half_of_fgsm_training_on_clean_rows_is_the_papers_mixture(tmp_path):
    z = logits()
    found = FgsmTraining(mix=0.25).loss(None, batch(LABELS), z)
    clean, attacked = (cross_entropy(one, LABELS) for one in z)
    torch.testing.assert_close(found, 0.25 * clean + 0.75 * attacked)
    both, alone = (trained(FgsmTraining(mix=mix), pair(), tmp_path) for mix in (0.5, 0.0))
    assert not torch.equal(both, alone)


# Formulas ----------------------------------------------------------------------------------


def softmax(values):
    shifted = np.exp(values - values.max())
    return shifted / shifted.sum()


def slow(name, clean, attacked, y):
    """The loss of one row, in NumPy."""
    p, q = softmax(clean), softmax(attacked)
    kl = sum(p[c] * math.log(p[c] / q[c]) for c in range(len(p)))
    if name == "trades":
        return -math.log(p[y]) + 3.0 * kl
    if name == "mart":
        others = max(q[c] for c in range(len(q)) if c != y)
        return -math.log(q[y]) - math.log(1.0001 - others) + 3.0 * kl * (1 - p[y])
    target = [0.2 / len(p) + (0.8 if c == y else 0) for c in range(len(p))]
    smooth = -sum(t * math.log(v) for t, v in zip(target, p, strict=True))
    return smooth + 3.0 * kl * (1 - q[y])


@pytest.mark.parametrize(
    ("name", "method"),
    [("trades", Trades(beta=3.0)), ("mart", Mart(beta=3.0)), ("arow", Arow(beta=3.0))],
)
def test_the_loss_is_what_a_loop_over_rows_says(name, method):
    z = logits(1)
    found = method.loss(None, batch(LABELS), z)[0]
    expected = [
        slow(name, z[0, 0, row].numpy(), z[1, 0, row].numpy(), int(LABELS[0, row]))
        for row in range(6)
    ]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_the_weight_of_arow_is_differentiated_and_is_that_of_trades_where_it_is_one():
    z = logits(2).requires_grad_()
    Arow(smoothing=0.0).loss(None, batch(LABELS), z).sum().backward()
    own, z2 = z.grad[1].clone(), logits(2).requires_grad_()
    weight = 1 - z2[1].softmax(-1).gather(-1, LABELS[..., None])[..., 0]
    clean, attacked = z2
    log_p, log_q = clean.log_softmax(-1), attacked.log_softmax(-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1)
    (cross_entropy(clean, LABELS) + 7 * kl * weight.detach()).sum().backward()
    assert not torch.allclose(own, z2.grad[1])
    # an attack that leaves nothing of the label has the weight 1
    sure = logits(3)
    sure[1].scatter_(-1, LABELS[..., None], -60.0)
    torch.testing.assert_close(
        Arow(beta=2.0, smoothing=0.0).loss(None, batch(LABELS), sure),
        Trades(beta=2.0).loss(None, batch(LABELS), sure),
    )


def test_targets_of_vertex_mixup_go_from_the_label_to_all_classes_alike(tmp_path):
    [problem] = [in_the_cube()]
    seeds = Seeds([problem], [run_of(tmp_path)])
    state = _State(seeds)
    state.w = [torch.tensor([[0.0, 0.25, 1.0]])]
    found = VertexMixup(far=0.1).targets(state, batch(torch.tensor([[2, 0, 1]])))
    expected = torch.tensor(
        [[[0.3, 0.3, 0.1, 0.3], [0.325, 0.225, 0.225, 0.225], [0.0, 1.0, 0.0, 0.0]]]
    )
    torch.testing.assert_close(found, expected)


def test_the_abnormal_rows_of_aaer_are_those_whose_loss_the_step_lowers():
    z = logits(4)
    method = Aaer(lam1=0.7, lam2=2.0, lam3=1.5)
    first, last = (cross_entropy(one, LABELS)[0].numpy() for one in z)
    abnormal = [row for row in range(6) if first[row] > last[row]]
    normal = [row for row in range(6) if row not in abnormal]
    assert abnormal
    assert normal
    change = (z[0, 0] - z[1, 0]).square().sum(-1).numpy()
    falls = np.mean([first[row] - last[row] for row in abnormal])
    excess = np.mean([change[row] for row in abnormal]) - np.mean([change[row] for row in normal])
    extra = 0.7 * len(abnormal) / 6 * (2.0 * falls + 1.5 * max(excess, 0.0))
    found = method.loss(None, batch(LABELS), z)[0]
    torch.testing.assert_close(found, torch.from_numpy(last + extra))


def test_aaer_has_no_term_where_no_row_is_abnormal():
    z = logits(4)
    z[0] = z[1].clone()
    z[0].scatter_add_(-1, LABELS[..., None], torch.full((1, 6, 1), 2.0).double())
    found = Aaer().loss(None, batch(LABELS), z)
    torch.testing.assert_close(found, cross_entropy(z[1], LABELS))


def test_aaer_has_no_term_where_all_rows_are_abnormal():
    z = logits(4)
    z[1] = z[0].clone()
    z[1].scatter_add_(-1, LABELS[..., None], torch.full((1, 6, 1), 2.0).double())
    found = Aaer().loss(None, batch(LABELS), z)
    torch.testing.assert_close(found, cross_entropy(z[1], LABELS))


def test_the_step_of_aaer_grows_from_nothing_over_a_third_of_the_epochs(tmp_path):
    problem = msgspec.structs.replace(pair()[0], epochs=3)
    seeds = Seeds([problem], [run_of(tmp_path, 0)])
    method, still = Aaer(ramp=1.0), Aaer(ramp=0.0)
    seeds.nets = seeds.build(1)
    state = method.start(seeds)
    state.draw()
    first = next(iter(seeds.epoch(0, seeds.order())))
    none, whole = (one.forward(state, seeds.nets, first) for one in (method, still))
    assert torch.allclose(none[0], none[1], atol=1e-6)
    assert not torch.allclose(whole[0], whole[1], atol=1e-3)


def test_the_error_of_linearity_is_that_of_the_loss_between_two_points(tmp_path):
    seeds = Seeds(pair(), [run_of(tmp_path, seed) for seed in range(2)])
    state = Elle().start(seeds)
    state.draw()
    z = torch.randn(4, 2, 16, 4, generator=torch.Generator().manual_seed(0))
    y = torch.arange(32).view(2, 16) % 4
    step = Batch(1, 0, y, y, torch.zeros(2, 16, 6), y)
    attacked, one, other, middle = (cross_entropy(part, y) for part in z)
    a = state.a[1]
    error = (middle - (1 - a) * one - a * other) ** 2
    found = Elle(lam=5.0).loss(state, step, z)
    torch.testing.assert_close(found, attacked + 5.0 * error)


def test_the_adaptive_weight_jumps_at_two_sd_above_the_mean_of_all_before(tmp_path):
    seeds = Seeds(pair(), [run_of(tmp_path, seed) for seed in range(2)])
    state, generator = Following(seeds), np.random.default_rng(0)
    errors = generator.random((30, 2))
    errors[[10, 20], [0, 1]] += 5
    weights = np.zeros(2)
    for step, error in enumerate(errors):
        before = errors[:step]
        for member in range(2):
            jumps = (
                step > 1 and error[member] > before[:, member].mean() + 2 * before[:, member].std()
            )
            weights[member] = 100.0 if jumps else 0.9 * weights[member]
        state.follow(torch.tensor(error, dtype=torch.float32), 100.0, 0.9)
        np.testing.assert_allclose(state.lam.numpy(), weights, rtol=1e-5)
    assert weights.min() > 0
    assert AdaptiveElle.card.name == "elle-a"


def test_the_labels_of_ltd_are_those_of_a_plain_net_at_the_temperature(tmp_path):
    seeds = Seeds(pair(), [run_of(tmp_path, seed) for seed in range(2)])
    seeds.nets = seeds.build()
    method = LowTemperature(temperature=0.5)
    state = method.start(seeds)
    rows = torch.stack([torch.randperm(40)[:7] for _ in range(2)])
    y = seeds.y.gather(1, rows)
    step = Batch(0, 0, rows, rows, seeds.inputs(rows), y)
    targets = method.targets(state, step)
    for member in range(2):
        expected = (state.logits[member, rows[member]] / 0.5).softmax(-1)
        torch.testing.assert_close(targets[member], expected)
    z = torch.randn(2, 2, 7, 4, generator=torch.Generator().manual_seed(1))
    clean, attacked = (one.log_softmax(-1) for one in z)
    kl = (clean.exp() * (clean - attacked)).sum(-1)
    torch.testing.assert_close(method.loss(state, step, z), fit(z[0], targets) + 6 * kl)


def test_the_loss_with_few_labels_is_what_a_loop_over_rows_says(tmp_path):
    problems = pair(unlabelled=20)
    seeds = Seeds(problems, [run_of(tmp_path, seed) for seed in range(2)])
    method = SemiSupervised(lam=2.0, gamma=3.0, temperature=1.5)
    state = method.start(seeds)
    state.draw()
    assert sorted(torch.cat([part[0] for part in state.parts]).tolist()) == list(range(20))
    torch.testing.assert_close(state.teacher.sum(-1), torch.ones(2, 20))
    y = torch.arange(32).view(2, 16) % 4
    wide = state.parts[0].shape[1]
    z = torch.randn(2, 16 + 2 * wide, 4, generator=torch.Generator().manual_seed(1))
    found = method.loss(state, Batch(0, 0, y, y, torch.zeros(2, 16, 6), y), z)
    for member in range(2):
        labelled = np.mean(
            [
                -sum(
                    (0.05 + (0.8 if c == y[member, row] else 0)) * math.log(p)
                    for c, p in enumerate(softmax(z[member, row].numpy()))
                )
                for row in range(16)
            ]
        )
        extra = []
        for place, row in enumerate(state.parts[0][member]):
            teacher = state.teacher[member, row].clamp_min(1e-8).numpy().astype(float)
            z_row = z[member, 16 + place].numpy().astype(float)
            p, q = softmax(z_row), softmax(z[member, 16 + wide + place].numpy().astype(float))
            soft, own = softmax(np.log(teacher) / 1.5), softmax(z_row / 1.5)
            weight = 0.5 * (teacher @ p) + 0.5 * (1 - teacher @ q)
            follow = (soft * np.log(soft / own)).sum()
            extra.append(3 * follow + 2 * weight * (p * np.log(p / q)).sum())
        assert found[member, 0].item() == pytest.approx(labelled + np.mean(extra), rel=1e-4)


def test_few_labels_need_an_unlabelled_row_a_step(tmp_path):
    problems = pair(unlabelled=2)
    with pytest.raises(BenchError, match="there are 2; take a larger batch"):
        trained(SemiSupervised(), problems, tmp_path)


def test_votes_by_distance_are_a_sum_of_windows(tmp_path):
    problem = in_the_cube()
    solution = KernelVote(width=0.3).solve(problem, run_of(tmp_path))
    x = torch.rand(5, 6, generator=torch.Generator().manual_seed(0))
    found = solution.model(x)
    for row in range(5):
        for c in range(4):
            own = problem.x[problem.y == c]
            windows = [(-((x[row] - one) ** 2).sum() / (2 * 0.3**2)).exp() for one in own]
            assert found[row, c].item() == pytest.approx(sum(windows).log().item(), abs=1e-4)


# Attacks and counts ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    # these attack none of the batch's rows through this hook; the next test has them
    [name for name in STACKED if name not in ("plain", "srst-awr", "aaer", "noise")],
)
def test_what_a_method_trains_on_is_within_its_ball_and_the_cube(name, tmp_path):
    method = METHODS[name]()
    seeds = Seeds(pair(), [run_of(tmp_path, seed) for seed in range(2)])
    seeds.nets = seeds.build()
    state = AdversarialMethod.start(method, seeds) if name == "pgd-early" else method.start(seeds)
    method.rows(state, 0, seeds.order())
    step = next(seeds.epoch(0))
    found = method.attack(state, seeds.nets, step)
    reach = {"n-fgsm": 0.3}.get(name, 0.1)
    assert found.shape == step.x.shape
    assert (found - step.x).abs().max() <= (0.2 if name == "avmixup" else reach) + 1e-6
    assert found.min() >= 0
    assert found.max() <= 1


@pytest.mark.parametrize("name", ["aaer", "noise", "srst-awr"])
def test_what_a_method_feeds_its_nets_itself_is_within_its_ball_and_the_cube(name, tmp_path):
    problems = pair(unlabelled=20)
    seeds = Seeds(problems, [run_of(tmp_path, seed) for seed in range(2)])
    seeds.nets = seeds.build()
    method, fed = METHODS[name](), []
    state = method.start(seeds)
    method.rows(state, 0, seeds.order())
    # the last epoch, in which the step of aaer is the whole radius
    step = next(seeds.epoch(seeds.problem.epochs - 1))
    seeds.nets.register_forward_pre_hook(lambda nets, args: fed.append(args[0].detach()))
    method.forward(state, seeds.nets, step)
    shown, eps = fed[-1], seeds.problem.eps
    x = step.x
    if name == "srst-awr":
        own = state.parts[step.step]
        x = torch.stack([one.unlabelled[rows] for one, rows in zip(problems, own, strict=True)])
        known, clean, shown = shown.split((step.x.shape[1], x.shape[1], x.shape[1]), 1)
        assert torch.equal(known, step.x)
        assert torch.equal(clean, x)
    reach = {"aaer": 3 * eps}.get(name, eps)
    centres = x.repeat(1, shown.shape[1] // x.shape[1], 1)
    for points in [*fed[:-1], shown] if name != "noise" else [shown]:
        assert (points - centres).abs().max() <= reach + 1e-6
        assert points.min() >= 0
        assert points.max() <= 1
    # and most of the way is used
    assert (shown - centres).abs().max() > (0.9 if name != "aaer" else 0.6) * reach


@pytest.mark.parametrize(
    ("method", "forward", "backward"),
    [
        (Plain(), 1, 1),
        (PgdTraining(), 4, 4),
        (FgsmTraining(), 2, 2),
        (FgsmTraining(mix=0.5), 3, 3),
        (Trades(), 6, 5),  # two of the loop, three steps, and the clean rows of the attack
        (Elle(), 5, 5),
        (RandomPoints(), 4, 4),
        (BestTargeted(), 1 + 9 + 3, 1 + 9),
    ],
    ids=lambda value: getattr(getattr(value, "card", None), "name", ""),
)
def test_every_pass_of_an_attack_is_counted(method, forward, backward, tmp_path):
    problem = in_the_cube(steps=3)
    run = run_of(tmp_path)
    method.solve(problem, run)
    assert run._counts == {"forward": forward * 40 * 3, "backward": backward * 40 * 3}


# Stacks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STACKED)
def test_a_members_net_has_the_same_bits_beside_any_others(name, tmp_path):
    method = METHODS[name]()
    problems = [in_the_cube(seed, unlabelled=20) for seed in range(3)]
    x = problems[0].x
    three = trained(method, problems, tmp_path, x)
    for members in ([0, 1], [1, 2], [2, 0]):
        two = trained(method, [problems[k] for k in members], tmp_path, x, members)
        for found, member in zip(two, members, strict=True):
            assert torch.equal(found, three[member])
    assert not torch.equal(three[0], three[1])


def test_early_stopping_hands_over_the_net_that_held_best_under_attack(tmp_path):
    problems = pair(epochs=6, lr=0.5)
    runs = [run_of(tmp_path, seed) for seed in range(2)]
    looked = []

    class Watching(EarlyPgd):
        def after_epoch(self, state, epoch):
            super().after_epoch(state, epoch)
            looked.append(state.score.clone())

    solutions = Watching().solve_stacked(problems, runs)
    scores = torch.stack(looked)
    assert (scores.diff(dim=0) >= 0).all()
    assert len(solutions) == 2
    assert solutions[0].model(problems[0].x).shape == (40, 4)


def test_the_rate_rises_from_nothing_and_falls_to_nothing():
    schedule = WarmUp(rise=0.1)
    rates = [schedule.rate(0.5, 0, done) for done in (0.0, 0.05, 0.1, 0.55, 1.0)]
    assert rates == pytest.approx([0.0, 0.25, 0.5, 0.25, 0.0])


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [(Trades, "beta", -1.0), (FgsmTraining, "mix", 1.0), (VertexMixup, "gamma", 0.5)],
)
def test_a_parameter_out_of_its_range_is_refused(kind, field, value):
    with pytest.raises((BenchError, msgspec.ValidationError)):
        msgspec.convert({field: value}, kind)
