"""What the tasks of adversarial training say of models whose robustness is known, and of models
that hide their gradient.
"""

from itertools import pairwise

import msgspec
import pytest
import torch
from adversarial_small import CPU
from bench.builtin.datasets.digits import Digits
from bench.builtin.methods.adversarial.fgsm_at import FgsmTraining
from bench.builtin.methods.adversarial.pgd_at import PgdTraining
from bench.builtin.tasks.adversarial import _evaluation
from bench.builtin.tasks.adversarial._evaluation import GRADIENT, Found, attacked, figures, gates
from bench.builtin.tasks.adversarial._task import Hidden
from bench.builtin.tasks.adversarial.robust_digits import RobustDigits
from bench.builtin.tasks.adversarial.robust_fashion import RobustFashion
from bench.builtin.tasks.adversarial.robust_few_labels import RobustFewLabels
from bench.builtin.tasks.adversarial.robust_mnist import RobustMnist

from bench.contracts import Case, Outcome
from bench.errors import BenchError
from bench.runs.context import Run, Setup
from bench.runs.tools import Tools
from bench.tracks.adversarial import Problem, Solution
from bench.training.data import Examples
from bench.training.recipe import Recipe


class Serving(Tools):
    def __init__(self, data):
        self.data = data

    def dataset(self, run, name, params):
        return self.data

    def report(self, run, step, model):
        """Nobody looks."""


@pytest.fixture(scope="module")
def setup_of(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks")
    of = {"task": "adversarial/robust-digits", "method": "m", "device": CPU, "workdir": folder}
    data = Digits().load(Setup(seed=0, **of))

    def make(kind=Setup, seed=0):
        return kind(seed=seed, tools=Serving(data), **of)

    return make


SMALL = {"n_train": 500, "epochs": 12, "attack_steps": 15, "queries": 60, "widths": (64,)}


@pytest.fixture(scope="module")
def plain(setup_of):
    """A task, its case, and a plain net that it was trained on."""
    task = RobustDigits(**SMALL)
    case = task.prepare(setup_of())
    net = Recipe().solve(case.problems[0], setup_of(Run)).model
    return task, case, net


def score(plain, setup_of, model=None):
    task, case, net = plain
    solution = Solution(model=net if model is None else model(net))
    outcome = Outcome(solution=solution, curve=[], kept={}, cost={}, counters={})
    return task.evaluate(case, [outcome], setup_of())


@pytest.fixture(scope="module")
def honest(plain, setup_of):
    return score(plain, setup_of)


# Figures -----------------------------------------------------------------------------------


def linear(classes=2):
    """A linear net on rows far from the walls of the cube, and each row's largest safe radius: the
    least z_y - z_t over the length of w_t - w_y in the dual norm, of all classes t but its own.
    """
    generator = torch.Generator().manual_seed(0)
    x = 0.5 + 0.1 * torch.randn(200, 1, 4, 4, generator=generator)
    weight = torch.randn(classes, 16, generator=generator)
    middle = weight @ x.flatten(1).mean(0)

    def model(points):
        return points.flatten(1) @ weight.T - middle

    z = model(x)
    y = z.argmax(1)
    safe = torch.tensor(
        [
            min(
                float((z[row, own] - z[row, t]) / (weight[own] - weight[t]).abs().sum())
                for t in range(classes)
                if t != own
            )
            for row, own in enumerate(y.tolist())
        ]
    )
    return model, x, y, safe


@pytest.mark.parametrize("classes", [2, 5])
def test_robust_is_the_closed_form_of_a_linear_net_to_the_row(setup_of, classes):
    model, x, y, safe = linear(classes)
    y = torch.where(torch.arange(200) % 10 == 0, (y + 1) % classes, y)  # some are wrong as they are
    right = model(x).argmax(1) == y
    for eps in (0.01, 0.02):  # so a larger radius never raises it
        found = attacked(model, x, y, eps, setup_of(), steps=10, queries=10)
        expected = (safe > eps) & right
        assert 0.05 < expected.float().mean() < 0.8
        assert torch.equal(found.robust, expected)
        assert figures(found, y, classes)["robust"] == pytest.approx(
            100 * expected.float().mean().item()
        )


def test_robust_is_below_every_attack_and_of_rows_that_are_right(honest):
    metrics = honest.metrics
    names = ("acc", "fgsm", "pgd20", "pgd50", "apgd_ce", "apgd_dlr", "targeted", "square")
    assert metrics["robust"] <= min(metrics[name] for name in names)
    assert metrics["acc"] >= max(metrics[name] for name in names)
    assert metrics["co_gap"] == pytest.approx(metrics["fgsm"] - metrics["robust"])
    assert metrics["worst_class_robust"] <= metrics["robust"]
    assert metrics["acc"] > 85
    assert metrics["robust"] < 30


@pytest.mark.parametrize(
    "more", [{"eps": 0.25}, {"attack_steps": 30, "queries": 120}], ids=["radius", "steps"]
)
def test_a_larger_radius_or_more_steps_hardly_raise_robust(plain, setup_of, honest, more):
    task, case, net = plain
    harder = msgspec.structs.replace(task, **more)
    # other numbers are drawn, and other step sizes follow: a row or two may go either way
    assert score((harder, case, net), setup_of).metrics["robust"] <= honest.metrics["robust"] + 0.5


def test_a_row_that_few_restarts_break_is_broken_by_more(plain, setup_of, monkeypatch):
    _, case, net = plain
    x, y, robust, held = case.hidden.x_test[:100], case.hidden.y_test[:100], [], []
    for restarts in (1, 2, 4):
        monkeypatch.setattr(_evaluation, "RESTARTS", restarts)
        # waves in front of the net, so that it matters where a search begins
        found = attacked(
            lambda x: net(x + 0.2 * (40 * x).sin()), x, y, 0.05, setup_of(), steps=2, queries=1
        )
        robust.append(found.robust)
        held.append(found.held["pgd50"])
    for fewer, more in (*pairwise(robust), *pairwise(held)):
        assert (more <= fewer).all()
    assert held[2].sum() < held[0].sum()


def test_a_tiny_radius_leaves_the_accuracy(plain, setup_of, honest):
    task, case, net = plain
    at_once = score((msgspec.structs.replace(task, eps=1e-9), case, net), setup_of)
    assert at_once.metrics["robust"] == at_once.metrics["acc"] == honest.metrics["acc"]


def test_a_constant_model_is_right_on_one_class_and_no_attack_changes_that(plain, setup_of):
    found = score(plain, setup_of, lambda net: lambda x: torch.eye(10)[:1].repeat(len(x), 1))
    share = 100 * (plain[1].hidden.y_test == 0).float().mean().item()
    assert found.metrics["robust"] == pytest.approx(share)
    assert found.metrics["masked"] >= 1  # it has no gradient, and the board says so


# Honest models and cheats ------------------------------------------------------------------


def test_an_honest_net_passes_all_gates_and_has_no_sign_of_a_hidden_gradient(honest):
    assert all(honest.gates.values())
    assert honest.metrics["masked"] == 0
    assert set(honest.images) == {"changes", "epochs"}


def test_logits_times_forty_are_flagged_and_raise_robust_by_nothing(plain, setup_of, honest):
    found = score(plain, setup_of, lambda net: lambda x: 40 * net(x))
    assert found.metrics["pgd50"] > honest.metrics["pgd50"] + 20
    assert found.metrics["robust"] <= honest.metrics["robust"] + 0.5
    assert found.metrics["masked"] >= 2
    assert found.metrics["zero_grad"] > 5


def test_rounded_inputs_are_caught_by_the_search_without_a_gradient(plain, setup_of, honest):
    found = score(plain, setup_of, lambda net: lambda x: net((8 * x).round() / 8))
    assert found.metrics["fgsm"] > honest.metrics["fgsm"] + 20
    assert not found.gates["gradient_leads"]
    assert found.metrics["masked"] >= 2


def test_noise_at_test_is_caught_by_asking_twice(plain, setup_of):
    def noisy(net):
        generator = torch.Generator().manual_seed(0)
        return lambda x: net(x + 0.3 * torch.randn(x.shape, generator=generator))

    assert not score(plain, setup_of, noisy).gates["repeats"]


def test_probabilities_for_logits_are_caught(plain, setup_of):
    found = score(plain, setup_of, lambda net: lambda x: net(x).softmax(-1))
    assert not found.gates["logits"]


def test_evaluation_by_single_steps_alone_would_rank_a_collapsed_net_first(setup_of):
    task = RobustDigits(eps=0.25, n_train=500, epochs=60, widths=(128,), steps=5)
    case = task.prepare(setup_of())
    x, y = case.hidden.x_test, case.hidden.y_test

    def judged(method):
        net = method.solve(case.problems[0], setup_of(Run)).model
        return figures(attacked(net, x, y, 0.25, setup_of(), steps=10, queries=30), y, 10)

    collapsed, steady = judged(FgsmTraining()), judged(PgdTraining())
    assert collapsed["fgsm"] > steady["fgsm"] + 3
    assert collapsed["robust"] < steady["robust"] - 3
    assert collapsed["co_gap"] > steady["co_gap"] + 6


def test_the_search_without_a_gradient_may_lead_by_two_points_and_no_more():
    rows = torch.arange(100)

    def found(broken):
        held = dict.fromkeys(GRADIENT, rows < 10)
        return Found(
            clean=rows < 95,
            held={**held, "square": rows < broken},
            points={},
            zero_grad=0.0,
            left_at_1=0.0,
            repeats=True,
            probabilities=False,
        )

    assert gates(found(8))["gradient_leads"]
    assert not gates(found(7))["gradient_leads"]


# Cases -------------------------------------------------------------------------------------


def test_the_parts_are_disjoint_in_the_cube_and_drawn_by_the_seed(setup_of):
    cases = [RobustDigits().prepare(setup_of(seed=seed)) for seed in (0, 0, 1)]
    for case in cases:
        problem, hidden = case.problems[0], case.hidden
        parts = [problem.x, hidden.x_test, hidden.x_more]
        assert [len(part) for part in parts] == [700, 400, 697]
        every = torch.cat(parts).flatten(1)
        assert len(every) == 1797
        assert every.min() == 0
        assert every.max() == 1
        assert problem.unlabelled is None
    assert torch.equal(cases[0].problems[0].x, cases[1].problems[0].x)
    assert not torch.equal(cases[0].problems[0].x, cases[2].problems[0].x)


@pytest.mark.parametrize(("kind", "rows"), [(RobustMnist, 5000), (RobustFashion, 9000)])
def test_larger_pictures_are_drawn_by_the_seed_and_no_row_is_in_two_parts(tmp_path, kind, rows):
    # every pixel of a picture is its number, so that a row is known by its scaled figure
    pictures = torch.arange(rows).view(-1, 1, 1, 1).expand(-1, 1, 28, 28) / rows * 255
    data = Examples(pictures, torch.arange(rows) * 10 // rows, 10)
    of = {"task": "adversarial/x", "method": "m", "device": CPU, "workdir": tmp_path}
    numbers = []
    for seed in (0, 1):
        case = kind(n_train=1000).prepare(Setup(seed=seed, tools=Serving(data), **of))
        parts = [case.problems[0].x, case.hidden.x_test, case.hidden.x_more]
        assert [len(part) for part in parts] == [1000, 400, 3600 if rows == 5000 else 4000]
        every = torch.cat([part[:, 0, 0, 0] for part in parts])
        assert len(every.unique()) == len(every)
        assert torch.bincount(case.hidden.y_test, minlength=10).tolist() == [40] * 10
        numbers.append(every.tolist())
    assert numbers[0] != numbers[1]


def test_few_labels_leave_the_other_training_rows_without_one(setup_of):
    task = RobustFewLabels(labelled=70)
    case = task.prepare(setup_of())
    problem = case.problems[0]
    assert (len(problem.x), len(problem.unlabelled)) == (70, 630)
    assert torch.bincount(problem.y, minlength=10).min() >= 6
    assert len(case.hidden.x_more) == 1397 - 70


def test_held_out_rows_are_training_rows_and_their_figure_is_not_ranked(setup_of):
    task = RobustDigits(holdout=0.2, epochs=1, attack_steps=5, queries=5, widths=(16,))
    case, whole = task.prepare(setup_of()), RobustDigits().prepare(setup_of())
    assert (len(case.problems[0].x), len(case.hidden.x_test)) == (560, 140)
    ours = {tuple(row) for row in whole.problems[0].x.flatten(1).tolist()}
    assert all(tuple(row) in ours for row in case.hidden.x_test.flatten(1).tolist())
    net = Recipe().solve(case.problems[0], setup_of(Run)).model
    outcome = Outcome(solution=Solution(model=net), curve=[], kept={}, cost={}, counters={})
    found = task.evaluate(case, [outcome], setup_of())
    assert set(found.metrics) == {"robust_val"}
    assert found.not_rankable


def test_the_curve_looks_every_fifth_epoch_and_gives_the_fall_since_its_best(plain, setup_of):
    task, case, net = plain
    assert task.watch(case, 0, 4, net).scores == {}
    assert set(task.watch(case, 0, 5, net).scores) == {"acc", "pgd10"}
    assert task.watch(case, 0, 12, net).scores
    curve = [{"step": step, "pgd10": value} for step, value in ((5, 40.0), (10, 50.0), (12, 44.0))]
    outcome = Outcome(solution=Solution(model=net), curve=curve, kept={}, cost={}, counters={})
    assert task.evaluate(case, [outcome], setup_of()).metrics["robust_drop"] == 6.0


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"n_train": 1397}, "n_train=1397 leaves none of the 1397 rows"),
        ({"n_train": 100, "labelled": 5}, "labelled=5 is not between the 10 classes"),
        ({"n_train": 100, "labelled": 100}, "labelled=100 is not between the 10 classes"),
    ],
)
def test_impossible_sizes_end_in_a_sentence(setup_of, fields, said):
    with pytest.raises(BenchError, match=said):
        RobustDigits(**fields).prepare(setup_of())


def test_the_upper_reference_sees_all_rows_with_their_labels(setup_of, monkeypatch):
    seen = []

    class Looking:
        def solve(self, problem, run):
            seen.append(problem)

    monkeypatch.setattr("bench.builtin.tasks.adversarial._task.AdversarialMethod", Looking)
    task = RobustFewLabels(labelled=70)
    case = task.prepare(setup_of())
    task.train_on_more(case.problems[0], case.hidden, setup_of(Run))
    assert len(seen[0].x) == len(seen[0].y) == 1397
    assert seen[0].unlabelled is None


def test_cases_hold_what_the_track_declares(setup_of):
    from bench.checks import check_hidden, check_problem

    case = RobustDigits().prepare(setup_of())
    problem, scope = check_problem(case.problems[0], (Problem,))
    assert isinstance(check_hidden(case.hidden, problem, scope), Hidden)
    assert isinstance(case, Case)
