"""k-means: Lloyd's algorithm against scikit-learn's, shares of the
classes, distinct rows, and the limit of random rows.
"""

import numpy as np
import pytest
import torch
from bench.builtin.methods.selection.k_means import KMeans, nearest, shares
from bench.builtin.methods.selection.random import Random

from bench.runs.context import Run
from bench.tracks.condensation import Problem as Images
from bench.tracks.selection import Problem


@pytest.fixture
def run_of(tmp_path):
    def make(seed=0):
        return Run(
            seed=seed,
            task="selection/toy",
            method="selection/k-means",
            device=torch.device("cpu"),
            workdir=tmp_path,
        )

    return make


def rows_of(fractions=(0.1, 0.5, 1.0), balanced=False):
    generator = torch.Generator().manual_seed(0)
    y = torch.tensor([0] * 60 + [1] * 25 + [3] * 15)  # no row of class 2
    return Problem(
        x=torch.randn(100, 5, generator=generator) + 3 * y[:, None],
        y=y,
        n_classes=4,
        fractions=fractions,
        class_balance=balanced,
    )


def images_of(ipc):
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(60, 1, 4, 4, generator=generator), torch.arange(3).repeat(20)
    return Images(x=x, y=y, n_classes=3, ipc=ipc, mean=torch.tensor([0.5]), std=torch.tensor([0.1]))


def test_the_centres_are_those_of_scikit_learn_from_the_same_start():
    from sklearn.cluster import KMeans as Theirs

    x = torch.randn(200, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for rounds in (1, 3, 100):
        theirs = Theirs(7, init=x[:7].numpy(), n_init=1, max_iter=rounds, tol=0, algorithm="lloyd")
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # few rounds do not converge, which is what is compared
            theirs.fit(x.numpy())
        np.testing.assert_allclose(
            KMeans(rounds=rounds).centres(x, x[:7]).numpy(), theirs.cluster_centers_, atol=1e-9
        )


def test_a_centre_that_no_row_is_nearest_to_stays():
    x, start = torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([[0.0], [50.0]])
    assert KMeans().centres(x, start).tolist() == [[1.0], [50.0]]


def test_one_image_a_class_is_the_mean_of_the_class_and_more_lie_among_its_images(run_of):
    problem = images_of(1)
    found = KMeans().solve(problem, run_of())
    means = torch.stack([problem.x[problem.y == c].mean(0) for c in range(3)])
    torch.testing.assert_close(found.x, means)
    problem = images_of(4)
    found, start = KMeans().solve(problem, run_of()), Random().solve(problem, run_of())
    assert found.y.tolist() == start.y.tolist() == [0] * 4 + [1] * 4 + [2] * 4

    def spread(small):
        own = [
            torch.cdist(problem.x[problem.y == c].flatten(1), small.x[small.y == c].flatten(1))
            .amin(1)
            .square()
            .sum()
            for c in range(3)
        ]
        return float(sum(own))

    assert spread(found) < spread(start)
    assert torch.equal(KMeans(rounds=0).solve(problem, run_of()).x, start.x)


@pytest.mark.parametrize("balanced", [False, True])
def test_every_budget_is_met_with_distinct_rows_of_each_class_in_its_share(run_of, balanced):
    problem = rows_of(balanced=balanced)
    found = KMeans().solve(problem, run_of())
    for rows, budget in zip(found.rows, problem.budgets, strict=True):
        assert len(rows) == len(rows.unique()) == budget
    counted = [torch.bincount(problem.y[rows], minlength=4).tolist() for rows in found.rows]
    assert counted == (
        [[4, 3, 0, 3], [18, 17, 0, 15], [60, 25, 0, 15]]
        if balanced
        else [[6, 3, 0, 1], [30, 13, 0, 7], [60, 25, 0, 15]]
    )


def test_shares_are_whole_and_sum_to_the_budget():
    y = torch.arange(7).repeat_interleave(torch.arange(1, 8))
    for budget in range(1, 29):
        for balanced in (False, True):
            assert sum(count for _, count in shares(y, 7, budget, balanced)) == budget


def test_without_a_round_the_rows_are_the_random_ones_that_it_starts_from(run_of):
    problem = rows_of(fractions=(0.2,))
    kept = KMeans(rounds=0).solve(problem, run_of()).rows[0]
    keys = torch.rand(100, generator=run_of().torch_generator("order", "rows", device="cpu"))
    for c, count in ((0, 12), (1, 5), (3, 3)):
        own = (problem.y == c).nonzero().flatten()
        assert sorted(kept[problem.y[kept] == c].tolist()) == sorted(
            own[keys[own].argsort()[:count]].tolist()
        )


def test_two_centres_at_one_place_get_two_rows():
    assert nearest(
        torch.tensor([[0.0], [1.0], [5.0]]), torch.tensor([[0.1], [0.1], [4.0]])
    ).tolist() == [0, 1, 2]
