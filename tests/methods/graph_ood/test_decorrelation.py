"""Dependence of hidden variables: the fast form is the double loop, its
gradient is autograd's, and weights reduce it.
"""

import itertools

import pytest
import torch
from bench.builtin.methods.graph_ood._decorrelation import (
    Dependence,
    Memory,
    permuted,
    random_features,
    softmax_weights,
    solve_weights,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def weights_of(n, seed=0):
    return softmax_weights(torch.randn(n, generator=generator(seed), dtype=torch.float64))


def double_loop(features, clusters, w):
    """D as the papers print it: for each pair of variables in different
    clusters, the squared norm of the weighted cross-covariance.
    """
    n, d = len(features), len(clusters)
    features = features.view(n, d, -1)
    total = 0.0
    for i, j in itertools.combinations(range(d), 2):
        if clusters[i] == clusters[j]:
            continue
        a, b = w[:, None] * features[:, i], w[:, None] * features[:, j]
        covariance = (a - a.mean(0)).T @ (b - b.mean(0)) / (n - 1)
        total += covariance.square().sum()
    return total


@pytest.mark.parametrize("n", [64, 20], ids=["more rows than columns", "fewer rows than columns"])
@pytest.mark.parametrize(
    "clusters",
    [[0] * 12, list(range(12)), [0, 1, 0, 1, 2, 2, 2, 0, 0, 5, 5, 1]],
    ids=["one cluster", "all alone", "mixed"],
)
def test_the_fast_form_is_the_double_loop(n, clusters):
    features = random_features(
        torch.randn(n, 12, generator=generator(), dtype=torch.float64), 3, generator()
    )
    clusters, w = torch.tensor(clusters), weights_of(n)
    expected = double_loop(features, clusters, w)
    found = Dependence(features, clusters).value(w)
    torch.testing.assert_close(
        found, torch.as_tensor(expected, dtype=torch.float64), rtol=1e-10, atol=1e-12
    )
    assert (float(found) < 1e-12) == (len(clusters.unique()) == 1)


@pytest.mark.parametrize("n", [64, 20], ids=["more rows than columns", "fewer rows than columns"])
@pytest.mark.parametrize(
    "clusters", [list(range(12)), [0, 1, 0, 1, 2, 2, 2, 0, 0, 5, 5, 1]], ids=["all alone", "mixed"]
)
def test_the_written_gradient_is_that_of_the_double_loop_by_autograd(n, clusters):
    features = random_features(
        torch.randn(n, 12, generator=generator(), dtype=torch.float64), 3, generator()
    )
    clusters, w = torch.tensor(clusters), weights_of(n).requires_grad_()
    expected = torch.autograd.grad(double_loop(features, clusters, w), w)[0]
    torch.testing.assert_close(
        Dependence(features, clusters).gradient(w.detach()), expected, rtol=1e-9, atol=1e-12
    )


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
    """Against torch's Adam and autograd through the double loop, memory and slope included."""
    z = torch.randn(30, 4, generator=generator(), dtype=torch.float64)
    features, clusters = random_features(z, 2, generator()), torch.tensor([0, 0, 1, 2])
    memory, slope = weights_of(10, 3), torch.randn(20, generator=generator(4), dtype=torch.float64)
    a = torch.zeros(20, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([a], lr=0.1)
    for _ in range(7):
        w = 20 * a.softmax(0)
        objective = (
            double_loop(features, clusters, torch.cat([w, memory]))
            + 0.5 * w.square().mean()
            + slope @ w
        )
        adam.zero_grad()
        objective.backward()
        adam.step()
    found = solve_weights(
        Dependence(features, clusters),
        torch.zeros(20, dtype=torch.float64),
        steps=7,
        lr=0.1,
        ridge=0.5,
        memory=memory,
        slope=slope,
    )
    torch.testing.assert_close(found, a.detach(), rtol=1e-6, atol=1e-8)


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
    assert Memory(0, 0.9).join(z[0])[1] is None
