"""Attacks against plain loops over rows, against closed forms of linear nets, and against limits
in which two of them coincide.
"""

import contextlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bench.training import attacks
from bench.training.attacks import Ball
from bench.training.attacks_square import share_of_pixels
from bench.training.stack import StackedMLP

ROWS, SIDE, CLASSES = 12, 4, 5


@pytest.fixture(scope="module")
def net():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [nn.Flatten(), nn.Linear(SIDE * SIDE, 20), nn.ReLU(), nn.Linear(20, CLASSES)]
        return nn.Sequential(*layers).double().requires_grad_(False)


@pytest.fixture(scope="module")
def rows(net):
    x = torch.rand(ROWS, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1)).double()
    return x, net(x).argmax(-1)


@pytest.fixture(scope="module")
def wavy(net):
    """The net behind waves, where a further step often lowers the loss again."""
    return lambda points: net(points + 0.3 * (40 * points).sin())


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def linear(scale=1.0):
    """A linear net of two classes, rows far from the walls of the cube, and their margins."""
    drawn = generator(3)
    x = 0.5 + 0.1 * torch.randn(200, 16, generator=drawn).double()
    weight = torch.randn(2, 16, generator=drawn).double()
    middle = weight @ x.mean(0)

    def model(points):
        return scale * (points @ weight.T - middle)

    y = model(x).argmax(-1)
    gap = (model(x)[:, 0] - model(x)[:, 1]).abs() / scale
    return model, x, y, gap, weight[0] - weight[1]


# Balls -------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("eps", [0.0, 0.1, 0.7])
def test_every_attack_stays_in_the_ball_and_in_the_cube(net, rows, norm, eps):
    x, y = rows
    ball = Ball(eps=eps, norm=norm)
    loss, start = attacks.cross_entropy(y), ball.uniform(x, 1, generator())
    found = {
        "uniform": start,
        "fgsm": attacks.fgsm(net, loss, x, ball, lead=1),
        "pgd": attacks.pgd(net, loss, x, ball, steps=5, step=eps, lead=1, start=start, labels=y),
        "apgd": attacks.apgd(net, attacks.dlr(y), x, ball, steps=12, lead=1, start=start),
        "targeted": attacks.targeted(net, x, y, ball, steps=6, classes=3),
        "square": attacks.square(net, x, y, ball, queries=20, generators=generator()),
    }
    for name, points in found.items():
        change = (points - x).flatten(1)
        length = change.abs().amax(1) if norm == "linf" else change.norm(dim=1)
        assert points.shape == x.shape, name
        assert length.max() <= eps + 1e-6, name
        assert points.min() >= 0, name
        assert points.max() <= 1, name
        assert eps == 0 or change.abs().max() > 0, name


@given(
    st.floats(0, 2),
    st.sampled_from(["linf", "l2"]),
    st.lists(st.tuples(st.floats(0, 1), st.floats(-3, 3)), min_size=1, max_size=8),
)
@settings(max_examples=60, deadline=None)
def test_a_projected_point_is_its_own_projection_and_a_point_inside_stays(eps, norm, pairs):
    x, points = torch.tensor(pairs, dtype=torch.float64).T[:, None].unbind(0)
    ball = Ball(eps=eps, norm=norm)
    once = ball.project(points, x, 1)
    torch.testing.assert_close(ball.project(once, x, 1), once, rtol=0, atol=1e-9)
    assert torch.equal(ball.project(x, x, 1), x)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_uniform_starts_fill_the_ball_as_its_volume_asks(norm):
    x = torch.full((20_000, 2), 0.5).double()
    change = (Ball(eps=0.4, norm=norm).uniform(x, 1, generator()) - x) / 0.4
    length = change.abs().amax(1) if norm == "linf" else change.norm(dim=1)
    # half of the volume of a ball in the plane lies within sqrt(1/2) of its radius
    assert abs((length < 0.5**0.5).double().mean() - 0.5) < 0.015


def test_the_rule_of_steps_is_a_choice_of_the_ball():
    gradient = torch.tensor([[3.0, -4.0]])
    assert Ball(eps=1).direction(gradient, 1).tolist() == [[1, -1]]
    assert Ball(eps=1, rule="raw").direction(gradient, 1).tolist() == [[3, -4]]
    for ball in (Ball(eps=1, norm="l2"), Ball(eps=1, rule="unit")):
        torch.testing.assert_close(ball.direction(gradient, 1), torch.tensor([[0.6, -0.8]]))


# Losses ------------------------------------------------------------------------------------


def test_losses_are_what_numpy_says_row_by_row():
    z = torch.randn(6, CLASSES, generator=generator()).double()
    clean = torch.randn(6, CLASSES, generator=generator(1)).double()
    y, t = torch.tensor([0, 1, 2, 3, 4, 0]), torch.tensor([1, 2, 3, 4, 0, 2])
    for row in range(6):
        own, others = z[row, y[row]].item(), np.delete(z[row].numpy(), y[row])
        first = np.sort(z[row].numpy())[::-1]
        p, q = (np.exp(v) / np.exp(v).sum() for v in (clean[row].numpy(), z[row].numpy()))
        expected = {
            attacks.cross_entropy(y): -np.log(q[y[row]]),
            attacks.margin(y): others.max() - own,
            attacks.dlr(y): (others.max() - own) / (first[0] - first[2]),
            attacks.towards(y, t): z[row, t[row]].item() - own,
            attacks.divergence(clean): (p * np.log(p / q)).sum(),
        }
        for loss, value in expected.items():
            assert loss(z)[row].item() == pytest.approx(value, rel=1e-9)


@given(st.floats(0.01, 1000), st.floats(-50, 50))
@settings(max_examples=40, deadline=None)
def test_neither_scale_nor_shift_of_the_logits_changes_the_dlr_loss(scale, shift):
    z = torch.randn(8, CLASSES, generator=generator()).double()
    loss = attacks.dlr(torch.arange(8) % CLASSES)
    torch.testing.assert_close(loss(scale * z + shift), loss(z), rtol=1e-6, atol=1e-6)


# PGD and FGSM ------------------------------------------------------------------------------


def loop_pgd(net, x, y, eps, steps, step, start):
    """Signed ascent on the cross entropy, a row and a step at a time."""
    found = []
    for row in range(len(x)):
        at = start[row].clone()
        for _ in range(steps):
            at = at.detach().requires_grad_()
            nn.functional.cross_entropy(net(at[None]), y[row : row + 1]).backward()
            moved = (at.detach() + step * at.grad.sign()).numpy()
            centre = x[row].numpy()
            at = torch.from_numpy(np.clip(np.clip(moved, centre - eps, centre + eps), 0, 1))
        found.append(at)
    return torch.stack(found)


def test_pgd_is_signed_ascent_row_by_row(net, rows):
    x, y = rows
    ball = Ball(eps=0.2)
    start = ball.uniform(x, 1, generator())
    found = attacks.pgd(
        net, attacks.cross_entropy(y), x, ball, steps=7, step=0.05, lead=1, start=start
    )
    torch.testing.assert_close(found, loop_pgd(net, x, y, 0.2, 7, 0.05, start))


def test_one_step_of_pgd_with_the_radius_from_the_rows_is_fgsm(net, rows):
    x, y = rows
    loss, ball = attacks.cross_entropy(y), Ball(eps=0.2)
    once = attacks.pgd(net, loss, x, ball, steps=1, step=0.2, lead=1)
    assert torch.equal(once, attacks.fgsm(net, loss, x, ball, lead=1))
    with torch.enable_grad():
        at = x.clone().requires_grad_()
        loss(net(at)).sum().backward()
    torch.testing.assert_close(once, (x + 0.2 * at.grad.sign()).clamp(0, 1))


def test_further_steps_of_pgd_never_mend_a_row_that_was_broken(net, rows):
    x, y = rows
    ball, broken = Ball(eps=0.3), torch.zeros(ROWS, dtype=torch.bool)
    for steps in range(1, 9):
        # steps of twice the radius jump from wall to wall, and past what breaks a row
        found = attacks.pgd(
            net, attacks.cross_entropy(y), x, ball, steps=steps, step=0.6, lead=1, labels=y
        )
        now = attacks.wrong(net(found), y)
        assert (now >= broken).all()
        broken = now
    assert broken.any()


@pytest.mark.parametrize("attack", ["pgd", "apgd", "apgd-dlr", "targeted"])
def test_an_attack_that_goes_on_where_a_weaker_one_ended_breaks_the_same_rows_and_more(
    wavy, rows, attack
):
    x = rows[0]
    y = wavy(x).argmax(-1)
    broken, at = torch.zeros(ROWS, dtype=torch.bool), x
    for eps, steps in ((0.05, 2), (0.05, 6), (0.1, 6), (0.2, 6), (0.4, 12)):
        ball, named = Ball(eps=eps), {"steps": steps, "start": at}
        at = {
            "pgd": lambda b=ball, n=named: attacks.pgd(
                wavy, attacks.cross_entropy(y), x, b, step=b.eps, lead=1, labels=y, **n
            ),
            "apgd": lambda b=ball, n=named: attacks.apgd(
                wavy, attacks.cross_entropy(y), x, b, lead=1, labels=y, **n
            ),
            "apgd-dlr": lambda b=ball, n=named: attacks.apgd(
                wavy, attacks.dlr(y), x, b, lead=1, labels=y, **n
            ),
            "targeted": lambda b=ball, n=named: attacks.targeted(wavy, x, y, b, classes=2, **n),
        }[attack]()
        now = attacks.wrong(wavy(at), y)
        assert (now >= broken).all()
        broken = now
    assert broken.any()


def test_more_of_apgd_from_its_best_point_never_lowers_the_loss(wavy, rows):
    x, y = rows
    loss, at = attacks.cross_entropy(y), x
    reached = loss(wavy(x))
    for eps, steps in ((0.05, 2), (0.05, 5), (0.1, 5), (0.3, 5)):
        at = attacks.apgd(wavy, loss, x, Ball(eps=eps), steps=steps, lead=1, start=at)
        assert (loss(wavy(at)) >= reached).all()
        reached = loss(wavy(at))


# APGD --------------------------------------------------------------------------------------


def loop_apgd(net, loss_of, x, eps, steps, start):
    """Algorithm 1 of the paper for one row, with its own list of checkpoints."""
    checkpoints, length = [], max(int(0.22 * steps), 1)
    at = length
    while at <= steps:
        checkpoints.append(at)
        length = max(length - max(int(0.03 * steps), 1), max(int(0.06 * steps), 1))
        at += length

    def look(point):
        point = point.clone().requires_grad_()
        value = loss_of(net(point[None]))[0]
        return value.item(), torch.autograd.grad(value, point)[0]

    def project(point):
        return torch.clamp(torch.clamp(point, x - eps, x + eps), 0, 1)

    points = [start]
    value, gradient = look(start)
    values, best, best_value, best_gradient = [value], start, value, gradient
    size, halved_last, best_last, last_check = 2 * eps, True, value, 0
    for step in range(1, steps + 1):
        ahead = project(points[-1] + size * gradient.sign())
        if step == 1:
            moved = project(ahead)
        else:
            jump = 0.75 * (ahead - points[-1]) + 0.25 * (points[-1] - points[-2])
            moved = project(points[-1] + jump)
        points.append(moved)
        value, gradient = look(moved)
        values.append(value)
        if value > best_value:
            best, best_value, best_gradient = moved, value, gradient
        if step in checkpoints:
            span = range(last_check + 1, step + 1)
            rose = sum(values[i] > values[i - 1] for i in span)
            halve = rose <= 0.75 * len(span) or (not halved_last and best_value <= best_last)
            if halve:
                size /= 2
                points[-1], gradient = best, best_gradient
            halved_last, best_last, last_check = halve, best_value, step
    return best


@pytest.mark.parametrize("loss", ["cross_entropy", "dlr"])
def test_apgd_is_the_papers_algorithm_row_by_row(net, rows, loss):
    x, y = rows
    ball, make = Ball(eps=0.15), getattr(attacks, loss)
    start = ball.uniform(x, 1, generator(5))
    found = attacks.apgd(net, make(y), x, ball, steps=40, lead=1, start=start)
    for row in range(ROWS):
        expected = loop_apgd(net, make(y[row : row + 1]), x[row], 0.15, 40, start[row])
        torch.testing.assert_close(found[row], expected, rtol=0, atol=1e-9)


def test_apgd_raises_the_loss_above_pgd_of_as_many_steps(net, rows):
    x, y = rows
    ball, loss = Ball(eps=0.15), attacks.cross_entropy(y)
    better = loss(net(attacks.apgd(net, loss, x, ball, steps=30, lead=1)))
    plain = loss(net(attacks.pgd(net, loss, x, ball, steps=30, step=0.15, lead=1)))
    assert better.mean() >= plain.mean()
    assert (better >= loss(net(x))).all()


def test_targets_of_the_search_are_the_runners_up_and_the_strongest_counts(net, rows):
    x, y = rows
    ball = Ball(eps=0.15)
    found = attacks.targeted(net, x, y, ball, steps=20, classes=2)
    worth = attacks.margin(y)
    one_by_one = []
    for place in (1, 2):
        target = net(x).argsort(-1, descending=True)[:, place]
        loss = attacks.towards(y, target)
        one_by_one.append(attacks.apgd(net, loss, x, ball, steps=20, lead=1, labels=y))
    expected = torch.stack([worth(net(points)) for points in one_by_one]).amax(0)
    torch.testing.assert_close(worth(net(found)), expected)


# Square ------------------------------------------------------------------------------------


def test_the_share_of_pixels_halves_where_the_paper_says():
    shares = [share_of_pixels(query, 10_000) for query in (0, 10, 11, 51, 201, 8_001)]
    assert shares == [0.8, 0.8, 0.4, 0.2, 0.1, 0.8 / 2**9]
    assert share_of_pixels(299, 300) == 0.8 / 2**9


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_more_queries_of_the_square_search_never_lower_the_margin(net, rows, norm):
    x, y = rows
    seen = []

    def watching(points):
        seen.append(points)
        return net(points)

    ball, worth = Ball(eps=0.2, norm=norm), attacks.margin(y)
    found = attacks.square(watching, x, y, ball, queries=60, generators=generator())
    reached = torch.stack([worth(net(points)) for points in seen])
    assert len(seen) == 61
    torch.testing.assert_close(worth(net(found)), reached.amax(0))
    assert (worth(net(found)) > reached[0]).any()


def test_the_square_search_starts_at_vertical_stripes_and_changes_one_window(net, rows):
    x, y = rows
    x = x * 0.2 + 0.4  # far from the walls
    seen = []

    def watching(points):
        seen.append(points)
        return -points.flatten(1)[:, :CLASSES] * 0  # never better: the start is kept

    attacks.square(watching, x, y, Ball(eps=0.1), queries=5, generators=generator())
    stripes = seen[0] - x
    torch.testing.assert_close(stripes.abs(), torch.full_like(stripes, 0.1))
    assert torch.equal(stripes.sign(), stripes.sign()[..., :1, :].expand_as(stripes))
    for tried in seen[1:]:
        torch.testing.assert_close((tried - x).abs(), torch.full_like(stripes, 0.1))
        assert ((tried - x).sign() != stripes.sign()).flatten(1).any(1).any()


def test_the_square_search_works_on_vectors_too():
    model, x, y, gap, w = linear()
    found = attacks.square(model, x, y, Ball(eps=0.02), queries=200, generators=generator())
    broken = attacks.wrong(model(found), y)
    assert not broken[gap > 0.02 * w.abs().sum()].any()
    assert broken.sum() > 0.5 * (gap < 0.02 * w.abs().sum()).sum()


# Closed forms ------------------------------------------------------------------------------


@pytest.mark.parametrize(("norm", "eps"), [("linf", 0.02), ("l2", 0.07)])
@pytest.mark.parametrize("attack", ["fgsm", "pgd", "apgd", "apgd-dlr", "targeted"])
def test_a_linear_net_of_two_classes_is_broken_exactly_where_its_margin_says(norm, eps, attack):
    model, x, y, gap, w = linear()
    ball, loss = Ball(eps=eps, norm=norm), attacks.cross_entropy(y)
    found = {
        "fgsm": lambda: attacks.fgsm(model, loss, x, ball, lead=1),
        "pgd": lambda: attacks.pgd(
            model, loss, x, ball, steps=20, step=2.5 * eps / 20, lead=1, labels=y
        ),
        "apgd": lambda: attacks.apgd(model, loss, x, ball, steps=20, lead=1, labels=y),
        "apgd-dlr": lambda: attacks.apgd(
            model, attacks.dlr(y), x, ball, steps=20, lead=1, labels=y
        ),
        "targeted": lambda: attacks.targeted(model, x, y, ball, steps=20, classes=4),
    }[attack]()
    reach = eps * (w.abs().sum() if norm == "linf" else w.norm())
    expected = gap < reach
    assert 0.2 < expected.double().mean() < 0.8
    assert torch.equal(attacks.wrong(model(found), y), expected)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_attacks_towards_all_classes_break_a_linear_net_where_one_margin_of_many_is_too_small(norm):
    drawn = generator(4)
    x = 0.5 + 0.1 * torch.randn(300, 16, generator=drawn).double()
    # classes of very different slope: the runner-up is often not the one that is soonest reached
    weight = torch.randn(6, 16, generator=drawn).double() * torch.linspace(0.2, 2, 6)[:, None]
    middle = weight @ x.mean(0)

    def model(points):
        return points @ weight.T - middle

    y, eps = model(x).argmax(-1), 0.02 if norm == "linf" else 0.07
    safe = []
    for row, own in enumerate(y.tolist()):
        margins = (model(x[row : row + 1])[0, own] - model(x[row : row + 1])[0]).tolist()
        gaps = [weight[t] - weight[own] for t in range(6)]
        reach = [float(gap.abs().sum() if norm == "linf" else gap.norm()) for gap in gaps]
        safe.append(all(margins[t] > eps * reach[t] for t in range(6) if t != own))
    expected = ~torch.tensor(safe)
    assert 0.2 < expected.double().mean() < 0.8
    ball = Ball(eps=eps, norm=norm)
    every, one = (
        attacks.wrong(model(attacks.targeted(model, x, y, ball, steps=20, classes=classes)), y)
        for classes in (5, 1)
    )
    assert torch.equal(every, expected)
    assert (one <= every).all()
    assert one.sum() < every.sum()


def test_a_scale_of_the_logits_blinds_cross_entropy_in_float32_and_not_the_dlr_loss():
    model, x, y, gap, w = linear(scale=1e4)
    blind, x = Ball(eps=0.02), x.float()
    narrow = lambda points: model(points.double()).float()  # noqa: E731
    by_pgd = attacks.pgd(
        narrow, attacks.cross_entropy(y), x, blind, steps=20, step=0.0025, lead=1, labels=y
    )
    by_dlr = attacks.apgd(narrow, attacks.dlr(y), x, blind, steps=20, lead=1, labels=y)
    exact = gap < 0.02 * w.abs().sum()
    assert attacks.wrong(narrow(by_pgd), y).sum() < 0.2 * exact.sum()
    assert attacks.wrong(narrow(by_dlr), y).sum() >= exact.sum() - 1


# Stacks ------------------------------------------------------------------------------------


def stacked(members):
    def drawn(seed):
        @contextlib.contextmanager
        def context():
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                yield

        return context()

    return StackedMLP((16, 32, CLASSES), [drawn(seed) for seed in members], torch.device("cpu"))


@pytest.mark.parametrize("attack", ["pgd", "apgd", "targeted", "square"])
def test_a_members_attack_has_the_same_bits_beside_any_others(attack):
    x = torch.rand(3, 9, 1, 4, 4, generator=generator())
    y = torch.arange(27).view(3, 9) % CLASSES
    ball = Ball(eps=0.2)

    def run(members):
        nets, own, labels = stacked(members), x[members], y[members]
        draws = [generator(seed) for seed in members]
        with attacks.frozen(nets):
            if attack == "square":
                return attacks.square(nets, own, labels, ball, queries=15, generators=draws)
            start = ball.uniform(own, 2, draws)
            if attack == "targeted":
                return attacks.targeted(nets, own, labels, ball, steps=8, classes=3, start=start)
            loss = attacks.cross_entropy(labels)
            if attack == "apgd":
                return attacks.apgd(nets, loss, own, ball, steps=8, lead=2, start=start)
            return attacks.pgd(nets, loss, own, ball, steps=8, step=0.05, lead=2, start=start)

    three = run([0, 1, 2])
    for pair in ([0, 1], [1, 2], [2, 0]):
        for member, found in zip(pair, run(pair), strict=True):
            assert torch.equal(found, three[member])


def test_a_frozen_net_gets_no_gradients_and_is_restored():
    nets = stacked([0, 1])
    nets.train()
    x, y = torch.rand(2, 6, 16, generator=generator()), torch.zeros(2, 6, dtype=torch.long)
    with attacks.frozen(nets):
        assert not nets.training
        attacks.pgd(nets, attacks.cross_entropy(y), x, Ball(eps=0.1), steps=2, step=0.1, lead=2)
    assert nets.training
    assert all(p.requires_grad and p.grad is None for p in nets.parameters())
