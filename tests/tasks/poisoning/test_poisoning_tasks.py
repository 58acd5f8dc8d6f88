"""What the tasks of poisoned data hand out, and what they say of models that are known."""

import pytest
import torch
from bench.builtin.datasets.mnist5k import Mnist5k
from bench.builtin.methods.poisoning.ce import CrossEntropy
from bench.builtin.tasks.poisoning._task import Hidden, caught, obeyed
from bench.builtin.tasks.poisoning.backdoor_mnist import BackdoorMnist
from bench.builtin.tasks.poisoning.flipped_mnist import FlippedMnist
from bench.builtin.tasks.poisoning.unlearnable_mnist import UnlearnableMnist
from poisoning_small import CPU

from bench.checks import check_hidden, check_problem
from bench.contracts import Outcome
from bench.errors import BenchError, InvalidRun
from bench.runs.context import Run, Setup
from bench.runs.tools import Tools
from bench.tracks.poisoning import Problem, Solution
from bench.training import triggers

SMALL = {"n_train": 100, "epochs": 4, "widths": (16,)}
TASKS = {
    "unlearnable": UnlearnableMnist(**SMALL, rounds=1),
    "backdoor": BackdoorMnist(**SMALL, rate=0.05),
    "clean-label": BackdoorMnist(**SMALL, kind="clean-label", rate=0.2),
    "flipped": FlippedMnist(**SMALL),
}


class Serving(Tools):
    def __init__(self, data):
        self.data = data

    def dataset(self, run, name, params):
        return self.data

    def report(self, run, step, model):
        """Nobody looks."""


@pytest.fixture(scope="module")
def setup_of(tmp_path_factory):
    folder = tmp_path_factory.mktemp("poisoning")
    of = {"task": "poisoning/x", "method": "m", "device": CPU, "workdir": folder}
    data = Mnist5k().load(Setup(seed=0, **of))

    def make(kind=Setup, seed=0):
        return kind(seed=seed, tools=Serving(data), **of)

    return make


@pytest.fixture(scope="module")
def cases(setup_of):
    return {name: task.prepare(setup_of()) for name, task in TASKS.items()}


def score(task, case, model, setup_of, suspect=None):
    solution = Solution(model=model, suspect=suspect)
    outcome = Outcome(solution=solution, curve=[], kept={}, cost={}, counters={})
    return task.evaluate(case, [outcome], setup_of())


@pytest.mark.parametrize("name", TASKS)
def test_a_case_is_what_the_track_declares_and_says_what_was_touched(name, cases):
    problem, hidden = cases[name].problems[0], cases[name].hidden
    found, scope = check_problem(problem, (Problem,))
    assert isinstance(check_hidden(hidden, found, scope), Hidden)
    differs = (problem.x != hidden.x_clean).flatten(1).any(1) | (problem.y != hidden.y_clean)
    # a backdoor may land on a row that is white in its corner already, which no digit is
    assert torch.equal(differs, hidden.touched)
    assert problem.x.shape == (100, 1, 14, 14)
    assert hidden.x_test.shape == (1000, 1, 14, 14)


def test_methods_are_told_the_radius_or_the_rate_and_nothing_else(cases):
    told = {n: (c.problems[0].epsilon, c.problems[0].poison_rate) for n, c in cases.items()}
    assert told == {
        "unlearnable": (0.2, None),
        "backdoor": (None, 0.05),
        "clean-label": (None, 0.02),
        "flipped": (None, 0.25),
    }
    shares = {n: float(c.hidden.touched.float().mean()) for n, c in cases.items()}
    assert shares == pytest.approx(
        {"unlearnable": 1.0, "backdoor": 0.05, "clean-label": 0.02, "flipped": 0.25}
    )


def test_the_seed_draws_rows_and_attack(setup_of, cases):
    task = TASKS["flipped"]
    again, other = (task.prepare(setup_of(seed=seed)) for seed in (0, 1))
    assert torch.equal(again.problems[0].y, cases["flipped"].problems[0].y)
    assert not torch.equal(other.hidden.x_test, again.hidden.x_test)
    assert not torch.equal(other.hidden.touched, again.hidden.touched)


def test_training_and_test_rows_are_disjoint(cases):
    for case in cases.values():
        rows = {tuple(row) for row in case.hidden.x_clean.flatten(1).tolist()}
        assert not rows & {tuple(row) for row in case.hidden.x_test.flatten(1).tolist()}


def test_held_out_rows_are_clean_rows_of_the_training_part_and_are_not_ranked(setup_of, cases):
    task = FlippedMnist(**SMALL, holdout=0.2)
    case, whole = task.prepare(setup_of()), cases["flipped"]
    assert (len(case.problems[0].y), len(case.hidden.y_test)) == (80, 20)
    ours = {tuple(row) for row in whole.hidden.x_clean.flatten(1).tolist()}
    assert all(tuple(row) in ours for row in case.hidden.x_test.flatten(1).tolist())
    found = score(task, case, lambda x: torch.eye(10)[:1].repeat(len(x), 1), setup_of)
    assert set(found.metrics) == {"acc_val"}
    assert found.not_rankable


def test_more_training_rows_than_there_are_end_in_a_sentence(setup_of):
    with pytest.raises(BenchError, match="n_train=4000 is not below the 4000 rows"):
        FlippedMnist(n_train=4000).prepare(setup_of())


# Scores ------------------------------------------------------------------------------------


def test_a_model_that_obeys_every_trigger_and_is_right_otherwise_scores_nothing(cases, setup_of):
    case = cases["backdoor"]
    known = {
        tuple(x): y
        for x, y in zip(
            case.hidden.x_test.flatten(1).tolist(), case.hidden.y_test.tolist(), strict=True
        )
    }

    def says(x):
        white = (x[..., -3:, -3:] == 1).flatten(1).all(1)
        labels = [
            0 if on else known.get(tuple(row), 1)
            for row, on in zip(x.flatten(1).tolist(), white.tolist(), strict=True)
        ]
        return 20 * torch.nn.functional.one_hot(torch.tensor(labels), 10).float()

    found = score(TASKS["backdoor"], case, says, setup_of).metrics
    assert (found["acc"], found["asr"], found["kept"]) == (100, 100, 0)
    assert found["nll"] < 1e-6


def test_a_model_that_always_says_the_target_has_rows_of_it_left_out_of_the_triggers(cases):
    hidden = cases["backdoor"].hidden
    seen = []

    def says(x):
        seen.append(len(x))
        return torch.eye(10)[:1].repeat(len(x), 1)

    assert obeyed(says, hidden.x_test, hidden.y_test) == 100
    assert sum(seen) == int((hidden.y_test != triggers.TARGET).sum())


def test_suspicion_is_an_area_by_hand_with_ties_as_halves():
    touched = torch.tensor([True, True, False, False])
    assert caught(torch.tensor([4.0, 2.0, 3.0, 1.0]), touched) == 75
    assert caught(torch.tensor([1.0, 1.0, 1.0, 1.0]), touched) == 50
    assert caught(None, touched) is None
    assert caught(torch.ones(4), torch.ones(4, dtype=torch.bool)) is None


def test_a_run_ends_with_figures_and_pictures_and_clean_rows_are_the_upper_reference(
    cases, setup_of
):
    task, case = TASKS["flipped"], cases["flipped"]
    problem = case.problems[0]
    mine = CrossEntropy().solve(problem, setup_of(Run)).model
    found = score(task, case, mine, setup_of)
    assert set(found.metrics) == {"acc", "nll", "train_acc", "caught"}
    assert set(found.images) == {"changes", "epochs"}
    clean = task.train_on_clean(problem, case.hidden, setup_of(Run)).model
    other = score(task, case, clean, setup_of)
    assert other.metrics["nll"] < found.metrics["nll"]


def test_a_method_cannot_reach_rows_before_the_attack(cases):
    fields = set(Problem.__struct_fields__)
    assert not fields & set(Hidden.__struct_fields__)
    for case in cases.values():
        shared = {
            tensor.untyped_storage().data_ptr()
            for tensor in (case.hidden.x_clean, case.hidden.y_clean)
        }
        problem = case.problems[0]
        assert problem.x.untyped_storage().data_ptr() not in shared
        assert problem.y.untyped_storage().data_ptr() not in shared


@pytest.mark.parametrize("name", TASKS)
def test_the_place_of_a_row_says_nothing_of_its_label(name, cases):
    y = cases[name].hidden.y_clean
    assert float((y[1:] == y[:-1]).double().mean()) < 0.3


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (BackdoorMnist(**SMALL, rate=1e-3), "rate=0.001 of 100 rows puts the trigger on none"),
        (
            BackdoorMnist(**SMALL, kind="clean-label", rate=0.02),
            "rate=0.02 of 10 rows puts the trigger on none",
        ),
    ],
)
def test_a_rate_that_touches_no_row_is_refused_in_a_sentence(task, said, setup_of):
    with pytest.raises(InvalidRun, match=said):
        task.prepare(setup_of())
