"""Weights of classes and of numbers: slow formulas, cases with a known answer, and limits in which
two methods are one.
"""

import math

import numpy as np
import pytest
import torch
from bench.builtin.methods.target_shift._em import shares
from bench.builtin.methods.target_shift.bbse import BlackBoxShift
from bench.builtin.methods.target_shift.bbse_bins import BinnedShift
from bench.builtin.methods.target_shift.counts import Counts
from bench.builtin.methods.target_shift.covariate_ratio import CovariateRatio
from bench.builtin.methods.target_shift.em import CalibratedEM
from bench.builtin.methods.target_shift.em_saerens import PlainEM
from bench.builtin.methods.target_shift.kmm_ts import KernelMeanMatching
from bench.builtin.methods.target_shift.none import NoCorrection
from bench.builtin.methods.target_shift.retasa import Retasa
from bench.builtin.methods.target_shift.rlls import RegularizedShift, nearest
from scipy.optimize import minimize
from target_shift_small import classes_problem, numbers_problem, shift_run

from bench.checks import check_problem
from bench.errors import InvalidRun, ParameterError
from bench.tracks.target_shift import Classes, Numbers, Problem, Solution
from bench.tracks.target_shift_classes import calibrated, confusion, fit_biases
from bench.tracks.target_shift_kernels import gaussian, silverman


@pytest.fixture
def run(tmp_path):
    return shift_run(tmp_path)


def close(found, wanted, atol=1e-9):
    torch.testing.assert_close(
        torch.as_tensor(found).double(), torch.as_tensor(wanted).double(), rtol=0, atol=atol
    )


def said(rows):
    """Return logits of a net that is sure of these classes (n,) among three."""
    return 30 * torch.nn.functional.one_hot(torch.tensor(rows), 3).float()


def by_hand():
    """A net that takes a third of class 0 for class 1, never the other way round."""
    val = [0, 0, 1, 1, 1, 1, 2, 2, 2]
    target = [0] * 4 + [1] * 5 + [2] * 3  # of 6 rows of class 0, 3 of class 1 and 3 of class 2
    return Problem(
        n_weights=3,
        classes=Classes(
            logits_val=said(val),
            y_val=torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2]),
            logits_target=said(target),
        ),
    )


# Classes -----------------------------------------------------------------------------


def test_the_confusion_matrix_has_what_is_said_in_rows_and_what_is_true_in_columns():
    found = confusion(by_hand().classes)
    close(found.joint * 9, [[2, 0, 0], [1, 3, 0], [0, 0, 3]])
    close(found.source * 9, [2, 4, 3])
    close(found.target * 12, [4, 5, 3])
    soft = confusion(by_hand().classes, soft=True)
    close(soft.joint, found.joint, atol=1e-6)


@pytest.mark.parametrize("soft", [False, True])
def test_black_box_estimation_with_the_true_confusion_matrix_returns_the_true_weights(soft, run):
    weights = BlackBoxShift(soft=soft).solve(by_hand(), run).weights
    close(weights, [6 / 12 * 3, 3 / 12 * 3, 3 / 12 * 3], atol=1e-6)


def test_counting_is_right_only_where_the_net_is(run):
    close(Counts().solve(by_hand(), run).weights, torch.tensor([4.0, 5.0, 3.0]) / 12 * 3)
    y = torch.tensor([0, 1, 2, 2])
    perfect = Problem(
        n_weights=3,
        classes=Classes(
            logits_val=said(y.tolist()), y_val=y, logits_target=said([0, 0, 0, 1, 1, 2])
        ),
    )
    wanted = torch.tensor([3 / 6 / 0.25, 2 / 6 / 0.25, 1 / 6 / 0.5])
    for method in (Counts(), BlackBoxShift(), RegularizedShift(alpha=0), CalibratedEM()):
        close(method.solve(perfect, run).weights, wanted, atol=1e-5)


def test_negative_weights_become_none_and_a_singular_matrix_is_logged(run):
    z = torch.tensor([[4.0, 0.0, 0.0]]).repeat(6, 1)
    same = Problem(
        n_weights=3,
        classes=Classes(logits_val=z, y_val=torch.tensor([0, 1, 2] * 2), logits_target=z),
    )
    found = BlackBoxShift().solve(same, run).weights
    close(found, torch.ones(3), atol=1e-6)  # least squares: all classes alike
    assert run._logs[-1]["singular"] == 1
    few = BlackBoxShift().solve(classes_problem(target=(0.97, 0.02, 0.01), rows=60), run)
    assert bool((few.weights >= 0).all())


@pytest.mark.parametrize("soft", [False, True])
def test_regularised_learning_without_a_penalty_is_black_box_estimation(soft, run):
    problem = classes_problem()
    one = RegularizedShift(soft=soft, alpha=0).solve(problem, run)
    close(one.weights, BlackBoxShift(soft=soft).solve(problem, run).weights, atol=1e-6)


def test_regularised_learning_that_trusts_nothing_is_no_correction(run):
    problem = classes_problem()
    for method in (RegularizedShift(gamma=0), RegularizedShift(alpha=1e3)):
        close(method.solve(problem, run).weights, NoCorrection().solve(problem, run).weights)


@pytest.mark.parametrize("penalty", [0.02, 0.1, 0.3])
def test_the_search_along_the_path_finds_the_least_of_norms_that_are_not_squared(penalty):
    generator = np.random.default_rng(1)
    matrix = 0.5 * np.eye(4) + 0.2 * generator.random((4, 4))
    wanted = generator.standard_normal(4)
    wanted[0] = -3.0  # so that a bound is reached

    def loss(theta):
        return np.linalg.norm(matrix @ theta - wanted) + penalty * np.linalg.norm(theta)

    found = nearest(matrix, wanted, penalty)
    assert found.min() == pytest.approx(-1, abs=1e-9)
    slow = minimize(loss, np.full(4, 0.1), bounds=[(-1, None)] * 4, method="L-BFGS-B", tol=1e-14)
    assert loss(found) <= slow.fun + 1e-7
    np.testing.assert_allclose(found, slow.x, atol=1e-3)


def test_em_stays_where_each_share_is_the_mean_of_its_tilted_probabilities():
    problem = classes_problem(rows=200)
    p = problem.classes.p_target
    prior = problem.classes.p_val.mean(0)
    q = shares(p, prior, 1e-12)
    slow = torch.zeros(3).double()
    for row in p:
        tilted = row * q / prior
        slow += tilted / tilted.sum() / len(p)
    close(slow, q, atol=1e-10)

    def likelihood(at):
        return float((p @ (at / prior)).log().mean())

    for other in torch.eye(3).double():
        assert likelihood(0.99 * q + 0.01 * other) <= likelihood(q) + 1e-12


@pytest.mark.parametrize("calibration", ["none", "ts", "bcts"])
def test_em_finds_no_shift_where_there_is_none(calibration, run):
    shown = classes_problem(distort=(2.0, 1.0)).classes
    still = Problem(
        n_weights=3,
        classes=Classes(
            logits_val=shown.logits_val, y_val=shown.y_val, logits_target=shown.logits_val
        ),
    )
    found = CalibratedEM(calibration=calibration).solve(still, run)
    close(found.weights, torch.ones(3), atol=1e-5)


def test_em_with_the_shares_of_labels_moves_without_a_shift_and_calibration_repairs_it(run):
    problem = classes_problem(distort=(0.5, -1.0), rows=2000)
    truth = torch.tensor([1.8, 0.9, 0.3]).double()

    def error(method):
        return float((method.solve(problem, run).weights - truth).square().mean())

    assert error(CalibratedEM()) < 0.02
    assert error(PlainEM()) > 0.1 > 2 * error(BlackBoxShift())
    assert error(CalibratedEM(calibration="ts")) > error(CalibratedEM())


def test_the_two_forms_of_em_agree_where_the_mean_probability_is_the_share_of_labels(run):
    shown = classes_problem().classes
    # biases make the mean probability equal to the shares
    p = calibrated(shown, "bcts")
    close(p.val.mean(0), shown.shares, atol=1e-6)
    made = Classes(
        logits_val=p.val.log().float(), y_val=shown.y_val, logits_target=p.target.log().float()
    )
    problem = Problem(n_weights=3, classes=made)
    one, other = CalibratedEM(calibration="none"), PlainEM()
    close(one.solve(problem, run).weights, other.solve(problem, run).weights, atol=1e-4)


def test_biases_undo_what_was_done_to_the_logits():
    shown = classes_problem(rows=4000).classes
    scale, biases = fit_biases(2 * shown.logits_val + torch.tensor([1.0, 0.0, 0.0]), shown.y_val)
    assert scale == pytest.approx(0.5, abs=0.05)
    close(biases, torch.tensor([-1.0, 0.5, 0.5]) / 3, atol=0.1)


def test_biases_are_where_the_likelihood_has_no_slope():
    shown = classes_problem(distort=(2.0, 1.0)).classes
    scale, biases = fit_biases(shown.logits_val, shown.y_val)
    wrong = (scale * shown.logits_val.double() + biases).softmax(1)
    wrong[torch.arange(len(wrong)), shown.y_val] -= 1
    close(wrong.mean(0), torch.zeros(3), atol=1e-7)
    assert abs(float((wrong * shown.logits_val).sum(1).mean())) < 1e-7


# Numbers -----------------------------------------------------------------------------


def still(problem):
    numbers = problem.numbers
    return Problem(
        n_weights=problem.n_weights,
        numbers=Numbers(x=numbers.x, y=numbers.y, x_target=numbers.x),
    )


def test_retasa_finds_no_shift_where_there_is_none(run):
    problem, _ = numbers_problem()
    close(Retasa().solve(still(problem), run).weights, torch.ones(80), atol=1e-12)
    covariate = CovariateRatio().solve(still(problem), run).weights
    close(covariate, torch.ones(80), atol=1e-3)


def test_retasa_is_tikhonovs_equation_on_conditional_means_written_out(run):
    problem, _ = numbers_problem(rows=12, columns=2)
    x, y, x_target = (
        part.double().numpy()
        for part in (problem.numbers.x, problem.numbers.y, problem.numbers.x_target)
    )
    rows, columns = x.shape

    def bandwidth(values, size):
        return values.std(ddof=1) * (4 / ((size + 2) * rows)) ** (1 / (size + 4))

    def weight(one, other):
        return math.exp(
            -sum(
                (one[c] - other[c]) ** 2 / (2 * bandwidth(x[:, c], columns) ** 2)
                for c in range(columns)
            )
        )

    of_x, of_y, eta = np.zeros((rows, rows)), np.zeros((rows, rows)), np.zeros(rows)
    for i in range(rows):
        for j in range(rows):
            of_x[i, j] = weight(x[i], x[j])
            of_y[i, j] = math.exp(-((y[i] - y[j]) ** 2) / (2 * bandwidth(y, 1) ** 2))
        there = np.mean([weight(x[i], other) for other in x_target])
        eta[i] = there / of_x[i].mean() - 1
    of_x, of_y = of_x / of_x.sum(1)[:, None], of_y / of_y.sum(1)[:, None]
    rho = np.linalg.inv(0.05 * np.eye(rows) + of_y @ of_x) @ of_y @ eta
    close(Retasa().solve(problem, run).weights, np.maximum(1 + rho, 0), atol=1e-8)


@pytest.mark.parametrize("method", [Retasa(), KernelMeanMatching(), BinnedShift()])
def test_the_unit_of_the_numbers_changes_nothing(method, run):
    problem, _ = numbers_problem()
    numbers = problem.numbers
    scaled = Problem(
        n_weights=80, numbers=Numbers(x=numbers.x, y=1024 * numbers.y, x_target=numbers.x_target)
    )
    close(method.solve(scaled, run).weights, method.solve(problem, run).weights, atol=1e-5)


@pytest.mark.parametrize("method", [Retasa(), KernelMeanMatching(), BinnedShift()])
def test_estimated_weights_are_nearer_to_the_truth_than_no_correction(method, run):
    problem, truth = numbers_problem(rows=200)
    found = method.solve(problem, run).weights
    error = (found / found.mean() - truth).square().mean()
    assert error < 0.7 * (1 - truth).square().mean()


def test_matched_means_are_the_least_of_a_slow_search(run):
    problem, _ = numbers_problem(rows=8)
    numbers, y = problem.numbers, problem.numbers.y.double()[:, None]
    of_y, width = gaussian(y, y, silverman(y)), silverman(numbers.x)
    omega = np.linalg.inv(of_y.numpy() + 0.8 * np.eye(8)) @ of_y.numpy()
    inner = gaussian(numbers.x, numbers.x, width).numpy()
    cross = gaussian(numbers.x, numbers.x_target, width).numpy()

    def distance(weights):
        mixed = omega @ weights / 8  # coefficients of phi(x_j)
        own = mixed @ inner @ mixed - 2 * mixed @ cross.mean(1)
        return 64 * own + 1e-3 * 8 * weights @ weights

    slow = minimize(distance, np.ones(8), bounds=[(0, None)] * 8, method="L-BFGS-B", tol=1e-15)
    found = KernelMeanMatching().solve(problem, run).weights.numpy()
    assert distance(found) <= slow.fun + 1e-6


def test_bins_of_a_perfect_predictor_give_the_ratio_of_their_shares(run):
    y = torch.arange(40.0)
    x_target = torch.cat([y[20:], y[20:]])  # only the upper half, twice
    problem = Problem(n_weights=40, numbers=Numbers(x=y[:, None], y=y, x_target=x_target[:, None]))
    found = BinnedShift(bins=4, cutoff=0.0).solve(problem, run).weights
    assert float(found[:10].max()) < 0.2
    close(found[25:], torch.full((15,), 2.0), atol=0.3)


@pytest.mark.parametrize("method", [Retasa(), KernelMeanMatching()])
def test_too_many_rows_are_refused_in_a_sentence(method, run):
    x = torch.zeros(3001, 1)
    problem = Problem(n_weights=3001, numbers=Numbers(x=x, y=x[:, 0], x_target=x[:2]))
    with pytest.raises(InvalidRun, match="there are 3001; take at most 3000"):
        method.solve(problem, run)


# The contract ------------------------------------------------------------------------


def test_problems_and_solutions_that_make_no_sense_are_refused_in_a_sentence():
    shown = by_hand().classes
    with pytest.raises(InvalidRun, match="n_weights is 4, and there are 3 classes"):
        check_problem(Problem(n_weights=4, classes=shown))
    without = Classes(
        logits_val=shown.logits_val,
        y_val=shown.y_val.clamp_max(1),
        logits_target=shown.logits_target,
    )
    with pytest.raises(InvalidRun, match="class 2 has no validation row"):
        check_problem(Problem(n_weights=3, classes=without))
    problem = by_hand()
    with pytest.raises(InvalidRun, match="all weights are 0"):
        Solution(weights=torch.zeros(3)).validate(problem)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(KernelMeanMatching, "ridge"), (KernelMeanMatching, "smooth"), (Retasa, "alpha")],
)
def test_penalties_that_round_away_are_refused_and_the_least_is_enough(kind, name, run):
    with pytest.raises(ParameterError, match=f"{name}=1e-300"):
        kind(**{name: 1e-300})
    found = kind(**{name: 1e-9}).solve(numbers_problem()[0], run).weights
    assert bool((found >= 0).all() & found.isfinite().all())
