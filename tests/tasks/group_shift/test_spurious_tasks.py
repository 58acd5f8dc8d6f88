"""Tasks with a spurious attribute: how they are drawn, what they choose and score, what cheats
reach.
"""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.methods.group_shift.jtt import JustTrainTwice
from bench.builtin.methods.group_shift.lff import LearningFromFailure
from bench.builtin.tasks.group_shift._spurious import drawn_attribute, flipped, split
from bench.builtin.tasks.group_shift.spurious_digits import SpuriousDigits
from bench.builtin.tasks.group_shift.spurious_fashion import SpuriousFashion
from bench.builtin.tasks.group_shift.spurious_mnist import SpuriousMnist
from bench.builtin.tasks.group_shift.spurious_mnist10 import SpuriousMnist10
from serving import Serving

from bench.runs.context import Run, Setup
from bench.tracks.group_shift import GroupMethod, Solution
from bench.training.data import Examples

TASKS = [SpuriousDigits(), SpuriousMnist(), SpuriousMnist10(rho=0.98)]
ids = {"ids": lambda task: task.card.name}


@pytest.mark.parametrize("task", TASKS, **ids)
def test_the_attribute_goes_with_the_label_in_training_alone(task, prepared):
    case = prepared(task)
    problem, hidden = case.problems[0], case.hidden
    agrees = float((hidden.a_train == problem.y).double().mean())
    assert agrees == pytest.approx(task.rho, abs=0.02)
    for y, a in ((hidden.y_val, hidden.a_val), (hidden.y_test, hidden.a_test)):
        assert float((a == y).double().mean()) == pytest.approx(1 / task.values, abs=0.08)
    assert torch.equal(problem.train_groups, problem.y * task.values + hidden.a_train)
    sizes = len(problem.y), len(hidden.y_val), len(hidden.y_test)
    assert np.array(sizes) / sum(sizes) == pytest.approx([0.6, 0.16, 0.24], abs=0.001)


def test_every_row_is_in_one_part_and_seeds_draw_them():
    parts = split(1797, np.random.default_rng(0))
    assert sorted(np.concatenate(parts)) == list(range(1797))
    assert not np.array_equal(parts[2], split(1797, np.random.default_rng(1))[2])


def test_two_seeds_see_other_rows_and_one_seed_the_same_again(setup_of, prepared):
    task = SpuriousDigits()
    again = task.prepare(setup_of(task, 0))
    assert torch.equal(again.problems[0].x, prepared(task).problems[0].x)
    assert not torch.equal(again.problems[0].x, prepared(task, 1).problems[0].x)


def test_the_attribute_is_drawn_from_all_other_values_alike():
    y = np.zeros(30_000, dtype=np.int64) + 2
    a = drawn_attribute(y, 4, 0.7, np.random.default_rng(0))
    assert np.bincount(a) / len(a) == pytest.approx([0.1, 0.1, 0.7, 0.1], abs=0.01)


def test_wrong_labels_are_drawn_before_the_attribute(prepared):
    noisy, clean = SpuriousMnist(label_noise=0.25), SpuriousMnist()
    wrong = prepared(noisy).problems[0].y != prepared(clean).problems[0].y
    assert float(wrong.double().mean()) == pytest.approx(0.25, abs=0.03)
    hidden = prepared(noisy).hidden
    agrees = (hidden.a_train == prepared(noisy).problems[0].y).double()
    # the colour follows the wrong label too
    assert float(agrees[wrong].mean()) == pytest.approx(0.95, abs=0.03)
    assert torch.equal(hidden.y_test, prepared(clean).hidden.y_test)
    y = np.arange(1000) % 3
    assert (flipped(y, 3, 1.0, np.random.default_rng(0)) != y).all()


def test_the_square_of_digits_stands_where_the_attribute_says(prepared):
    case = prepared(SpuriousDigits())
    x, a = case.hidden.x_test, case.hidden.a_test
    bright = case.problems[0].x.max()
    assert torch.equal((x[:, 0, :2, :2] == bright).all(1).all(1), a == 0)
    assert torch.equal((x[:, 0, -2:, -2:] == bright).all(1).all(1), a == 1)


def test_a_digit_is_drawn_in_one_channel_alone(prepared):
    case = prepared(SpuriousMnist())
    x, a = case.hidden.x_test, case.hidden.a_test
    ink = (x - x.min()).flatten(2).sum(2)
    assert torch.equal(ink.argmax(1), a)
    assert float(ink.min(1).values.max()) == 0.0


@pytest.fixture
def articles(tmp_path):
    """Return the case of made-up articles, of which the brightest pixel is the row's number."""
    y = torch.arange(200) % 10
    x = torch.zeros(200, 1, 28, 28, dtype=torch.uint8)
    x[:, 0, 4, 6] = torch.arange(1, 201)
    x[:, 0, 5, 7] = 255  # on no second row and column
    run = Setup(
        seed=0, task="group-shift/spurious-fashion", method="m", device=torch.device("cpu"),
        workdir=tmp_path, tools=Serving(Examples(x, y, 10)),
    )  # fmt: skip
    task = SpuriousFashion(widths=(8,), epochs=1)
    return task, task.prepare(run), y


def test_tops_are_held_against_all_other_articles_in_the_channel_of_their_attribute(articles):
    _, case, y = articles
    problem, hidden = case.problems[0], case.hidden
    assert (problem.n_classes, problem.n_groups, len(problem.y)) == (2, 4, 120)
    parts = [(problem.x, problem.y, hidden.a_train)]
    parts += [
        (getattr(hidden, f"x_{p}"), getattr(hidden, f"y_{p}"), getattr(hidden, f"a_{p}"))
        for p in ("val", "test")
    ]
    seen = []
    for x, label, attribute in parts:
        assert x.shape[1:] == (2, 14, 14)
        ink = x - x.amin()
        assert torch.equal(ink.flatten(2).sum(2).argmax(1), attribute)
        own = ink[torch.arange(len(x)), attribute]
        assert torch.equal((own > 1e-6).flatten(1).sum(1), torch.ones(len(x)).long())
        seen.append((own[:, 2, 3], label))
    bright, label = (torch.cat(some) for some in zip(*seen, strict=True))
    # each of the 200 rows is in one part, and the pixel says which it is
    rows = (bright / bright.max() * 200).round().long() - 1
    assert sorted(rows.tolist()) == list(range(200))
    tops = torch.isin(y[rows], torch.tensor([2, 4, 6]))
    assert torch.equal(label, tops.long())


def test_articles_are_scored_by_their_worst_group(articles, score_of):
    task, case, _ = articles
    hidden = case.hidden
    reader = Fixed(lambda x: (x - x.min()).flatten(2).sum(2).argmax(1))
    found = score_of(task, case, Solution(model=reader)).metrics
    assert (found["wga"], found["acc_groupmean"]) == (0.0, 50.0)
    told = Fixed(lambda x: hidden.y_test if len(x) == len(hidden.y_test) else hidden.y_val)
    assert score_of(task, case, Solution(model=told)).metrics["wga"] == 100.0


def test_the_upper_reference_sees_the_same_digits_with_free_attributes(prepared):
    case = prepared(SpuriousMnist())
    digits, upper = case.problems[0].x, case.hidden.upper
    assert torch.allclose(digits.sum(1), upper.sum(1), atol=1e-4)
    same = (digits == upper).flatten(1).all(1)
    assert float(same.double().mean()) == pytest.approx(0.5, abs=0.04)


class Fixed(torch.nn.Module):
    """A classifier by a rule from inputs to a class."""

    def __init__(self, rule, classes=2):
        super().__init__()
        self.rule, self.classes = rule, classes

    def forward(self, x):
        return 10 * torch.nn.functional.one_hot(self.rule(x), self.classes).float()


def test_a_reader_of_the_colour_is_last_on_the_worst_group_and_half_right_on_average(
    prepared, score_of
):
    task = SpuriousMnist()
    case = prepared(task)
    reader = Fixed(lambda x: (x - x.min()).flatten(2).sum(2).argmax(1))
    found = score_of(task, case, Solution(model=reader)).metrics
    assert found["wga"] == found["wga_last"] == 0.0
    assert found["acc_groupmean"] == pytest.approx(50.0)
    assert found["acc_trainmix"] == pytest.approx(95.0, abs=1.0)
    assert found["wga_gap"] == pytest.approx(found["acc_trainmix"])
    assert found["parity_gap"] == pytest.approx(100.0)


def test_a_model_that_is_best_at_first_and_constant_later_is_judged_as_it_was_first(
    prepared, setup_of, score_of
):
    task = SpuriousDigits()
    case = task.prepare(setup_of(task, 3))
    right = case.hidden.y_val, case.hidden.y_test
    truth = {len(right[0]): right[0], len(right[1]): right[1]}
    good, poor = Fixed(lambda x: truth[len(x)]), Fixed(lambda x: torch.zeros(len(x)).long())
    first, second, third = (
        task.watch(case, 0, step, model) for step, model in ((1, good), (2, poor), (3, good))
    )
    assert (first.keep, second.keep, third.keep) == (("selected",), (), ())
    assert first.scores["wga_val"] == 100.0
    found = score_of(task, case, Solution(model=poor), kept={"selected": good}).metrics
    assert (found["wga"], found["wga_last"], found["epoch"]) == (100.0, 0.0, 1.0)


@pytest.mark.parametrize("select", ["val-wga", "val-wca", "val-avg", "last"])
def test_the_epoch_is_chosen_by_what_the_parameter_names(select, setup_of):
    task = SpuriousDigits(select=select)
    case = task.prepare(setup_of(task, 3))
    y, a = case.hidden.y_val, case.hidden.a_val
    # right but for one group: the worst class keeps its other half
    half = Fixed(lambda x: torch.where((y == 1) & (a == 0), 0, y))
    zeros = Fixed(lambda x: torch.zeros(len(y)).long())
    kept = [task.watch(case, 0, step, model).keep for step, model in ((1, zeros), (2, half))]
    assert (
        kept
        == {
            "val-wga": [("selected",), ()],
            "val-wca": [("selected",), ("selected",)],
            "val-avg": [("selected",), ("selected",)],
            "last": [(), ()],
        }[select]
    )


def test_nothing_is_read_off_test_rows_when_parameters_are_chosen(setup_of, score_of):
    task = SpuriousDigits(judged="validation")
    case = task.prepare(setup_of(task, 4))
    case.hidden.x_test = case.hidden.y_test = None
    y, a = case.hidden.y_val, case.hidden.a_val
    model = Fixed(lambda x: torch.where((y == 1) & (a == 0), 0, y))
    score = score_of(task, case, Solution(model=model))
    assert score.metrics == {"score_val": 0.0}
    assert score.not_rankable


def test_the_problem_shares_no_memory_with_what_is_hidden(prepared):
    case = prepared(SpuriousDigits())
    problem, hidden = case.problems[0], case.hidden
    mine = {problem.val_groups.x.data_ptr(), problem.x.data_ptr(), problem.y.data_ptr()}
    theirs = {getattr(hidden, name).data_ptr() for name in ("x_val", "x_test", "y_val", "upper")}
    assert not mine & theirs


def solved(method, prepared, setup_of, **protocol):
    """Return solutions of two seeds of spurious-digits, and which rows contradict the square."""
    task, seeds = SpuriousDigits(), (100, 101)
    cases = [prepared(task, seed) for seed in seeds]
    hidden = {"train_groups": None, "val_groups": None, **protocol}
    problems = [msgspec.structs.replace(case.problems[0], **hidden) for case in cases]
    runs = [setup_of(task, seed, Run) for seed in seeds]
    conflicts = [case.hidden.a_train != case.problems[0].y for case in cases]
    return list(zip(method.solve_stacked(problems, runs), conflicts, strict=True))


def test_after_three_epochs_lff_weighs_rows_that_contradict_the_square_more(prepared, setup_of):
    for solution, conflict in solved(LearningFromFailure(), prepared, setup_of, epochs=3):
        weight = solution.weight
        assert float(weight[~conflict].mean()) + 0.1 < float(weight[conflict].mean())


def test_the_errors_of_jtt_are_the_rows_that_contradict_the_square(prepared, setup_of):
    for solution, conflict in solved(JustTrainTwice(), prepared, setup_of, epochs=1):
        wrong = solution.minority
        assert float(wrong[conflict].double().mean()) >= 0.9
        assert float(conflict[wrong].double().mean()) >= 0.9


def test_training_without_the_shortcut_is_far_above_training_with_it(setup_of, score_of):
    task = SpuriousDigits(epochs=10)
    case = task.prepare(setup_of(task, 100))
    problem, run = case.problems[0], setup_of(task, 100, Run)
    erm = score_of(task, case, GroupMethod().solve(problem, run)).metrics
    upper = task.train_balanced(problem, case.hidden, setup_of(task, 100, Run))
    assert score_of(task, case, upper).metrics["wga"] > erm["wga"] + 10


def test_figures_and_pictures_of_a_trained_model_are_within_their_bounds(setup_of, score_of):
    for task in (SpuriousDigits(epochs=1), SpuriousMnist10(epochs=1, n_train=300)):
        case = task.prepare(setup_of(task, 100))
        solution = GroupMethod().solve(case.problems[0], setup_of(task, 100, Run))
        score = score_of(task, case, solution, curve=[{"step": 1, "wga_val": 3.0}])
        bounds = {metric.name: metric.bounds for metric in task.card.metrics}
        for name, value in score.metrics.items():
            low, high = bounds[name]
            assert value is None or (value >= low and (high is None or value <= high)), name
        assert set(score.images) == {"epochs", "groups"}
        assert score.arrays["groups"].shape == (2, task.classes * task.values)
        low, high = score.arrays["worst_interval"]
        assert low <= score.metrics["wga"] <= high + 1e-4
