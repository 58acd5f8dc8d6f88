"""Selectors: every score against a slow one, the direction of what is
kept, and one file that serves both tracks.
"""

import importlib

import pytest
import torch
from answering import answered
from bench.builtin.methods.selection.el2n import ErrorNorm
from bench.builtin.methods.selection.forgetting import Counter, Forgetting
from bench.builtin.methods.selection.grand import (
    GradientNorm,
    gradient_norms,
    last_layer_norms,
    perceptron_norms,
)
from bench.builtin.methods.selection.herding import Herding
from bench.builtin.methods.selection.k_center import KCenter, farthest
from bench.builtin.methods.selection.margin import Uncertainty, uncertainty
from bench.builtin.methods.selection.random import Random
from bench.builtin.methods.selection.surrogate_power import SurrogatePower, inclusion, systematic
from torch import nn
from torch.nn import functional as F

from bench.runs.context import Run
from bench.tracks import condensation
from bench.tracks.selection import Problem, preferred, spread, top
from bench.training.convnet import ConvNet, Perceptron

CPU = torch.device("cpu")
SELECTORS = [
    Random(),
    Herding(),
    KCenter(),
    ErrorNorm(nets=2),
    GradientNorm(nets=2),
    Forgetting(),
    Uncertainty(nets=2),
    SurrogatePower(epochs=5),
]


@pytest.fixture
def run_of(tmp_path):
    def make(seed=0):
        return Run(
            seed=seed, task="selection/toy", method="selection/m", device=CPU, workdir=tmp_path
        )

    return make


def problem_of(rows=90, **protocol):
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(rows) % 3
    x = torch.randn(rows, 6, generator=generator) + 2 * torch.eye(3, 6)[y]
    return Problem(
        x=x,
        y=y,
        n_classes=3,
        **{"fractions": (0.1, 0.5), "widths": (8,), "batch_size": 16, "epochs": 6, **protocol},
    )


def images_problem():
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(36) % 3
    x = torch.randn(36, 1, 8, 8, generator=generator)
    return condensation.Problem(
        x=x, y=y, n_classes=3, ipc=2, mean=torch.zeros(1), std=torch.ones(1), width=4, epochs=2
    )


@pytest.mark.parametrize("selector", SELECTORS, ids=lambda selector: selector.card.name)
def test_a_selector_keeps_as_many_distinct_rows_as_it_may_and_repeats_itself(selector, run_of):
    problem = problem_of()
    first, again, other = (selector.solve(problem, run_of(seed)) for seed in (0, 0, 1))
    for rows, budget in zip(first.rows, problem.budgets, strict=True):
        assert len(rows) == budget == len(rows.unique())
    assert all(torch.equal(one, two) for one, two in zip(first.rows, again.rows, strict=True))
    assert any(not torch.equal(one, two) for one, two in zip(first.rows, other.rows, strict=True))


@pytest.mark.parametrize("selector", SELECTORS, ids=lambda selector: selector.card.name)
def test_the_same_selector_chooses_images_of_a_condensed_set_that_are_rows_of_train(
    selector, run_of
):
    problem = images_problem()
    small = selector.solve(problem, run_of())
    answered(small, problem, "condensation")
    assert torch.equal(small.x, problem.x[small.indices])
    assert small.y.bincount().tolist() == [2, 2, 2]


def test_with_one_image_a_class_herding_and_k_center_both_keep_the_one_nearest_the_mean(run_of):
    problem = condensation.Problem(
        **{
            name: getattr(images_problem(), name)
            for name in ("x", "y", "n_classes", "mean", "std", "width", "epochs")
        },
        ipc=1,
    )
    rows = [
        selector.solve(problem, run_of()).indices
        for selector in (Herding(features="pixels"), KCenter(features="pixels"))
    ]
    assert torch.equal(rows[0], rows[1])
    for row, c in zip(rows[0].tolist(), range(3), strict=True):
        own = problem.x[problem.y == c].flatten(1)
        assert torch.equal(problem.x[row].flatten(), own[(own - own.mean(0)).norm(dim=1).argmin()])


# Scores
# -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "net",
    [Perceptron(sizes=(64, 5, 3)), ConvNet(shape=(1, 8, 8), classes=3, width=4, depth=2)],
    ids=["mlp", "convnet"],
)
def test_grand_is_the_norm_of_each_row_s_own_gradient(net):
    params = [tensor.double() for tensor in net.init([torch.Generator().manual_seed(0)])]
    x, y = (
        torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64),
        torch.tensor([0, 1, 2, 0, 1]),
    )
    found = gradient_norms(net, params, x, y, chunk=2)
    last = last_layer_norms(net, params, x, y)
    for row in range(5):
        own = [tensor.clone().requires_grad_() for tensor in params]
        gradients = torch.autograd.grad(
            F.cross_entropy(net.logits(own, x[None, row : row + 1])[0], y[row : row + 1]), own
        )
        assert found[row].item() == pytest.approx(
            sum(gradient.square().sum().item() for gradient in gradients) ** 0.5
        )
        assert last[row].item() == pytest.approx(
            sum(gradient.square().sum().item() for gradient in gradients[-2:]) ** 0.5
        )


@pytest.mark.parametrize("sizes", [(64, 3), (64, 7, 3), (64, 7, 5, 3)], ids=len)
def test_grand_s_product_of_norms_is_the_norm_of_the_gradients_of_perceptrons(sizes):
    generator = torch.Generator().manual_seed(0)
    net = Perceptron(sizes=sizes)
    params = [tensor.double() for tensor in net.init([generator] * 2)]
    x = torch.randn(11, 1, 8, 8, generator=generator, dtype=torch.float64)
    y = torch.arange(11) % 3
    slow = [gradient_norms(net, [tensor[k : k + 1] for tensor in params], x, y) for k in range(2)]
    torch.testing.assert_close(perceptron_norms(params, x, y, chunk=4), torch.stack(slow))


def test_a_perceptron_is_that_of_torch_s_layers():
    net = Perceptron(sizes=(4, 5, 3))
    params = net.init([torch.Generator().manual_seed(seed) for seed in (0, 1)])
    x = torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(1))
    for k in range(2):
        hidden = nn.functional.linear(x[k], params[0][k], params[1][k]).relu()
        torch.testing.assert_close(
            net.logits(params, x)[k], nn.functional.linear(hidden, params[2][k], params[3][k])
        )


def test_el2n_is_the_norm_of_the_error_and_wrong_labels_have_more_of_it(run_of):
    problem = problem_of(rows=150)
    import msgspec

    wrong = torch.arange(150) % 10 == 0
    noisy = msgspec.structs.replace(problem, y=torch.where(wrong, (problem.y + 1) % 3, problem.y))
    scores = ErrorNorm(nets=3, share=0.5).scores(noisy, run_of())
    assert 0 <= scores.min()
    assert scores.max() <= 2**0.5
    assert scores[wrong].mean() > scores[~wrong].mean() + 0.2


def test_forgetting_counts_changes_from_right_to_wrong_and_never_learnt_is_infinite():
    counter = Counter(1, torch.tensor([0, 1, 1]))
    # row -> predicted class at each visit
    said = {0: [0, 1, 0, 1, 1], 1: [1, 1, 1, 1, 1], 2: [0, 0, 0, 0, 0]}
    for visit in range(5):
        logits = F.one_hot(torch.tensor([[said[row][visit] for row in range(3)]]), 2).float()
        counter(visit, torch.arange(3)[None], logits)
    assert counter.counts().tolist() == [2, 0, float("inf")]


@pytest.mark.parametrize("measure", ["margin", "entropy", "least-confidence"])
def test_uncertainty_is_higher_where_a_net_is_less_sure(measure):
    p = torch.tensor([[0.98, 0.01, 0.01], [0.6, 0.3, 0.1], [1 / 3, 1 / 3, 1 / 3], [1.0, 0.0, 0.0]])
    found = uncertainty(p, measure)
    assert found.argsort().tolist() == [3, 0, 1, 2]
    assert uncertainty(p, "margin")[1].item() == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("selector", "nets", "share"),
    [
        (ErrorNorm(), 10, 0.1),
        (GradientNorm(), 10, 0.1),
        (Forgetting(), 5, 1.0),
        (Uncertainty(), 1, 1.0),
        (Uncertainty(share=0.5), 1, 0.5),
        (Herding(), 1, 1.0),
        (KCenter(), 1, 1.0),
    ],
    ids=lambda value: value.card.name if hasattr(value, "card") else str(value),
)
def test_a_score_is_read_when_its_paper_reads_it_and_of_as_many_nets(selector, nets, share, run_of):
    problem, run = problem_of(rows=160, epochs=20), run_of()
    selector.solve(problem, run)
    trained = nets * share * 20 * 160
    # a trained net is asked for every row once, and GraNd takes each row's gradient
    looked = 0 if isinstance(selector, Forgetting) else nets * 160
    gradients = nets * 160 if isinstance(selector, GradientNorm) else 0
    assert dict(run._counts) == {"forward": trained + looked, "backward": trained + gradients}


def test_herding_follows_the_mean_and_k_center_the_farthest(run_of):
    problem = problem_of(fractions=(0.1,))
    x = problem.x
    kept, sums = [], torch.zeros(6)
    for k in range(9):
        cost = [
            ((k + 1) * x.mean(0) - sums - row).norm().item() if i not in kept else float("inf")
            for i, row in enumerate(x)
        ]
        kept.append(min(range(90), key=cost.__getitem__))
        sums = sums + x[kept[-1]]
    assert Herding(features="pixels").solve(problem, run_of()).rows[0].tolist() == kept
    centres = [int((x - x.mean(0)).norm(dim=1).argmin())]
    while len(centres) < 9:
        centres.append(int(torch.cdist(x, x[centres]).min(1).values.argmax()))
    assert KCenter(features="pixels").solve(problem, run_of()).rows[0].tolist() == centres


# Sampling
# -------------------------------------------------------------------------------------------------


def plainly_farthest(features, count, best):
    """Picks as the formula reads: all distances anew, with a copy of the features."""
    norms, picked = features.square().sum(1), []
    nearest = torch.full_like(norms, torch.inf)
    for _ in range(count):
        picked.append(best)
        nearest = torch.minimum(nearest, norms - 2 * features @ features[best] + norms[best])
        nearest[best] = -torch.inf
        best = nearest.argmax()
    return torch.stack(picked)


@pytest.mark.parametrize(("rows", "columns"), [(1, 3), (40, 5), (140, 64), (700, 257)])
def test_k_center_without_copies_picks_the_same_rows(rows, columns):
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        features = torch.randn(rows, columns, generator=generator).relu()
        features[-1] = features[0]
        first, count = torch.tensor(seed % rows), min(rows, 30)
        assert torch.equal(
            farthest(features, count, first), plainly_farthest(features, count, first)
        )


def test_inclusion_probabilities_are_proportional_up_to_one_and_sum_to_the_budget():
    weights = torch.tensor([100.0, 1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    pi = inclusion(weights, 3)
    assert pi.sum().item() == pytest.approx(3)
    assert pi[0] == 1
    torch.testing.assert_close(pi[1:] / pi[1], weights[1:])
    assert inclusion(weights, 5).tolist() == [1] * 5
    torch.testing.assert_close(
        inclusion(torch.ones(8, dtype=torch.float64), 2),
        torch.full((8,), 0.25, dtype=torch.float64),
    )


def test_systematic_sampling_keeps_the_size_and_the_probabilities():
    pi = inclusion(torch.arange(1.0, 21.0, dtype=torch.float64), 6)
    generator, counts = torch.Generator().manual_seed(0), torch.zeros(20)
    for _ in range(3000):
        rows = systematic(pi, generator)
        assert len(rows) == 6 == len(rows.unique())
        counts[rows] += 1
    # four standard errors of a share
    torch.testing.assert_close(counts / 3000, pi.float(), atol=0.035, rtol=0)


def test_the_power_decides_between_hard_and_easy_rows(run_of):
    problem = problem_of(rows=300)
    kept = {
        alpha: SurrogatePower(alpha=alpha, epochs=20).solve(problem, run_of())
        for alpha in (-1.0, 0.0, 1.0)
    }
    u = kept[0.0].scores
    assert u[kept[-1.0].rows[0]].mean() < u[kept[0.0].rows[0]].mean() < u[kept[1.0].rows[0]].mean()


def test_weights_of_the_unbiased_variant_are_one_over_the_probability(run_of):
    found = SurrogatePower(reweight=True, epochs=20).solve(problem_of(rows=300), run_of())
    u = found.scores[found.rows[0]].double().clamp_min(1e-9)
    product = (found.weights[0] * u**0.5).double()  # constant where no probability was cut at one
    assert (product - product.median()).abs().max() <= 0.35 * product.median()


# What is kept
# ------------------------------------------------------------------------------------------------


def test_orders_keep_the_hardest_the_easiest_or_the_middle_and_an_offset_drops_the_top():
    hardness = torch.tensor([1.0, 5.0, 3.0, float("inf"), 2.0])
    ties = torch.zeros(5)
    keep = {
        order: sorted(top(preferred(hardness, order, 0.0), ties, problem_of(rows=5), 2).tolist())
        for order in ("hard", "easy", "moderate")
    }
    assert keep == {"hard": [1, 3], "easy": [0, 4], "moderate": [2, 4]}
    assert sorted(top(preferred(hardness, "hard", 0.2), ties, problem_of(rows=5), 2).tolist()) == [
        1,
        2,
    ]


def test_ties_are_broken_by_the_draw_and_never_by_the_row_s_number():
    scores, ties = torch.zeros(5), torch.tensor([0.1, 0.5, 0.3, 0.9, 0.2])
    assert top(scores, ties, problem_of(rows=5), 2).tolist() == [3, 1]


def test_a_balanced_problem_gives_every_class_its_share():
    problem = problem_of(rows=91, class_balance=True)
    assert [count for _, count in spread(problem, 10)] == [4, 3, 3]
    assert sum(count for _, count in spread(problem, 91)) == 91


@pytest.mark.parametrize(
    "name",
    ["random", "herding", "k_center", "el2n", "grand", "forgetting", "margin", "surrogate_power"],
)
def test_every_selector_serves_both_tracks(name):
    module = importlib.import_module(f"bench.builtin.methods.selection.{name}")
    kind = next(
        item
        for item in vars(module).values()
        if getattr(getattr(item, "card", None), "name", "") == name.replace("_", "-")
    )
    assert set(kind.card.tracks) == {"condensation", "selection"}
