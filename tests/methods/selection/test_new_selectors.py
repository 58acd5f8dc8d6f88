"""Scores of typical rows, lpNTK and the time of learning, each against a slow form."""

import math

import pytest
import torch
from bench.builtin.methods.selection.learned_when import LearnedWhen, Shares
from bench.builtin.methods.selection.lpntk import (
    LabelledKernel,
    farthest,
    kernel,
    normalised,
    strangers,
)
from bench.builtin.methods.selection.proto_adv import BoundaryDistance, distances
from bench.builtin.methods.selection.proto_agr import Agreement, disagreement
from bench.builtin.methods.selection.proto_conf import Confidence
from bench.builtin.methods.selection.proto_priv import Privacy, clipped, private
from bench.builtin.methods.selection.proto_ret import Retraining, change
from torch.nn import functional as F

from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.tracks.selection import Problem, starts, trained
from bench.training.convnet import Perceptron
from bench.training.fitting import Recipe, cross_entropy, fit, passes_of

SELECTORS = [
    BoundaryDistance(nets=2, steps=3),
    Retraining(nets=2),
    Agreement(nets=2),
    Confidence(nets=2),
    Privacy(levels=(0.3, 3.0)),
    LabelledKernel(),
    LearnedWhen(nets=2),
]


@pytest.fixture
def run_of(tmp_path):
    def make(seed=0, method="m"):
        return Run(
            seed=seed,
            task="selection/toy",
            method=f"selection/{method}",
            device=torch.device("cpu"),
            workdir=tmp_path,
        )

    return make


def problem_of(rows=60, **protocol):
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(rows) % 3
    x = torch.randn(rows, 6, generator=generator) + 2 * torch.eye(3, 6)[y]
    return Problem(
        x=x,
        y=y,
        n_classes=3,
        **{"fractions": (0.1, 0.5), "widths": (8,), "batch_size": 16, "epochs": 4, **protocol},
    )


def drawn(sizes, nets=1):
    net = Perceptron(sizes=sizes)
    return net, net.init([torch.Generator().manual_seed(k) for k in range(nets)])


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("selector", SELECTORS, ids=lambda one: one.card.name)
def test_a_new_selector_keeps_as_many_distinct_rows_as_it_may(selector, balanced, run_of):
    problem = problem_of(class_balance=balanced)
    first, again = (selector.solve(problem, run_of()) for _ in range(2))
    for rows, other, budget in zip(first.rows, again.rows, problem.budgets, strict=True):
        assert len(rows) == budget == len(rows.unique())
        assert torch.equal(rows, other)


def test_the_distance_from_a_linear_nets_boundary_is_the_closed_form():
    net, params = drawn((6, 4), nets=2)
    x = torch.randn(9, 6)
    found = distances(net, params, x, 10, 1.02)
    for k in range(2):
        weight, logits = params[0][k], net.logits(params, x.expand(2, 9, 6))[k]
        for row in range(9):
            own = int(logits[row].argmax())
            near = min(
                float(
                    (logits[row, own] - logits[row, other]) / (weight[own] - weight[other]).norm()
                )
                for other in range(4)
                if other != own
            )
            assert float(found[k, row]) == pytest.approx(1.02 * near, rel=1e-4)


def test_the_change_that_is_measured_leads_over_the_boundary():
    net, params = drawn((6, 16, 3))
    x = torch.randn(20, 6)
    one, many = distances(net, params, x, 1, 1.02), distances(net, params, x, 20, 1.02)
    assert bool((many >= one - 1e-6).all())
    assert bool((many > 0).all())


def test_nets_that_say_the_same_agree_and_others_disagree_by_the_formula():
    logits = torch.randn(3, 5, 4)
    p = logits.softmax(-1)
    wanted = [
        sum(float((p[k, row] * (p[k, row] / p[:, row].mean(0)).log()).sum()) for k in range(3)) / 3
        for row in range(5)
    ]
    assert disagreement(logits).tolist() == pytest.approx(wanted, rel=1e-4)
    torch.testing.assert_close(disagreement(logits[:1].expand(3, -1, -1)), torch.zeros(5))


def test_confidence_is_the_mean_highest_probability_of_the_nets_row_by_row(run_of):
    problem = problem_of(rows=20)
    net, params = trained(problem, run_of(), "scores", nets=3, epochs=4)
    found = Confidence(nets=3).scores(problem, run_of())
    for row in range(20):
        total = 0.0
        for k in range(3):
            own = [tensor[k : k + 1] for tensor in params]
            z = [float(value) for value in net.logits(own, problem.x[row][None, None])[0, 0]]
            total += math.exp(max(z)) / sum(math.exp(value) for value in z)
        assert float(found[row]) == pytest.approx(-total / 3, rel=1e-5)
    easy = Confidence(nets=3, order="easy").scores(problem, run_of())
    torch.testing.assert_close(easy, -found)


def test_the_change_of_a_net_is_the_symmetric_divergence():
    before, after = torch.randn(2, 5, 4), torch.randn(2, 5, 4)
    p, q = before.log_softmax(-1), after.log_softmax(-1)
    both = F.kl_div(q, p, log_target=True, reduction="none") + F.kl_div(
        p, q, log_target=True, reduction="none"
    )
    torch.testing.assert_close(change(before, after), both.sum(-1).mean(0))
    torch.testing.assert_close(change(before, before), torch.zeros(5))


def test_ghost_norms_and_clipped_sums_are_those_of_autograd_row_by_row():
    net, params = drawn((6, 7, 5, 3), nets=2)
    x, y = torch.randn(2, 5, 6), torch.randint(3, (2, 5))
    for clip in (0.5, 1e6):
        found = clipped(params, x, y, clip)
        for k in range(2):
            sums = [torch.zeros_like(tensor[k]) for tensor in params]
            for row in range(5):
                own = [tensor[k : k + 1].clone().requires_grad_() for tensor in params]
                logits = net.logits(own, x[k : k + 1, row : row + 1])
                loss = cross_entropy(logits, y[k : k + 1, row : row + 1]).sum()
                parts = torch.autograd.grad(loss, own)
                norm = torch.cat([part.flatten() for part in parts]).norm()
                for total, part in zip(sums, parts, strict=True):
                    total += part[0] * min(1.0, clip / float(norm))
            for tensor, total in zip(found, sums, strict=True):
                torch.testing.assert_close(tensor[k], total, rtol=1e-4, atol=1e-5)


def test_private_training_without_noise_and_clip_is_plain_descent(run_of):
    problem = problem_of()
    found = private(problem, run_of(), (0.0,), 1e9)
    steps = 15
    order = [run_of().torch_generator("order", "scores", 0, device="cpu")]
    batches = passes_of([torch.arange(60)], 16, steps, order)
    recipe = Recipe(steps=steps, lr=problem.lr, momentum=0.0, weight_decay=0.0, schedule="cosine")
    start = starts(problem, run_of(), "scores", 1)
    wanted = fit(problem.net(), start, problem.x, problem.y, batches, recipe)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_the_factorised_kernel_is_that_of_jacobians():
    net, params = drawn((6, 7, 5, 4))
    x, y = torch.randn(10, 6), torch.randint(4, (10,))
    sign = 2 * F.one_hot(y, 4).float() - 1
    rows = []
    for row in range(10):
        own = [tensor.clone().requires_grad_() for tensor in params]
        z = net.logits(own, x[None, row : row + 1])[0, 0]
        rows.append(
            torch.cat(
                [part.flatten() for part in torch.autograd.grad((sign[row] * z).sum() / 2, own)]
            )
        )
    jacobians = torch.stack(rows)
    found = kernel(params, x, y)
    torch.testing.assert_close(found, jacobians @ jacobians.T, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(normalised(found).diagonal(), torch.ones(10))


def test_rows_are_picked_farthest_first_and_strangers_to_their_label_come_last():
    places = torch.tensor([0.0, 0.1, 1.0, 0.5])
    likeness = 1 - (places[:, None] - places).square() / 2
    order = farthest(likeness, 4, torch.Generator().manual_seed(0)).tolist()
    assert sorted(order) == [0, 1, 2, 3]
    for k in range(1, 4):
        distance = [min(abs(places[a] - places[b]) for b in order[:k]) for a in range(4)]
        assert distance[order[k]] == max(distance)
    y = torch.tensor([0, 0, 1, 1, 0])
    same = torch.eye(5)
    same[:2, :2], same[2:4, 2:4] = 1.0, 1.0
    assert strangers(same, y, 0.2).tolist() == [False, False, False, False, True]


def test_a_stranger_is_kept_after_all_others(run_of):
    problem = problem_of(fractions=(0.9, 1.0))
    scores = LabelledKernel().solve(problem, run_of()).scores
    assert int(scores.isfinite().sum()) == 60
    assert sorted((-scores).int().tolist()) == list(range(60))


def test_the_share_of_right_visits_is_counted_by_hand():
    shares = Shares(1, torch.tensor([0, 1, 1]))
    right = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    shares(0, torch.tensor([[0, 1]]), right)
    shares(1, torch.tensor([[1, 0]]), right)
    assert shares.mean().tolist() == [0.5, 0.5, 0.0]


def test_levels_below_zero_are_refused_in_a_sentence(run_of):
    with pytest.raises(InvalidRun, match="give numbers from 0 on"):
        Privacy(levels=(-1.0,)).solve(problem_of(), run_of())
