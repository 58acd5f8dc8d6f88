"""Dependence of hidden variables: the fast form is the double loop, its
gradient is autograd's, and weights reduce it.
"""

import itertools

import pytest
import torch
from bench.builtin.methods.graph_ood._decorrelation import (
    AdamTable,
    Dependence,
    Memory,
    logit_slope,
    permuted,
    random_features,
    softmax_weights,
    solve_weights,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def weights_of(n, seed=0):
    return softmax_weights(torch.randn(n, generator=generator(seed), dtype=torch.float64))


def double_loop(features, clusters, w, factors="both"):
    """D as the papers print it: for each pair of variables in different clusters, the squared norm
    of the weighted cross-covariance; the weight in both of its factors, or in one.
    """
    n, d = len(features), len(clusters)
    features = features.view(n, d, -1)
    total = 0.0
    for i, j in itertools.combinations(range(d), 2):
        if clusters[i] == clusters[j]:
            continue
        a, b = features[:, i], features[:, j]
        if factors == "both":
            a, b = w[:, None] * a, w[:, None] * b
            covariance = (a - a.mean(0)).T @ (b - b.mean(0)) / (n - 1)
        else:
            means = [(w[:, None] * part).sum(0) / n for part in (a, b)]
            covariance = (a.T @ torch.diag(w) @ b - n * torch.outer(*means)) / (n - 1)
        total += covariance.square().sum()
    return total


@pytest.mark.parametrize("factors", ["both", "one"])
@pytest.mark.parametrize("n", [64, 20], ids=["more rows than columns", "fewer rows than columns"])
@pytest.mark.parametrize(
    "clusters",
    [[0] * 12, list(range(12)), [0, 1, 0, 1, 2, 2, 2, 0, 0, 5, 5, 1]],
    ids=["one cluster", "all alone", "mixed"],
)
def test_the_fast_form_and_its_gradient_are_those_of_the_double_loop(n, clusters, factors):
    features = random_features(
        torch.randn(n, 12, generator=generator(), dtype=torch.float64), 3, generator()
    )
    clusters, w = torch.tensor(clusters), weights_of(n).requires_grad_()
    expected = torch.as_tensor(double_loop(features, clusters, w, factors), dtype=torch.float64)
    dependence = Dependence(features, clusters, factors)
    found = dependence.value(w.detach())
    torch.testing.assert_close(found, expected.detach(), rtol=1e-10, atol=1e-12)
    assert (float(found) < 1e-12) == (len(clusters.unique()) == 1)
    if expected.requires_grad:
        slope = torch.autograd.grad(expected, w)[0]
        torch.testing.assert_close(dependence.gradient(w.detach()), slope, rtol=1e-9, atol=1e-12)


def test_equal_weights_give_the_same_dependence_wherever_the_weight_stands():
    features = random_features(
        torch.randn(30, 6, generator=generator(), dtype=torch.float64), 2, generator()
    )
    ones = torch.ones(30, dtype=torch.float64)
    both, one = (
        Dependence(features, torch.arange(6), factors).value(ones) for factors in ("both", "one")
    )
    torch.testing.assert_close(both, one)


@pytest.mark.parametrize(("factors", "power"), [("both", 0.5), ("one", 1.0)])
def test_dependence_is_zero_at_the_balancing_weights_or_at_their_root(factors, power):
    """A cause and a shortcut of plus and minus one, balanced each, that agree in nine of ten: the
    graphs in which they differ have to weigh nine times as much as the others.
    """
    cause = torch.tensor([1.0, -1.0]).repeat(100).double()
    agree = (torch.arange(200) % 20 < 18).double()
    features = torch.stack([cause, cause * (2 * agree - 1)], 1)
    assert cause @ agree == 0

    def value(ratio):
        w = torch.where(agree > 0, 1.0, ratio).double()
        return float(Dependence(features, torch.arange(2), factors).value(w / w.mean()))

    assert value(9.0**power) < 1e-20
    assert min(value(9.0 ** (1.5 - power)), value(1.0)) > 0.1


def test_independent_variables_depend_little_and_a_copied_one_much():
    z = torch.randn(2000, 6, generator=generator(), dtype=torch.float64)
    ones = torch.ones(2000, dtype=torch.float64)
    apart = Dependence(random_features(z, 2, generator(1)), torch.arange(6)).value(ones)
    assert apart < 15 * 4 * 3 / 2000  # 15 pairs of 2 x 2 covariances, each of variance about 1 / n
    copied = torch.cat([z[:, :5], z[:, :1]], 1)
    assert (
        Dependence(random_features(copied, 2, generator(1)), torch.arange(6)).value(ones)
        > 10 * apart
    )


def test_the_order_of_graphs_and_of_variables_with_their_features_does_not_matter():
    features = random_features(
        torch.randn(50, 6, generator=generator(), dtype=torch.float64), 2, generator()
    )
    clusters, w = torch.tensor([0, 0, 1, 2, 2, 1]), weights_of(50)
    rows, columns = (
        torch.randperm(50, generator=generator()),
        torch.randperm(6, generator=generator()),
    )
    moved = features.view(50, 6, 2)[rows][:, columns].flatten(1)
    torch.testing.assert_close(
        Dependence(moved, clusters[columns]).value(w[rows]), Dependence(features, clusters).value(w)
    )


def test_a_feature_is_the_cosine_of_the_standardised_variable():
    z = torch.randn(40, 3, generator=generator(), dtype=torch.float64)
    stream = generator(5)
    omega, phi = (
        torch.randn((3, 2), generator=stream, dtype=torch.float64),
        2 * torch.pi * torch.rand((3, 2), generator=stream, dtype=torch.float64),
    )
    found = random_features(z, 2, generator(5)).view(40, 3, 2)
    column = (z[:, 1] - z[:, 1].mean()) / z[:, 1].std(correction=0)
    torch.testing.assert_close(found[:, 1, 0], 2**0.5 * torch.cos(omega[1, 0] * column + phi[1, 0]))
    # a variable that does not vary
    assert random_features(torch.ones(5, 3), 2, generator()).isfinite().all()


# The weights --------------------------------------------------------------------


def solved(seed=0, ridge=0.02, steps=20, n=128, d=10, memory=None, lr=0.1):
    z = torch.randn(n, 3, generator=generator(seed)) @ torch.randn(
        3, d, generator=generator(seed + 1)
    )
    dependence = Dependence(random_features(z, 2, generator(seed)), torch.arange(d))
    batch = n - (0 if memory is None else len(memory))
    return dependence, solve_weights(
        dependence, torch.zeros(batch), steps=steps, lr=lr, ridge=ridge, memory=memory
    )


@pytest.mark.parametrize("seed", range(5))
def test_solving_lowers_the_dependence_and_keeps_weights_positive_with_mean_one(seed):
    dependence, a = solved(seed)
    w = softmax_weights(a)
    assert dependence.value(w) < 0.9 * dependence.value(torch.ones(128))
    assert w.isfinite().all()
    assert (w >= 0).all()
    assert w.mean() == pytest.approx(1, abs=1e-5)
    assert 0 < float(w.mean() ** 2 / w.square().mean()) < 1


def test_weights_of_equal_logits_are_exactly_one():
    for n in (1, 42, 128):
        assert torch.equal(softmax_weights(torch.full((n,), 0.3)), torch.ones(n))


def test_a_heavy_ridge_makes_the_weights_equal():
    _, a = solved(ridge=1e6, steps=400, lr=0.01)
    w = softmax_weights(a)
    assert float(w.mean() ** 2 / w.square().mean()) > 0.9999


def test_the_inner_steps_are_adam_on_the_objective():
    """Against torch's Adam and autograd through the double loop, memory included."""
    z = torch.randn(30, 4, generator=generator(), dtype=torch.float64)
    features, clusters = random_features(z, 2, generator()), torch.tensor([0, 0, 1, 2])
    memory = weights_of(10, 3)
    a = torch.zeros(20, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([a], lr=0.1)
    for _ in range(7):
        w = 20 * a.softmax(0)
        adam.zero_grad()
        objective = double_loop(features, clusters, torch.cat([w, memory]))
        (objective + 0.5 * w.square().mean()).backward()
        adam.step()
    found = solve_weights(
        Dependence(features, clusters),
        torch.zeros(20, dtype=torch.float64),
        steps=7,
        lr=0.1,
        ridge=0.5,
        memory=memory,
    )
    torch.testing.assert_close(found, a.detach(), rtol=1e-6, atol=1e-8)


def test_a_linear_term_of_the_objective_adds_its_slope_times_the_weight_s():
    a = torch.randn(20, generator=generator(), dtype=torch.float64).requires_grad_()
    slope = torch.randn(20, generator=generator(4), dtype=torch.float64)
    w = 20 * a.softmax(0)
    expected = torch.autograd.grad(slope @ w + 0.5 * w.square().mean(), a)[0]
    torch.testing.assert_close(logit_slope(a.detach(), None, ridge=0.5, slope=slope), expected)


def test_each_graph_of_a_table_moves_as_if_adam_knew_it_alone():
    table = AdamTable(3, 0.1, torch.device("cpu"))
    alone = [torch.zeros(1, requires_grad=True) for _ in range(3)]
    adams = [torch.optim.Adam([a], lr=0.1) for a in alone]
    stream = generator(2)
    for rows in ([0, 2], [2], [2, 1], [1, 2, 0]):
        gradient = torch.randn(len(rows), generator=stream)
        table.step(torch.tensor(rows), gradient)
        for row, value in zip(rows, gradient, strict=True):
            alone[row].grad = value[None]
            adams[row].step()
    torch.testing.assert_close(table.a, torch.cat(alone).detach())


def test_weights_break_a_planted_correlation_and_favour_the_graphs_that_contradict_it():
    stream = generator(0)
    cause = (torch.rand(400, generator=stream) < 0.5).float() * 2 - 1
    flip = torch.rand(400, generator=stream) < 0.05  # corr 0.9
    shortcut = torch.where(flip, -cause, cause)
    z = torch.stack([cause, shortcut], 1) + 0.1 * torch.randn(400, 2, generator=stream)

    def correlation(w):  # of the weighted variables, as D takes it
        return float(torch.corrcoef((w[:, None] * z).mT)[0, 1])

    dependence = Dependence(random_features(z, 5, stream), torch.arange(2))
    w = softmax_weights(solve_weights(dependence, torch.zeros(400), steps=200, lr=0.1, ridge=0.0))
    assert correlation(torch.ones(400)) > 0.85
    assert correlation(w) < 0.5 * correlation(torch.ones(400))
    assert w[flip].mean() > 2 * w[~flip].mean()
    shuffled = permuted(w, stream)
    assert shuffled[flip].mean() < 1.5 * shuffled[~flip].mean()
    assert torch.equal(shuffled.sort().values, w.sort().values)


def test_the_memory_moves_towards_each_batch_each_group_at_its_own_pace():
    memory = Memory(2, 0.5)
    z, ones = [torch.full((4, 3), float(k)) for k in range(4)], torch.ones(4)
    assert memory.join(z[0])[1] is None
    for part in z[:2]:
        memory.add(part, ones)
    joined, w = memory.join(z[3])
    assert joined[:, 0].tolist() == [3.0] * 4 + [0.0] * 4 + [1.0] * 4
    assert w.tolist() == [1.0] * 8
    memory.add(z[2], 3 * ones)  # first group keeps 1/2, second 1/4
    joined, w = memory.join(z[3])
    assert joined[:, 0].tolist() == [3.0] * 4 + [1.0] * 4 + [1.75] * 4
    assert w.tolist() == [2.0] * 4 + [2.5] * 4
    memory.add(torch.zeros(2, 3), torch.ones(2))  # a smaller last batch
    assert memory.join(z[3])[0].equal(joined)
    filling = Memory(3, 0.5)
    for part in (z[0], z[1][:2], z[2]):  # the smaller one comes before all groups are there
        filling.add(part, torch.ones(len(part)))
    assert filling.join(z[3])[0][:, 0].tolist() == [3.0] * 4 + [0.0] * 4 + [2.0] * 4
    assert Memory(0, 0.9).join(z[0])[1] is None
