"""The pruning tasks: equal steps, what is hidden, the area under the
curve, and rules for what is kept.
"""

import math

import pytest
import torch
from answering import answered
from bench.builtin.datasets.digits import Digits
from bench.builtin.methods.selection.el2n import ErrorNorm
from bench.builtin.methods.selection.random import Random
from bench.builtin.tasks.selection import _task
from bench.builtin.tasks.selection.prune_digits import PruneDigits
from serving import Serving

from bench.contracts import Outcome
from bench.errors import InvalidRun
from bench.runs.context import Run, Setup
from bench.tracks.selection import Problem, Selection

CPU = torch.device("cpu")
TINY = {"n_train": 300, "epochs": 6, "nets": 1, "batch_size": 32}


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return Digits().load(
        Setup(seed=0, task="t", method="m", device=CPU, workdir=tmp_path_factory.mktemp("data"))
    )


@pytest.fixture
def setup_of(digits, tmp_path):
    def make(kind=Setup, seed=0):
        return kind(
            seed=seed,
            task="selection/toy",
            method="selection/m",
            device=CPU,
            workdir=tmp_path,
            tools=Serving(digits),
        )

    return make


def scored(task, method, setup_of, seed=0):
    case = task.prepare(setup_of(seed=seed))
    run = setup_of(Run, seed=seed)
    outcome = Outcome(
        solution=method.solve(case.problems[0], run),
        curve=[],
        kept={},
        cost={},
        counters=dict(run._counts),
    )
    return case, outcome, task.evaluate(case, [outcome], setup_of(seed=seed))


def test_random_rows_gain_nothing_over_themselves_and_cost_nothing(setup_of):
    _, _, score = scored(PruneDigits(**TINY), Random(), setup_of)
    assert (score.metrics["gain_20"], score.metrics["gain_50"], score.metrics["score_passes"]) == (
        0,
        0,
        0,
    )
    assert score.metrics["acc_10"] < score.metrics["acc_80"]
    assert "noise_20" not in score.metrics


def test_el2n_keeps_the_wrongly_labelled_rows_first(setup_of):
    case, outcome, score = scored(
        PruneDigits(**{**TINY, "label_noise": 0.1, "epochs": 12}),
        ErrorNorm(nets=2, share=0.5),
        setup_of,
    )
    scores, wrong = outcome.solution.scores, case.hidden.wrong
    assert wrong.sum() == 30
    assert scores[wrong].mean() > scores[~wrong].mean() + 0.2
    assert score.metrics["noise_20"] > 30  # of the 60 rows kept; 10 % of all are wrong
    assert score.metrics["score_passes"] > 0


def test_every_share_is_trained_for_as_many_steps(monkeypatch, setup_of):
    seen = []

    def noting(rows, batch, steps, orders):
        seen.append(([len(own) for own in rows], batch, steps))
        return passes(rows, batch, steps, orders)

    passes = _task.passes_of
    monkeypatch.setattr(_task, "passes_of", noting)
    scored(PruneDigits(**TINY), Random(), setup_of)
    assert [sizes for sizes, _, _ in seen] == [
        [30, 60, 90, 150, 240],
        [300],
        [30, 60, 90, 150, 240],
    ]
    assert {(batch, steps) for _, batch, steps in seen} == {(32, math.ceil(6 * 300 / 32))}


def test_a_net_in_the_stack_is_that_net_alone(setup_of):
    case = PruneDigits(**TINY).prepare(setup_of())
    problem, rows = case.problems[0], _task.random_rows(case.problems[0], setup_of()).rows
    together = _task.accuracies(problem, case.hidden, Selection(rows=rows), 1, 0)
    alone = _task.accuracies(problem, case.hidden, Selection(rows=rows[2:3]), 1, 0)
    # three test images of 539: other kernels, other rounding
    assert together[2].item() == pytest.approx(alone[0].item(), abs=0.6)


def test_weights_of_one_change_nothing_and_weights_of_zero_drop_a_row(setup_of):
    case = PruneDigits(**{**TINY, "fractions": (0.5,)}).prepare(setup_of())
    problem, rows = case.problems[0], _task.random_rows(case.problems[0], setup_of()).rows
    plain, ones, half = (
        _task.accuracies(problem, case.hidden, Selection(rows=rows, weights=weights), 1, 0).item()
        for weights in (None, [torch.ones(150)], [(torch.arange(150) < 20).float()])
    )
    assert ones == pytest.approx(plain, abs=0.6)
    assert half < plain


def test_the_area_is_the_mean_over_the_log_of_the_share():
    assert _task.area({0.1: 50.0, 0.8: 50.0}) == pytest.approx(50)
    assert _task.area({0.1: 0.0, 0.2: 100.0, 0.8: 100.0}) == pytest.approx(
        (50 * math.log(2) + 100 * math.log(4)) / math.log(8)
    )
    assert _task.area({0.2: 70.0}) == 70


def test_labels_move_to_another_class_exactly_as_often_as_said():
    import numpy as np

    y = np.arange(1000) % 10
    given, wrong = _task.moved(y, 0.1, 10, np.random.Generator(np.random.PCG64(0)))
    assert wrong.sum() == 100
    assert ((given != y) == wrong).all()


def test_the_problem_does_not_say_which_labels_are_wrong(setup_of):
    case = PruneDigits(**{**TINY, "label_noise": 0.1}).prepare(setup_of())
    assert "wrong" not in Problem.__struct_fields__
    assert case.hidden.wrong.sum() == 30


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([0, 0], "holds 0 2 times"),
        (list(range(31)), "keeps 31 rows; the budget is 30"),
        ([-1], "holds -1 at row 0.*from 0 to below N=300"),
        ([], "nothing in it"),
    ],
    ids=["twice", "too many", "outside", "none"],
)
def test_what_is_kept_must_be_rows_within_the_budget(rows, sentence, setup_of):
    problem = PruneDigits(**{**TINY, "fractions": (0.1,)}).prepare(setup_of()).problems[0]
    with pytest.raises(InvalidRun, match=sentence):
        answered(Selection(rows=[torch.tensor(rows, dtype=torch.int64)]), problem, "selection")


def test_the_upper_reference_trains_on_all_rows_with_their_true_labels_at_every_share(setup_of):
    class Reference:
        def __init__(self, task):
            self.task = task

        def solve(self, problem, run):
            return self.task.take_clean_rows(problem, None, run)

    noisy, clean = (
        PruneDigits(**{**TINY, "label_noise": rate, "epochs": 12}) for rate in (0.3, 0.0)
    )
    upper, same = (scored(task, Reference(task), setup_of)[2].metrics for task in (noisy, clean))
    assert upper == same  # the noise is undone
    assert {upper[f"acc_{share}"] for share in (10, 20, 30, 50, 80)} == {upper["auc"]}
    assert upper["auc"] == scored(clean, Random(), setup_of)[2].metrics["acc_full"]
    assert upper["auc"] > scored(noisy, Random(), setup_of)[2].metrics["acc_full"] + 2


def test_held_out_rows_are_training_rows_as_labelled_and_no_test_row_is_left(setup_of):
    whole, part = (
        PruneDigits(label_noise=0.1, holdout=share).prepare(setup_of()) for share in (0.0, 0.2)
    )
    given = {str(row.tolist()): int(y) for row, y in zip(*_rows(whole.problems[0]), strict=True)}
    assert {str(row.tolist()) for row in whole.hidden.x_test.flatten(1)}.isdisjoint(given)
    seen = torch.cat([part.problems[0].x, part.hidden.x_test]).flatten(1)
    labels = torch.cat([part.problems[0].y, part.hidden.y_test])
    assert {str(row.tolist()): int(y) for row, y in zip(seen, labels, strict=True)} == given
    assert len(part.hidden.y_test) == round(0.2 * len(whole.problems[0].y))
    assert torch.equal(part.hidden.y_true, part.problems[0].y)
    assert not part.hidden.wrong.any()


def _rows(problem):
    return problem.x.flatten(1), problem.y


def test_a_trial_scores_held_out_rows_alone(setup_of):
    task = PruneDigits(**{**TINY, "holdout": 0.2, "epochs": 12})
    case, _, score = scored(task, Random(), setup_of)
    assert set(score.metrics) == {"auc_val"}
    assert 10 < score.metrics["auc_val"] < 100
    assert score.not_rankable
    keep_all = {**TINY, "holdout": 0.2, "epochs": 12, "fractions": (1.0,)}
    everything = scored(PruneDigits(**keep_all), Random(), setup_of)[2].metrics["auc_val"]
    rows = Selection(rows=[torch.arange(len(case.problems[0].y))])
    own = _task.accuracies(case.problems[0], case.hidden, rows, 1, 0)
    # all rows in another order: other batches
    assert everything == pytest.approx(own.item(), abs=6)
    assert everything > score.metrics["auc_val"]
