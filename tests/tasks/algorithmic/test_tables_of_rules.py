"""Tables that a rule makes: what is shown, the metrics by hand, and what cheats would reach."""

from pathlib import Path

import numpy as np
import pytest
import torch
from bench.builtin.methods.algorithmic.low_degree import LowDegree
from bench.builtin.tasks.algorithmic import _modular
from bench.builtin.tasks.algorithmic._cube import both, cube, influence, parity, retrieved
from bench.builtin.tasks.algorithmic._modular import first_above, ipr, power, spectrum_picture
from bench.builtin.tasks.algorithmic.gotu import Gotu
from bench.builtin.tasks.algorithmic.modular import Modular
from bench.builtin.tasks.algorithmic.modular_noisy import ModularNoisy
from bench.builtin.tasks.algorithmic.parity import Parity
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.contracts import Outcome
from bench.errors import BenchError
from bench.runs.context import Setup
from bench.runs.tools import Tools
from bench.tracks.algorithmic import Solution


class Deaf(Tools):
    """Nobody looks at reports."""

    def report(self, run, step, model):
        """Look away."""

    def progress(self, done, total, label):
        """Look away."""


@pytest.fixture
def run(tmp_path):
    return Setup(
        seed=0,
        task="algorithmic/x",
        method="algorithmic/m",
        device=torch.device("cpu"),
        workdir=tmp_path,
        tools=Deaf(),
    )


def scored(task, case, model, run, **fields):
    solution = Solution(model=model, **fields)
    outcome = Outcome(solution=solution, curve=[], kept={}, cost={}, counters={})
    return task.evaluate(case, [outcome], run).metrics


def waves(p):
    """Return the answers of a sum of cosines, which is the rule: each frequency votes for the
    class a + b.
    """

    def model(x):
        classes = torch.arange(p)
        frequencies = torch.arange(1, p // 2 + 1)
        apart = x.sum(1)[:, None] - classes
        return (2 * torch.pi / p * frequencies[:, None, None] * apart).cos().sum(0)

    return model


def test_shown_pairs_are_a_share_and_hold_the_rule_unless_they_are_named_wrong(run):
    task = ModularNoisy(p=11, share=0.6, noise=0.25)
    case = task.prepare(run)
    problem, hidden = case.problems[0], case.hidden
    assert len(problem.y) == round(0.6 * 121)
    right = (problem.x.sum(1) % 11) == problem.y
    assert torch.equal(right, ~hidden.wrong)
    assert int(hidden.wrong.sum()) == round(0.25 * len(problem.y))
    assert torch.equal(hidden.pairs[hidden.seen], problem.x)


@pytest.mark.parametrize("rule", ["add", "subtract", "multiply"])
def test_the_rule_is_arithmetic_modulo_p(rule, run):
    hidden = Modular(p=7, rule=rule).prepare(run).hidden
    for (a, b), true in zip(hidden.pairs.tolist(), hidden.true.tolist(), strict=True):
        assert true == {"add": a + b, "subtract": a - b, "multiply": a * b}[rule] % 7


def test_cosines_follow_the_rule_everywhere_and_correct_every_wrong_label(run):
    task = ModularNoisy(p=11, noise=0.25)
    case = task.prepare(run)
    metrics = scored(task, case, waves(11), run)
    assert metrics["rule"] == metrics["acc"] == metrics["corrected"] == 100
    assert metrics["memorised"] == 0
    assert metrics["fit_step"] is metrics["grok_step"] is metrics["ipr"] is None


@given(st.integers(0, 2**31), st.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_a_wrong_label_is_memorised_or_corrected_or_neither_and_never_both(seed, kept):
    p, task = 7, ModularNoisy(p=7, noise=0.4)
    made = Setup(
        seed=seed % 5,
        task="algorithmic/x",
        method="algorithmic/m",
        device=torch.device("cpu"),
        workdir=Path(),
        tools=Deaf(),
    )
    case = task.prepare(made)
    problem, drawn = case.problems[0], np.random.default_rng(seed)
    # some of the given labels, some of the rule's, and anything else
    said = np.where(drawn.random((p, p)) < kept, drawn.integers(0, p, (p, p)), -1)
    a, b = problem.x.T
    given = np.where(drawn.random(len(problem.y)) < 0.5, problem.y, said[a, b])
    said[a, b] = given
    said = np.where(said < 0, np.add.outer(range(p), range(p)) % p, said)
    metrics = scored(
        task, case, lambda x: torch.eye(p)[torch.from_numpy(said)[x[:, 0], x[:, 1]]], made
    )
    wrong = case.hidden.wrong.numpy()
    assert metrics["memorised"] + metrics["corrected"] <= 100 + 1e-9
    own = said[a, b][wrong]
    assert metrics["memorised"] == pytest.approx(100 * (own == problem.y.numpy()[wrong]).mean())
    rule = ((a + b) % p).numpy()[wrong]
    assert metrics["corrected"] == pytest.approx(100 * (own == rule).mean())


def test_the_picture_of_frequencies_shows_the_strongest_units_by_their_own(run, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        _modular,
        "heat_map",
        lambda shares, rows, columns, title: drawn.append((shares, rows, columns)) or np.zeros(1),
    )
    p, places = 11, np.arange(11)
    frequencies = [3, 1, 5, 2, 4, 5]
    units = np.zeros((3, 7, p))
    for unit, frequency in enumerate(frequencies):
        # the sixth unit is a mixture, and the last one is dead
        units[0, unit] = (unit + 1) * np.cos(2 * np.pi * frequency * places / p + unit) + 0.5
    units[0, 5] += 3 * np.sin(2 * np.pi * 4 * places / p)
    spectrum_picture(units, most=4)
    [(shares, rows, columns)] = drawn
    assert (rows, columns) == (["1", "2", "3", "4"], ["1", "2", "3", "4", "5"])
    # the units 3 to 6, by their strongest frequency and then by its power
    assert shares.tolist() == [
        [0, 1, 0, 0, 0],
        [0, 0, 0, 1, 0],
        [0, 0, 0, 0.2, 0.8],
        [0, 0, 0, 0, 1],
    ]


def test_a_net_with_units_has_a_picture_of_their_frequencies_and_others_have_none(run):
    task = Modular(p=7)
    case = task.prepare(run)
    outcomes = [
        Outcome(
            solution=Solution(model=waves(7), units=units), curve=[], kept={}, cost={}, counters={}
        )
        for units in (None, torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(0)))
    ]
    without, found = (task.evaluate(case, [outcome], run).images for outcome in outcomes)
    assert set(without) == {"steps"}
    assert set(found) == {"steps", "spectrum"}
    assert found["spectrum"].dtype == np.uint8


def test_a_task_reports_only_what_its_card_declares_where_labels_are_wrong(run):
    task = Modular(p=11, noise=0.25)
    metrics = scored(task, task.prepare(run), waves(11), run)
    assert set(metrics) <= {metric.name for metric in task.card.metrics}


def test_a_table_of_the_given_labels_memorises_and_says_nothing_of_unseen_pairs(run):
    task = ModularNoisy(p=11, noise=0.25)
    case = task.prepare(run)
    problem = case.problems[0]
    table = torch.full((11, 11), 0)
    table[problem.x[:, 0], problem.x[:, 1]] = problem.y

    def model(x):
        return torch.nn.functional.one_hot(table[x[:, 0], x[:, 1]], 11).float()

    metrics = scored(task, case, model, run)
    assert metrics["memorised"] == 100
    assert metrics["corrected"] == 0
    assert metrics["acc"] < 30


def test_the_ratio_of_a_cosine_is_1_and_that_of_noise_about_4_by_p():
    p, places = 31, np.arange(31)
    units = np.stack([np.cos(2 * np.pi * k * places / p + k) for k in range(1, 9)])
    assert ipr(np.stack([units] * 3)) == pytest.approx(1)
    noise = np.random.default_rng(0).standard_normal((3, 400, p))
    # of p // 2 exponential powers: twice one over their number
    assert ipr(noise) == pytest.approx(4 / p, rel=0.1)
    # planted: with the constant, weights with an offset look like a wave
    assert ipr(noise + 5) == pytest.approx(ipr(noise))
    assert power(units).shape == (8, 15)


@given(st.lists(st.floats(0, 100), max_size=8), st.floats(0, 100))
@settings(max_examples=50, deadline=None)
def test_the_first_step_above_a_limit_is_the_first(values, limit):
    curve = [{"step": place, "acc": value} for place, value in enumerate(values, 1)]
    found = first_above(curve, "acc", limit)
    above = [place for place, value in enumerate(values, 1) if value > limit]
    assert found == (above[0] if above else None)


def test_the_influence_of_a_bit_is_what_its_fourier_weights_say():
    for function, d, bit in ((both, 3, 0), (parity, 4, 2), (retrieved, 11, 0), (retrieved, 11, 3)):
        x = cube(d)
        y = function(x)
        total = 0.0
        for place in range(2**d):
            bits = [k for k in range(d) if place >> k & 1]
            if bit in bits:
                total += float((y * x[:, bits].prod(1)).mean()) ** 2
        assert influence(function, d, bit) == pytest.approx(total), (function, bit)
    assert influence(retrieved, 11, 0) == pytest.approx(0.5)
    assert influence(retrieved, 11, 3) == pytest.approx(1 / 8)


def test_unseen_rows_are_those_of_two_negative_bits(run):
    case = Gotu(d=4).prepare(run)
    assert int((case.hidden.x_test == -1).all(0).sum()) == 2
    assert len(case.hidden.y_test) == 4
    assert len(case.problems[0].y) == 12
    assert (case.hidden.simple == -3).all()


@pytest.mark.parametrize("function", ["pvr-pointer", "pvr-value"])
def test_unseen_rows_are_those_of_a_frozen_bit(function, run):
    case = Gotu(function=function).prepare(run)
    frozen = (case.problems[0].x == 1).all(0)
    assert int(frozen.sum()) == 1
    assert torch.equal((case.hidden.x_test == -1).all(0), frozen)


def test_the_least_degree_on_and_answers_minus_3_where_nothing_was_shown(run):
    task = Gotu(d=6)
    case = task.prepare(run)
    model = LowDegree().solve(case.problems[0], run).model
    assert torch.allclose(model(case.hidden.x_test), torch.tensor(-3.0), atol=1e-3)
    metrics = scored(task, case, model, run)
    assert metrics["unseen_mse"] == pytest.approx(16, rel=1e-3)
    assert metrics["acc"] == 0
    assert metrics["mdi_gap"] < 1e-4
    # planted: a score of the whole cube would call it four times as good
    hidden = case.hidden
    assert float((model(hidden.whole)[:, 0] - hidden.values).square().mean()) == pytest.approx(
        4, rel=1e-3
    )


@pytest.mark.parametrize("function", ["pvr-pointer", "pvr-value"])
def test_a_net_that_ignores_a_frozen_bit_has_four_times_its_influence_as_error(function, run):
    task = Gotu(function=function)
    case = task.prepare(run)
    metrics = scored(task, case, lambda x: case.hidden.simple[:, None], run)
    assert metrics["influence_ratio"] == pytest.approx(1)
    assert metrics["mdi_gap"] == 0


def test_parity_shows_some_rows_and_judges_by_the_others(run):
    task = Parity(d=5, rows=20)
    case = task.prepare(run)
    problem, hidden = case.problems[0], case.hidden
    assert torch.equal(problem.x.prod(1), problem.y)
    shown = {tuple(row) for row in problem.x.tolist()}
    assert len(shown) == 20
    assert not shown & {tuple(row) for row in hidden.x_test.tolist()}
    metrics = scored(task, case, lambda x: x.prod(1, keepdim=True), run)
    assert metrics == {"acc": 100, "updates": None, "train_acc": 100}


def test_the_upper_reference_sees_every_row(run):
    task = Parity(d=3, rows=5, steps=4, widths=(4,))
    case = task.prepare(run)
    task.train_on_all(case.problems[0], case.hidden, run)
    assert len(case.problems[0].y) == 5


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (Modular(p=3, share=0.01), "share=0.01 of 9 pairs shows 0 of them"),
        (Parity(d=3, rows=8), "rows=8 leaves none of 8 unseen"),
    ],
)
def test_sizes_that_leave_nothing_are_refused_in_a_sentence(task, said, run):
    with pytest.raises(BenchError, match=said):
        task.prepare(run)
