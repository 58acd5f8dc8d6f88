"""Environments, corrupted pictures, blocks, features and curves: how they are built and scored."""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.tasks.group_shift import accuracy_curve, feature_bias
from bench.builtin.tasks.group_shift._corrupted import KINDS, mixed
from bench.builtin.tasks.group_shift._others import patches
from bench.builtin.tasks.group_shift.accuracy_curve import AccuracyCurve, curve_figures, demand
from bench.builtin.tasks.group_shift.corrupted_mnist import CorruptedMnist
from bench.builtin.tasks.group_shift.dominoes_mnist import DominoesMnist
from bench.builtin.tasks.group_shift.feature_bias import FeatureBias
from bench.builtin.tasks.group_shift.finetune_mnist import FinetuneMnist
from bench.builtin.tasks.group_shift.linslab import LinSlab
from bench.builtin.tasks.group_shift.noisy_environments import NoisyEnvironments

from bench import InvalidRun
from bench.runs.context import Run
from bench.tracks.group_shift import GroupMethod, Solution

ALL = [
    AccuracyCurve(n_train=300, trainings=4),
    CorruptedMnist(n_train=200, n_other=30),
    DominoesMnist(n_train=300),
    FeatureBias(n_train=300),
    FinetuneMnist(n_train=200, n_pretrain=60, widths=(16,)),
    LinSlab(n_train=300),
    NoisyEnvironments(n_train=300),
]
NEEDS = ("train-groups", "val-groups", "env", "pretrained", "other-pictures")


class Fixed(torch.nn.Module):
    """A classifier by a rule from inputs to a class."""

    def __init__(self, rule, classes=2):
        super().__init__()
        self.rule, self.classes = rule, classes

    def forward(self, x):
        return 10 * torch.nn.functional.one_hot(self.rule(x), self.classes).float()


@pytest.mark.parametrize("task", ALL, ids=lambda task: task.card.name)
def test_a_problem_holds_what_the_card_offers_and_nothing_else(task, prepared):
    for problem in prepared(task).problems:
        held = {need for need in NEEDS if getattr(problem, need.replace("-", "_")) is not None}
        assert held == set(task.card.offers)
        problem.validate()


@pytest.mark.parametrize("task", ALL[1:], ids=lambda task: task.card.name)
def test_figures_of_a_trained_model_are_those_of_the_card_within_their_bounds(
    task, prepared, setup_of, score_of
):
    case = prepared(task)
    problem = msgspec.structs.replace(case.problems[0], epochs=1)
    score = score_of(task, case, GroupMethod().solve(problem, setup_of(task, 5, Run)))
    bounds = {metric.name: metric.bounds for metric in task.card.metrics}
    for name, value in score.metrics.items():
        low, high = bounds[name]
        assert value is None or (value >= low and (high is None or value <= high)), name
    assert score.metrics[task.card.primary.name] is not None


def test_colours_are_reversed_in_the_test_environment_alone(prepared):
    for eta in (0.0, 0.25):
        case = prepared(NoisyEnvironments(eta=eta))
        problem, hidden = case.problems[0], case.hidden
        off = (hidden.a_train != problem.y).double()
        for env, share in enumerate((0.2, 0.1)):
            assert float(off[problem.env == env].mean()) == pytest.approx(share, abs=0.03)
        assert float((hidden.a_test != hidden.y_test).double().mean()) == pytest.approx(
            0.9, abs=0.03
        )
        assert len(problem.env.unique()) == 2


def test_labels_are_wrong_in_training_environments_and_in_the_test_only_where_asked(prepared):
    clean, noisy = (prepared(NoisyEnvironments(eta=eta)) for eta in (0.0, 0.25))
    wrong = clean.problems[0].y != noisy.problems[0].y
    assert float(wrong.double().mean()) == pytest.approx(0.25, abs=0.03)
    assert torch.equal(clean.hidden.y_test, noisy.hidden.y_test)
    both = prepared(NoisyEnvironments(eta=0.25, test_noise=True))
    assert not torch.equal(both.hidden.y_test, noisy.hidden.y_test)


def test_the_upper_reference_of_environments_sees_no_colour(prepared, setup_of):
    task = NoisyEnvironments(n_train=300, epochs=1)
    case = task.prepare(setup_of(task, 6))
    model = task.train_grey(case.problems[0], case.hidden, setup_of(task, 6, Run)).model
    x = case.hidden.x_test
    torch.testing.assert_close(model(x), model(x.flip(1)))


def test_clean_accuracy_of_a_reader_of_truth_is_all_and_kinds_average_to_the_shifted(
    prepared, score_of
):
    task = CorruptedMnist(n_train=200, n_other=30)
    case = prepared(task)
    y = case.hidden.y_test
    found = score_of(task, case, Solution(model=Fixed(lambda x: y, 10))).metrics
    assert found["acc_clean"] == found["acc_shifted"] == found["acc_worst"] == 100.0
    # the brightest column of a picture moves with a shift and not with contrast
    reader = Fixed(lambda x: x[:, 0].sum(1).argmax(1) % 10, 10)
    found = score_of(task, case, Solution(model=reader)).metrics
    kinds = [found[f"acc_{kind}"] for kind in KINDS]
    assert found["acc_shifted"] == pytest.approx(np.mean(kinds))
    assert found["acc_worst"] == pytest.approx(min(kinds))
    assert found["acc_contrast"] == pytest.approx(found["acc_clean"])


def test_a_score_under_corruptions_repeats_and_the_test_pictures_stay_clean(prepared, score_of):
    task = CorruptedMnist(n_train=200, n_other=30)
    case = prepared(task)
    before = case.hidden.raw_test.clone()
    model = Fixed(lambda x: (x.flatten(1).sum(1).abs() % 10).long(), 10)
    first, second = (score_of(task, case, Solution(model=model)).metrics for _ in range(2))
    assert first == second
    assert torch.equal(case.hidden.raw_test, before)


def test_mixed_corruptions_come_equally_often():
    x = torch.rand(120, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    found = mixed(x, np.random.default_rng(0))
    assert found.shape == x.shape
    assert float((found != x).flatten(1).any(1).double().mean()) > 0.9


def test_other_pictures_are_stretched_pieces_that_differ():
    found = patches(20, np.random.default_rng(0))
    assert found.shape == (20, 1, 28, 28)
    assert torch.equal(found.amin((1, 2, 3)), torch.zeros(20))
    assert torch.allclose(found.amax((1, 2, 3)), torch.ones(20))
    assert len({part.sum().item() for part in found}) == 20


def test_the_trained_net_tells_digits_apart_that_it_never_saw_and_repeats(setup_of, shift_data):
    task = FinetuneMnist(n_train=100, n_pretrain=300, widths=(64,))
    case = task.prepare(setup_of(task, 8))
    problem, hidden = case.problems[0], case.hidden
    net = problem.pretrained
    features = (hidden.x_test.flatten(1) @ net.weights[0].T + net.biases[0]).relu()
    said = (features @ net.weights[1].T + net.biases[1]).argmax(1)
    right = ((said >= 5).long() == hidden.y_test).double().mean()
    assert float(right) > 0.75
    again = task.prepare(setup_of(task, 8)).problems[0].pretrained
    assert torch.equal(again.weights[0], net.weights[0])


def test_the_halves_of_a_domino_show_attribute_and_label(prepared, score_of):
    task = DominoesMnist(n_train=300)
    case = prepared(task)
    hidden = case.hidden
    x = hidden.x_test
    # a one has less ink than a zero
    ink = (x - x.min())[:, 0, :14].flatten(1).sum(1)
    assert float((ink < ink.median()).long().eq(hidden.a_test).double().mean()) > 0.9
    found = score_of(task, case, Solution(model=Fixed(lambda x: (ink_of(x) < 45).long()))).metrics
    assert found["rand_core"] == pytest.approx(100 * _share(hidden), abs=4)
    # without its digit in place the label is as likely as it is anywhere
    said, ones = float((ink_of(x) < 45).double().mean()), float(hidden.y_test.double().mean())
    chance = said * ones + (1 - said) * (1 - ones)
    assert found["rand_attr"] == pytest.approx(100 * chance, abs=4)


def ink_of(x):
    return (x - x.min())[:, 0, :14].flatten(1).sum(1)


def _share(hidden):
    said = (ink_of(hidden.x_test) < 45).long()
    return float((said == hidden.y_test).double().mean())


def test_a_line_reads_the_attribute_of_linslab_and_slabs_read_the_label(prepared):
    case = prepared(LinSlab(n_train=300))
    x, y, a = case.hidden.x_test, case.hidden.y_test, case.hidden.a_test
    place = x[:, 0] > x[:, 0].mean()
    assert float((place.long() == a).double().mean()) > 0.98
    # five slabs, the odd ones of class 1, whatever the scale of the coordinate
    low, high = float(x[:, 1].min()), float(x[:, 1].max())
    slab = ((x[:, 1] - low) / (high - low) * (1 - 0.04) + 0.02).mul(5).floor().clamp(0, 4)
    assert float((slab % 2 == y).double().mean()) > 0.99
    assert abs(float(np.corrcoef(x[:, 1], y)[0, 1])) < 0.1


def test_the_classes_of_feature_bias_say_a_sign_and_a_product(prepared):
    case = prepared(FeatureBias(n_train=300))
    x, y = case.hidden.x_test, case.hidden.y_test
    signs = (x > 0).long()
    easy, hard = signs[:, 0], 1 - (signs[:, 1:4].sum(1) % 2 == 0).long()
    assert torch.equal(2 * easy + hard, y)
    rare = prepared(FeatureBias(n_train=4000, told=0.25)).problems[0]
    signs = (rare.x > 0).long()
    hard = (signs[:, 1:4].sum(1) % 2 == 1).long()
    assert float((hard == rare.y % 2).double().mean()) == pytest.approx(0.625, abs=0.03)


def test_the_epoch_at_which_a_feature_is_learned_is_read_off_the_curve(prepared, score_of):
    task = FeatureBias(n_train=300)
    curve = [
        {"step": step, "easy_val": easy, "hard_val": hard}
        for step, easy, hard in ((1, 90.0, 50.0), (2, 96.0, 51.0), (3, 94.0, None))
    ]
    model = Fixed(lambda x: (2 * (x[:, 0] > 0)).long(), 4)
    found = score_of(task, prepared(task), Solution(model=model), curve=curve).metrics
    assert (found["epoch_easy"], found["epoch_hard"]) == (2.0, None)
    assert found["acc_easy"] == 100.0
    assert found["acc_hard"] == pytest.approx(50, abs=4)
    assert feature_bias.LEARNED == 95.0


def test_points_on_a_parabola_are_fitted_by_it_and_the_baseline_has_no_gain():
    majority = np.linspace(65, 99, 12)
    points = np.stack([majority, 20 + 0.02 * (majority - 80) ** 2], 1)
    found = curve_figures(points, points)
    assert found["effective"] == pytest.approx(0.0, abs=1e-8)
    assert found["r2_parabola"] == pytest.approx(1.0)
    assert found["curvature"] == pytest.approx(2.0)
    assert found["r2_line"] < 0.9
    better = curve_figures(points + np.array([0.0, 7.0]), points)
    assert better["effective"] == pytest.approx(7.0)


def test_trainings_that_failed_are_left_out_and_too_few_points_have_no_curve():
    points = np.array([[50.0, 90.0], [70.0, 30.0], [80.0, 40.0]])
    found = curve_figures(points, points)
    assert found == {"kept": pytest.approx(200 / 3), "minority": 35.0}
    assert curve_figures(points[:1], points) == {"kept": 0.0}


def test_a_curve_without_enough_trainings_says_whose_they_are_and_how_many_it_needs():
    points = np.array([[60.0, 90.0], [70.0, 30.0], [80.0, 40.0], [90.0, 40.0]])
    demand("method", points, 1)
    with pytest.raises(InvalidRun, match=r"3 of 4 trainings of the baseline .* need 4; raise"):
        demand("baseline", points, 4)


def test_every_seed_of_the_smallest_preset_has_trainings_to_spare():
    """Half of the trainings could fail: which ones do depends on the processor."""
    smoke = AccuracyCurve.card.presets["smoke"].params
    assert smoke["trainings"] >= 2 * accuracy_curve.LEAST


def test_the_square_is_significant_where_points_bend_and_not_on_a_noisy_line():
    generator = np.random.default_rng(0)
    x = np.linspace(65, 99, 20)
    noise = generator.normal(0, 1, 20)
    line = curve_figures(np.stack([x, x / 2 + noise], 1), np.zeros((1, 2)))
    bent = curve_figures(np.stack([x, 0.05 * (x - 80) ** 2 + noise], 1), np.zeros((1, 2)))
    assert bent["p_square"] < 1e-6 < line["p_square"]
    assert line["pearson"] > 0.95


def test_the_problems_of_a_curve_differ_in_protocol_alone_which_is_the_same_for_every_seed(
    prepared, setup_of, score_of
):
    task = AccuracyCurve(n_train=300, trainings=4)
    case = prepared(task)
    assert len({problem.lr for problem in case.problems}) == 4
    assert all(problem.x is case.problems[0].x for problem in case.problems)
    other = task.prepare(setup_of(task, 9)).problems
    assert [problem.lr for problem in other] == [problem.lr for problem in case.problems]
    assert not torch.equal(other[0].x, case.problems[0].x)
    assert accuracy_curve.LEAST == 4
