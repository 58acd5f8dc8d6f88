"""The tasks of active learning: pools, the ledger, scores, and cheats that must not pay."""

import msgspec
import numpy as np
import pytest
import torch
from active_small import Deaf, blobs
from bench.builtin.datasets.digits import Digits
from bench.builtin.methods.active_learning.entropy import Entropy
from bench.builtin.tasks.active_learning._digits import fewer, laid_over, other_labels
from bench.builtin.tasks.active_learning._metrics import interval, labels_to, log_rmse
from bench.builtin.tasks.active_learning.al_digits import AlDigits
from bench.builtin.tasks.active_learning.al_friedman import AlFriedman
from bench.builtin.tasks.active_learning.al_outliers import AlOutliers
from bench.builtin.tasks.active_learning.al_redundant import AlRedundant
from bench.builtin.tasks.active_learning.al_rotated import AlRotated
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.conformance.reach import reached
from bench.contracts import Outcome
from bench.errors import InvalidRun
from bench.runs.artifacts import Artifacts
from bench.runs.context import Run, Setup
from bench.runs.guard import leaves
from bench.tracks.active_learning import Ledger, Oracle, Solution


class _Serving(Deaf):
    """Serves the digits, and has a task score reports."""

    def __init__(self, folder):
        super().__init__()
        self.folder, self.data, self.scored, self.curve = folder, {}, None, []

    def dataset(self, run, name, params):
        if name not in self.data:
            plain = Setup(
                seed=0, task="t", method="m", device=torch.device("cpu"), workdir=self.folder
            )
            self.data[name] = Digits().load(plain)
        return self.data[name]

    def report(self, run, step, model):
        if self.scored:
            task, case = self.scored
            self.curve.append({"step": step, **task.watch(case, 0, step, model).scores})


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    return _Serving(tmp_path_factory.mktemp("active"))


def run_of(tools, task, kind=Setup, seed=0):
    return kind(
        seed=seed,
        task=f"active-learning/{task.card.name}",
        method="active-learning/x",
        device=torch.device("cpu"),
        workdir=tools.folder,
        tools=tools,
        artifacts=Artifacts(tools.folder / "cache"),
    )


SIZES = {"n_pool": 150, "start": 10, "batch": 5, "budget": 10, "steps": 4}
SMALL = (
    AlDigits(**SIZES),
    AlDigits(**SIZES, answers="teacher"),
    AlOutliers(**SIZES),
    AlOutliers(**SIZES, kind_of="sources"),
    AlOutliers(**SIZES, kind_of="noise", share=0.2),
    AlRedundant(**SIZES, dropout=0.0, n_test=40),
    AlRotated(**SIZES, dropout=0.0),
    AlFriedman(**SIZES, dropout=0.0, n_test=40),
)
NAMES = [f"{task.card.name}-{at}" for at, task in enumerate(SMALL)]


def solved(tools, task, solve):
    """Take a task from prepare to evaluate with a way to solve it."""
    run = run_of(tools, task)
    case = task.prepare(run)
    tools.scored, tools.curve = (task, case), []
    try:
        solution = solve(case.problems[0], case.hidden, run_of(tools, task, Run))
    finally:
        tools.scored = None
    task.reveal(case, run)
    outcome = Outcome(solution=solution, curve=tools.curve, kept={}, cost={}, counters={})
    return task.evaluate(case, [outcome], run), case


@pytest.mark.parametrize("task", SMALL, ids=NAMES)
def test_nothing_of_the_problem_leads_to_the_targets_and_the_oracle_answers_with_them(tools, task):
    case = task.prepare(run_of(tools, task))
    problem, hidden = case.problems[0], case.hidden
    answers = hidden.ledger._targets
    assert reached({"problem": problem}, [hidden]) == []
    for name, leaf in leaves(problem):
        if isinstance(leaf, torch.Tensor):
            assert leaf.shape != answers.shape or not torch.equal(leaf, answers), name
    rows = torch.tensor([row for row in range(20) if row not in problem.start.tolist()][:5])
    assert torch.equal(problem.oracle(rows), answers[rows])
    assert torch.equal(problem.oracle(problem.start), answers[problem.start])
    assert problem.oracle.left == 5
    assert hidden.ledger.rows == rows.tolist()
    assert not (hidden.stranger is not None and bool(hidden.stranger[problem.start].any()))


@pytest.mark.parametrize("task", SMALL, ids=NAMES)
def test_references_reach_a_score_and_every_metric_is_the_cards(tools, task):
    for reference in task.card.references:
        if reference.solve:
            score, _ = solved(tools, task, getattr(task, reference.solve))
            declared = {metric.name for metric in task.card.metrics}
            assert set(score.metrics) == declared
            assert score.metrics[task.card.primary.name] is not None
            assert "curve" in score.images


def test_the_control_asks_no_outlier_and_entropy_does(tools):
    task = SMALL[2]
    free, _ = solved(tools, task, task.outlier_free)
    assert free.metrics["outliers_asked"] == 0
    plain, case = solved(tools, task, lambda problem, hidden, run: Entropy().solve(problem, run))
    asked = case.hidden.ledger.rows
    assert plain.metrics["outliers_asked"] == pytest.approx(
        100 * float(case.hidden.stranger[asked].float().mean())
    )
    assert plain.arrays["asked"].tolist() == asked
    assert plain.arrays["request"].tolist() == [0] * 5 + [1] * 5
    assert list(plain.arrays["asked_s"]) == sorted(plain.arrays["asked_s"])
    assert plain.metrics["choose_s"] > 0
    assert set(plain.images) == {"curve", "asked"}


def test_the_curve_is_the_mean_of_all_reports_and_the_last_is_the_final_accuracy(tools):
    score, _ = solved(tools, SMALL[0], lambda problem, hidden, run: Entropy().solve(problem, run))
    said = [entry["acc"] for entry in tools.curve]
    assert [entry["step"] for entry in tools.curve] == [10, 15, 20]
    assert score.metrics["curve"] == pytest.approx(np.mean(said))
    assert score.metrics["acc_final"] == pytest.approx(said[-1])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"budget": 141}, "give at most budget=140"),
        ({"start": 151}, "give at most start=150"),
        ({"start": 150, "budget": 1}, "give at most budget=0"),
    ],
)
def test_a_budget_or_a_start_beyond_the_pool_is_refused_in_a_sentence(tools, fields, said):
    task = msgspec.structs.replace(SMALL[0], **fields)
    with pytest.raises(InvalidRun, match=said):
        task.prepare(run_of(tools, task))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"n_pool": 2}, "n_pool is 2, .*; take at least 3, or 0 for all"),
        ({"n_test": 1797}, "n_test is 1797, .*; leave some for the pool"),
    ],
)
def test_a_pool_too_small_for_one_turned_digit_is_refused_in_a_sentence(tools, fields, said):
    task = msgspec.structs.replace(SMALL[6], **fields)
    with pytest.raises(InvalidRun, match=said):
        task.prepare(run_of(tools, task))


def test_no_share_of_outliers_leaves_the_pool_as_it_is(tools):
    task = msgspec.structs.replace(SMALL[2], share=0.0)
    assert not bool(task.prepare(run_of(tools, task)).hidden.stranger.any())


def test_a_control_that_may_not_ask_enough_and_classes_of_numbers_are_refused(tools):
    task = msgspec.structs.replace(SMALL[2], budget=120)
    case = task.prepare(run_of(tools, task))
    with pytest.raises(InvalidRun, match="give a smaller budget for the control"):
        task.outlier_free(case.problems[0], case.hidden, run_of(tools, task, Run))
    task = msgspec.structs.replace(SMALL[5], a_class=1)
    with pytest.raises(InvalidRun, match="give start instead"):
        task.prepare(run_of(tools, task))


def test_the_start_can_be_one_row_of_each_class_or_the_whole_pool(tools):
    task = msgspec.structs.replace(SMALL[0], a_class=1)
    case = task.prepare(run_of(tools, task))
    labels = case.problems[0].oracle(case.problems[0].start)
    assert sorted(labels.tolist()) == list(range(10))
    task = msgspec.structs.replace(SMALL[0], start=150, budget=0)
    score, _ = solved(tools, task, lambda problem, hidden, run: Entropy().solve(problem, run))
    assert score.arrays["asked"].tolist() == []
    assert score.metrics["outliers_asked"] is None


def test_a_problem_whose_budget_is_beyond_its_rows_or_with_two_columns_of_numbers_is_invalid():
    problem, _ledger = blobs()
    with pytest.raises(InvalidRun, match="give at most 54"):
        msgspec.structs.replace(problem, budget=55).validate()
    with pytest.raises(InvalidRun, match="give 1"):
        msgspec.structs.replace(problem, kind="numbers").validate()


# The oracle ------------------------------------------------------------------


def made(budget=3):
    ledger = Ledger(torch.arange(10) * 2, torch.tensor([0, 1]), budget)
    return Oracle(ledger), ledger


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (torch.tensor([10]), "the rows are 0 to 9"),
        (torch.tensor([-1]), "the rows are 0 to 9"),
        (torch.tensor([[1]]), "takes numbers of rows"),
        (torch.tensor([1.0]), "takes numbers of rows"),
        ([1], "asked with list, and takes numbers of rows"),
        (torch.tensor([2, 3, 4, 5]), "ask for at most 3"),
    ],
)
def test_an_oracle_refuses_in_a_sentence_and_gives_nothing_away(rows, said):
    oracle, ledger = made()
    with pytest.raises(InvalidRun, match=said):
        oracle(rows)
    assert ledger.rows == []
    with pytest.raises(InvalidRun, match=said):  # a method that caught the error is invalid too
        ledger.settle(torch.tensor([], dtype=torch.int64))


def test_rows_of_the_start_and_rows_asked_before_cost_nothing():
    oracle, ledger = made()
    assert oracle(torch.tensor([1, 5, 5, 0])).tolist() == [2, 10, 10, 0]
    assert oracle(torch.tensor([5, 6])).tolist() == [10, 12]
    assert (ledger.rows, ledger.requests, oracle.left) == ([5, 6], [0, 1], 1)
    ledger.settle(torch.tensor([6, 5]))


def test_an_answer_is_a_copy_that_changes_nothing():
    oracle, _ledger = made()
    oracle(torch.tensor([2])).fill_(99)
    assert oracle(torch.tensor([2])).tolist() == [4]


def test_an_oracle_is_silent_while_a_model_is_looked_at_after_solve_and_after_its_run():
    oracle, ledger = made()
    with (
        ledger.looking(2),
        pytest.raises(InvalidRun, match="asked while a model is looked at; ask it within solve"),
    ):
        oracle(torch.tensor([2]))
    ledger.close()
    with pytest.raises(InvalidRun, match="asked after solve; ask it within solve"):
        oracle(torch.tensor([2]))
    del ledger
    with pytest.raises(InvalidRun, match="after its run had ended"):
        oracle(torch.tensor([2]))


def test_a_report_that_hides_labels_is_refused():
    oracle, ledger = made()
    oracle(torch.tensor([2, 3]))
    with (
        pytest.raises(InvalidRun, match="one of 3 labels when 4 were known"),
        ledger.looking(3),
    ):
        pass


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=8), st.integers(0, 8))
@settings(max_examples=60, deadline=None)
def test_a_ledger_never_gives_out_more_than_its_budget(requests, budget):
    oracle, ledger = made(budget)
    for rows in requests:
        try:
            answer = oracle(torch.tensor(rows, dtype=torch.int64))
        except InvalidRun:
            continue
        assert answer.tolist() == [2 * row for row in rows]
    assert len(ledger.rows) == len(set(ledger.rows)) <= budget
    assert not set(ledger.rows) & {0, 1}
    assert ledger.requests == sorted(ledger.requests)


# Cheats ----------------------------------------------------------------------

CHEATS = """
from typing import ClassVar

import torch
from bench import Method, MethodCard
from bench.errors import InvalidRun
from bench.tracks.active_learning import ActiveMethod, Solution


class Plain(ActiveMethod):
    def ask(self, state, view):
        return view.open[: view.count]


class Beyond(Plain):
    card: ClassVar = MethodCard(name="beyond", title="Asks beyond its budget", track="active-learning")

    def solve(self, problem, run):
        found = super().solve(problem, run)
        try:
            problem.oracle(torch.arange(len(problem.x)))
        except InvalidRun:
            pass
        return found


class Later(Plain):
    card: ClassVar = MethodCard(name="later", title="Asks after solve", track="active-learning")

    def solve(self, problem, run):
        found = super().solve(problem, run)

        def model(x):
            problem.oracle(torch.arange(len(problem.x)))
            return found.model(x)

        return Solution(rows=found.rows, model=model)


class Looked(Plain):
    card: ClassVar = MethodCard(name="looked", title="Asks in a report", track="active-learning")

    def readout(self, state, session, k):
        def model(x):
            session.problem.oracle(torch.arange(len(session.problem.x))[-3:])
            return session.nets.member(k)(x)

        return model


class Listed(Plain):
    card: ClassVar = MethodCard(name="listed", title="Lists rows not asked", track="active-learning")

    def solve(self, problem, run):
        found = super().solve(problem, run)
        rows = [row for row in range(len(problem.x)) if row not in found.rows.tolist()]
        return Solution(rows=torch.tensor(rows[: len(found.rows)]), model=found.model)


class First(Plain):
    card: ClassVar = MethodCard(name="first", title="Asks all at once", track="active-learning")

    def begin(self, session):
        rows = torch.arange(len(session.problem.x))
        rows = rows[~torch.isin(rows, session.problem.start)]
        session.problem.oracle(rows[: session.problem.budget])


class Once(Plain):
    card: ClassVar = MethodCard(name="once", title="Reports its best round", track="active-learning")

    def solve(self, problem, run):
        report, run.report = run.report, lambda step, model: None
        found = super().solve(problem, run)
        report(problem.marks[-1], found.model)
        return found
"""
SAID = {
    "beyond": "ask for at most 0",
    "later": "the oracle was asked after solve; ask it within solve",
    "looked": "the oracle was asked while a model is looked at",
    "listed": "which was not asked; list the rows that were",
    "first": "report it before the oracle is asked for more",
    "once": "report once after the start and after each round",
}


def test_a_cheat_ends_in_one_clear_sentence_and_has_no_figures(run_plan, tmp_path):
    file = tmp_path / "cheats.py"
    file.write_text(CHEATS)
    found = run_plan(
        paths=[str(file)], methods=tuple(SAID), tasks=("al-digits",), preset="smoke", device="cpu"
    )
    assert {record.method for record in found.records} == set(SAID)
    for record in found.records:
        assert record.status == "invalid", (record.method, record.error)
        assert SAID[record.method] in record.error.message, record.error.message
        assert "\n" not in record.error.message
        assert not record.metrics


def test_test_rows_that_a_model_keeps_from_its_reports_are_wiped(tools):
    task = SMALL[0]
    case = task.prepare(run_of(tools, task))
    seen = []

    def keeping(x):
        seen.append(x)
        return x.flatten(1)[:, :10]

    task.watch(case, 0, 10, keeping)
    assert seen
    assert not any(bool(kept.any()) for kept in seen)


def test_a_model_that_judges_rows_by_their_company_is_invalid(tools):
    task = SMALL[0]
    case = task.prepare(run_of(tools, task))
    curve = [{"step": mark, "acc": 50.0} for mark in case.problems[0].marks]
    empty = torch.tensor([], dtype=torch.int64)

    def shifted(x):
        z = x.flatten(1)[:, 20:30]
        return z - z.quantile(0.5, dim=0)

    outcome = Outcome(
        solution=Solution(rows=empty, model=shifted), curve=curve, kept={}, cost={}, counters={}
    )
    with pytest.raises(InvalidRun, match="depends on the rows that it is shown together with"):
        task.evaluate(case, [outcome], run_of(tools, task))


# What is drawn, and figures ------------------------------------------------------


def test_outliers_are_two_digits_of_different_classes_and_are_labelled_as_either():
    drawn = np.random.default_rng(0)
    y = torch.arange(200) % 5
    x = y.float().view(-1, 1, 1, 1) * torch.ones(1, 1, 2, 2)
    mixed, given, stranger = laid_over(x, y, 0.4, drawn)
    assert int(stranger.sum()) == 80
    assert torch.equal(mixed[~stranger], x[~stranger])
    assert torch.equal(given[~stranger], y[~stranger])
    other = 2 * mixed[:, 0, 0, 0] - y
    assert bool((other != y)[stranger].all())
    kept = float((given == y)[stranger].float().mean())
    assert 0.3 < kept < 0.7
    assert bool(((given == y) | (given == other))[stranger].all())


def test_later_classes_are_rarer_by_one_factor_and_the_rest_is_dropped():
    y = torch.arange(400) % 4
    kept = fewer(y, 0.5, np.random.default_rng(0))
    assert y[kept].bincount().tolist() == [100, 50, 25, 12]
    assert len(kept.unique()) == len(kept)


def test_wrong_labels_are_another_class_each_as_likely():
    y = torch.zeros(3000, dtype=torch.int64)
    moved = other_labels(y, np.arange(2000), 4, np.random.default_rng(0))
    assert bool((moved[:2000] > 0).all())
    assert not bool(moved[2000:].any())
    np.testing.assert_allclose(moved[:2000].bincount()[1:] / 2000, 1 / 3, atol=0.04)


def test_a_teacher_is_right_on_most_rows_and_its_wrong_answers_are_marked(tools):
    case = AlDigits(answers="teacher").prepare(run_of(tools, SMALL[1], seed=3))
    hidden = case.hidden
    answers = hidden.ledger._targets
    torch.testing.assert_close(answers.sum(1), torch.ones(len(answers)))
    right = float((answers.argmax(1) == hidden.true).float().mean())
    assert 0.7 < right < 0.97
    assert float(hidden.stranger.float().mean()) == pytest.approx(1 - right)


def test_figures_are_those_of_a_hand_computation():
    curve = [{"step": 20, "acc": 90.0}, {"step": 40, "acc": 95.0}, {"step": 60, "acc": 94.0}]
    assert labels_to(curve) == 40
    assert labels_to(curve[:1]) is None
    assert log_rmse([1.0, np.e**2]) == pytest.approx(1)
    low, high = interval(50.0, 100)
    assert (low, high) == pytest.approx((40.38, 59.62), abs=0.01)
    assert interval(100.0, 100)[1] == pytest.approx(100)


@pytest.mark.slow
def test_every_method_runs_on_every_task_and_says_something_of_its_own(run_plan):
    tasks = ("al-digits", "al-outliers", "al-mnist", "al-redundant", "al-rotated", "al-friedman")
    found = run_plan(track="active-learning", tasks=tasks, preset="smoke", paths=[], device="cpu")
    failed = {
        (record.task, record.method): record.error.message
        for record in found.records
        if record.status != "ok"
    }
    assert failed == {}
    assert {item.status for item in found.plan.not_run} <= {"not_applicable"}
    for task in tasks[:3]:
        rows = [record for record in found.records if record.task == task]
        assert len(rows) >= 23, task
