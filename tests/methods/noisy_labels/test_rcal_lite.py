"""Calibration by Gaussians against slow statistics."""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.noisy_labels.ce import CrossEntropy
from bench.builtin.methods.noisy_labels.rcal_lite import RepresentationCalibrationLite, _fill
from noisy_helpers import trained
from sklearn.covariance import LedoitWolf
from sklearn.neighbors import LocalOutlierFactor


@pytest.fixture
def tail():
    """Four classes of 60, 30, 12 and 6 rows in three dimensions."""
    generator = np.random.default_rng(0)
    given = np.repeat(np.arange(4), [60, 30, 12, 6])
    return generator.standard_normal((108, 3)) * (1 + given[:, None]) + 4 * np.eye(4, 3)[
        given
    ], given


def test_on_balanced_rows_without_outliers_it_is_cross_entropy_bit_for_bit(
    toy, run_of, monkeypatch
):
    monkeypatch.setattr(
        RepresentationCalibrationLite,
        "_inliers",
        lambda self, z, given, classes: np.ones(len(given), dtype=bool),
    )
    problem = toy(rows=80)
    problem = msgspec.structs.replace(problem, y=torch.arange(80) % 4)
    assert torch.equal(
        trained(RepresentationCalibrationLite(), [problem], [run_of(0)])[0],
        trained(CrossEntropy(), [problem], [run_of(0)])[0],
    )


def test_outliers_are_the_library_s_label_by_label(tail):
    z, given = tail
    z = z.copy()
    z[5] += 40
    found = RepresentationCalibrationLite(outliers=8)._inliers(z, given, 4)
    for c in range(4):
        rows = given == c
        np.testing.assert_array_equal(
            found[rows],
            LocalOutlierFactor(n_neighbors=min(8, rows.sum() - 1))
            .fit(z[rows])
            .negative_outlier_factor_
            >= -1.5,
        )
    assert not found[5]


def test_statistics_are_shrunk_and_the_tail_borrows_half_from_its_nearest_head_classes(tail):
    z, given = tail
    means, covariances = RepresentationCalibrationLite(borrow=1, share=0.5)._statistics(z, given, 4)
    own_means = [z[given == c].mean(0) for c in range(4)]
    own = [LedoitWolf().fit(z[given == c]).covariance_ for c in range(4)]
    for c in range(4):
        near = min(
            (0, 1), key=lambda head, c=c: float(np.linalg.norm(own_means[head] - own_means[c]))
        )
        mean, covariance = (
            (own_means[c], own[c])
            if c < 2
            else ((own_means[c] + own_means[near]) / 2, (own[c] + own[near]) / 2)
        )
        np.testing.assert_allclose(means[c], mean)
        np.testing.assert_allclose(covariances[c], covariance)


def test_a_class_of_one_row_takes_the_covariance_of_all_and_a_class_of_none_the_mean(tail):
    z, given = tail[0][:91], tail[1][:91].copy()
    given[90] = 2
    means, covariances = RepresentationCalibrationLite(borrow=0)._statistics(z, given, 4)
    np.testing.assert_allclose(means[2], z[90])
    np.testing.assert_allclose(covariances[2], LedoitWolf().fit(z).covariance_)
    np.testing.assert_allclose(means[3], z.mean(0))


def test_draws_fill_classes_up_to_the_largest_and_have_the_statistics_asked_for():
    means = np.array([[0.0, 0.0], [5.0, -2.0], [1.0, 1.0]])
    covariances = np.array([np.eye(2), [[2.0, 0.9], [0.9, 1.0]], np.eye(2)])
    given = np.repeat([0, 1], [20_000, 10])
    drawn, labels = _fill(means, covariances, given, np.random.default_rng(0))
    # a class without rows stays empty
    assert np.bincount(labels, minlength=3).tolist() == [0, 19_990, 0]
    np.testing.assert_allclose(drawn.mean(0), means[1], atol=4 * (2 / 19_990) ** 0.5)
    np.testing.assert_allclose(np.cov(drawn.T), covariances[1], atol=0.1)


def test_the_visits_of_rows_stay_those_of_the_task(toy, run_of):
    problem = toy(rows=200, epochs=20)
    problem = msgspec.structs.replace(
        problem, y=torch.tensor([0] * 120 + [1] * 50 + [2] * 20 + [3] * 10)
    )
    run = run_of(0)
    RepresentationCalibrationLite().solve(problem, run)
    # 480 rows of four full classes, 8 of their epochs
    assert run._counts["forward"] == pytest.approx(200 * 20, rel=0.1)


def test_draws_come_back_as_inputs_of_the_task_s_shape(toy, run_of, monkeypatch):
    import bench.builtin.methods.noisy_labels.rcal_lite as home

    seen = []
    monkeypatch.setattr(
        home.NoisyLabelMethod,
        "solve",
        lambda self, problem, run: seen.append(problem) or home.Solution(model=None),
    )
    problem = toy(rows=120, shape=(1, 2, 3))
    problem = msgspec.structs.replace(problem, y=torch.tensor([0] * 100 + [1] * 20))
    solution = RepresentationCalibrationLite(components=2).solve(problem, run_of(0))
    (pool,) = seen
    real = int(solution.kept.sum())
    assert pool.x.shape == (real + 80, 1, 2, 3)
    assert torch.equal(pool.x[:real], problem.x[solution.kept])
    assert pool.y[real:].tolist() == [1] * 80
    centred = pool.x[real:].flatten(1) - problem.x.flatten(1).mean(0)
    # draws lie in the plane of the two components
    assert torch.linalg.matrix_rank(centred, atol=1e-4) == 2
