"""The tasks: figures by hand and against scikit-learn, what rows are shown, cheats that are
refused, and the references.
"""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.tasks.ood_detection._metrics import flags, fpr95, judged, together
from bench.builtin.tasks.ood_detection._task import noise, scores_of, shuffled
from bench.builtin.tasks.ood_detection.ood_digits import OodDigits
from bench.builtin.tasks.ood_detection.ood_fashion import OodFashion
from bench.builtin.tasks.ood_detection.ood_mnist import OodMnist
from bench.builtin.tasks.ood_detection.ood_wild import OodWild
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from bench import Outcome
from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.tracks.ood_detection import Problem, Scored
from bench.training.calibration import auroc
from bench.training.data import Examples
from bench.training.fixed_net import Recipe, fixed_net

TIED = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=30)


@given(TIED, TIED)
@settings(max_examples=60, deadline=None)
def test_auroc_by_ranks_is_that_of_scikit_learn_and_of_turned_scores_what_is_left(inside, outside):
    mine = auroc(torch.tensor(inside), torch.tensor(outside)) / 100
    y = [1] * len(inside) + [0] * len(outside)
    assert abs(mine - roc_auc_score(y, inside + outside)) <= 1e-12
    turned = auroc(-torch.tensor(inside), -torch.tensor(outside)) / 100
    assert abs(mine + turned - 1) <= 1e-12


def test_equal_scores_are_a_half():
    assert auroc(torch.ones(7), torch.ones(3)) == 50.0


def test_fpr95_takes_the_highest_scores_that_are_95_percent_rounded_down_and_lets_ties_pass():
    inside = np.arange(100.0)
    # the 95th largest of 0 to 99 is 5, and of 3 to 7 three are at least 5
    assert fpr95(inside, np.arange(3.0, 8.0)) == pytest.approx(60)
    assert fpr95(np.ones(10), np.array([1.0, 0.5])) == 50
    assert fpr95(np.array([1.0, 2.0]), np.array([1.5])) == 0


def test_average_precision_of_perfect_scores_is_whole_and_kinds_count_alike():
    perfect = judged(np.array([2.0, 3.0]), np.array([0.0, 1.0, 1.0]))
    assert perfect == pytest.approx({"auroc": 100, "fpr95": 0, "aupr_in": 100, "aupr_out": 100})
    turned = judged(np.array([0.0]), np.array([1.0, 1.0, 1.0]))
    assert turned["aupr_in"] == pytest.approx(25)
    means = together({"classes": perfect, "glyphs": turned, "noise": turned}, ("classes", "glyphs"))
    assert means["near_auroc"] == 50
    assert means["far_auroc"] == 0
    assert means["auroc_glyphs"] == 0


def test_flags_are_counted_by_hand():
    truth = np.array([True, True, False, False])
    found = flags(np.array([True, False, True, True]), np.array([3.0, 1.0, 2.0, 0.0]), truth)
    assert found == pytest.approx({"flag_prec": 100 / 3, "flag_rec": 50, "flag_auroc": 75})
    assert set(flags(None, None, None).values()) == {None}


def test_shuffled_pictures_keep_their_pixels_and_noise_is_uniform():
    x = torch.rand(5, 1, 4, 4)
    moved = shuffled(x, np.random.default_rng(0))
    assert torch.equal(moved.flatten(1).sort(1).values, x.flatten(1).sort(1).values)
    assert not torch.equal(moved, x)
    drawn = noise(x, 300, np.random.default_rng(0))
    assert drawn.shape == (300, 1, 4, 4)
    assert abs(float(drawn.mean()) - 0.5) < 0.02


class Data(Run):
    """A run that has pictures which tell their class, 0 to 9, by the column that is bright."""

    def dataset(self, name, **params):
        generator = torch.Generator().manual_seed(len(name))
        side = 8 if name == "digits" else 28
        y = torch.arange(400) % 10
        x = torch.randint(0, 8, (400, 1, side, side), generator=generator, dtype=torch.uint8)
        x[torch.arange(400), 0, :, y % side] = 16 if name == "digits" else 255
        return Examples(x, y, 10)


def run_of(folder, seed=0):
    return Data(seed=seed, task="x/toy", method="x/x", device=torch.device("cpu"), workdir=folder)


SIZES = {"epochs": 2, "n_out": 80, "widths": (16, 16)}


def test_the_net_knows_six_classes_and_the_near_kind_has_the_others(tmp_path):
    task = OodMnist(net="mlp", **SIZES)
    case = task.prepare(run_of(tmp_path))
    problem, hidden = case.problems[0], case.hidden
    assert set(problem.y.tolist()) == set(range(6))
    assert [len(problem.x), len(problem.x_val), len(hidden.x_test)] == [144, 24, 72]
    assert set(hidden.out) == {"classes", "glyphs", "digits", "patches", "noise", "shuffled"}
    assert problem.wild is None
    assert problem.outliers is None
    bright = {int(row[0].sum(0).argmax()) for row in hidden.out["classes"]}
    known = {int(row[0].sum(0).argmax()) for row in problem.x}
    assert len(known) == 6
    assert not bright & known
    other = task.prepare(run_of(tmp_path, seed=1))
    assert known != {int(row[0].sum(0).argmax()) for row in other.problems[0].x}


def bright_columns(rows):
    """Return the columns that tell the classes of pictures."""
    return {int(row[0].sum(0).argmax()) for row in rows}


def test_of_articles_other_classes_are_near_and_all_digits_far_and_halves_are_apart(tmp_path):
    run = run_of(tmp_path)
    case = OodFashion(net="mlp", n_known=220, **SIZES).prepare(run)
    problem, hidden = case.problems[0], case.hidden
    assert [len(problem.x), len(problem.x_val), len(hidden.x_test)] == [132, 22, 66]
    near = {"classes"}
    far = {"mnist", "glyphs", "digits", "patches", "noise", "shuffled"}
    assert set(hidden.out) == set(hidden.seen) == near | far
    known, others = bright_columns(problem.x), bright_columns(hidden.out["classes"])
    assert len(known) == 6
    assert not known & others
    assert bright_columns(hidden.seen["classes"]) <= set(range(10)) - known
    # digits are no articles, so that each of theirs is out of the distribution
    assert bright_columns(hidden.out["mnist"]) == set(range(10))
    for kind, name, most in (("mnist", "mnist5k", 255), ("glyphs", "glyphs", 255)):
        served = {row.numpy().tobytes() for row in run.dataset(name).x.float() / most}
        judged_by, learned = (
            {row.numpy().tobytes() for row in rows[kind]} for rows in (hidden.out, hidden.seen)
        )
        assert judged_by | learned <= served
        assert not judged_by & learned
        assert len(judged_by) == len(learned) == 40
    # the pixels of test rows, in another order
    pixels = {tuple(sorted(row.flatten().tolist())) for row in (*hidden.x_test, *problem.x[:66])}
    assert all(tuple(sorted(row.flatten().tolist())) in pixels for row in hidden.out["shuffled"])


def test_letters_that_are_offered_as_outliers_are_no_kind_to_judge_by(tmp_path):
    case = OodMnist(net="mlp", outliers="glyphs", **SIZES).prepare(run_of(tmp_path))
    assert case.problems[0].outliers is not None
    assert "glyphs" not in case.hidden.out


def test_wild_rows_are_a_mixture_apart_from_all_that_is_judged_by(tmp_path):
    task = OodWild(net="mlp", n_wild=40, share=0.25, **SIZES)
    case = task.prepare(run_of(tmp_path))
    problem, hidden = case.problems[0], case.hidden
    assert hidden.wild_out.sum() == 10
    assert len(problem.wild) == 40
    rows = {row.numpy().tobytes() for row in problem.wild}
    judged_by = {row.numpy().tobytes() for row in (*hidden.x_test, *hidden.out["wild"], *problem.x)}
    assert not rows & judged_by


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (OodDigits(n_known=30, **SIZES), "ask for at least 200"),
        (OodWild(net="mlp", n_wild=900, **SIZES), "ask for fewer"),
    ],
)
def test_parts_that_are_too_small_are_refused_in_a_sentence(tmp_path, task, said):
    with pytest.raises(InvalidRun, match=said):
        task.prepare(run_of(tmp_path))


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return OodDigits(**SIZES).prepare(run_of(tmp_path_factory.mktemp("run")))


def evaluated(case, score, run, task=None):
    outcome = Outcome(solution=Scored(score=score), curve=[], kept={}, cost={}, counters={})
    return (task or OodDigits(**SIZES)).evaluate(case, [outcome], run)


def test_figures_of_a_constant_score_are_at_chance(case, tmp_path):
    found = evaluated(case, lambda x: torch.zeros(len(x), 1), run_of(tmp_path))
    assert found.metrics["near_auroc"] == found.metrics["far_auroc"] == 50
    assert found.metrics["near_fpr95"] == 100
    assert found.gates == {"id-acc": True}
    assert set(found.metrics) == {metric.name for metric in OodDigits.card.metrics}


def test_a_score_by_the_place_of_a_row_gains_nothing(case, tmp_path):
    scores = scores_of(lambda x: x.flatten(1)[:, :1] * 0, case.hidden)
    total = sum(map(len, scores.values()))
    assert sorted(case.hidden.order.tolist()) == list(range(total))
    first = case.hidden.order[: len(case.hidden.x_test)] < len(case.hidden.x_test)
    assert 0.02 < first.float().mean() < 0.98
    with pytest.raises(InvalidRun, match="judges each row by itself"):
        scores_of(lambda x: -torch.arange(len(x), dtype=torch.float32)[:, None], case.hidden)


def test_a_score_that_reads_the_batch_is_refused(case):
    with pytest.raises(InvalidRun, match="judges each row by itself"):
        scores_of(lambda x: (x.flatten(1) - x.flatten(1).mean(0))[:, :1], case.hidden)


def test_scores_come_back_to_their_rows(case):
    scores = scores_of(lambda x: x.flatten(1).double().sum(1, keepdim=True), case.hidden)
    by_hand = case.hidden.out["noise"].flatten(1).double().sum(1).numpy()
    assert np.allclose(scores["noise"], by_hand)


def test_the_oracle_tells_kinds_that_it_has_seen(case, tmp_path):
    task = OodDigits(**SIZES)
    solution = task.told_kinds(case.problems[0], case.hidden, run_of(tmp_path))
    found = evaluated(case, solution.score, run_of(tmp_path), task)
    assert found.metrics["far_auroc"] > 80


def test_the_oracle_of_unlabelled_rows_needs_none_of_the_problem(tmp_path):
    task = OodWild(net="mlp", n_wild=40, share=0.5, **SIZES)
    case = task.prepare(run_of(tmp_path))
    # a run masks what a card offers and a reference can't ask for
    masked = msgspec.structs.replace(case.problems[0], wild=None)
    solution = task.told_wild(masked, case.hidden, run_of(tmp_path))
    assert evaluated(case, solution.score, run_of(tmp_path), task).metrics["near_auroc"] is not None


def test_a_net_of_another_shape_is_refused(tmp_path):
    x, y = torch.rand(20, 1, 4, 4), torch.arange(20) % 2
    net = fixed_net(x, y, 2, Recipe(widths=(4,), epochs=1), run_of(tmp_path))
    wrong = torch.rand(20, 1, 5, 5)
    with pytest.raises(InvalidRun, match="the net reads rows of"):
        Problem(model=net, x=x, y=y, x_val=wrong, y_val=y, n_classes=2).validate()
    with pytest.raises(InvalidRun, match="one a class"):
        Problem(model=net, x=x, y=y, x_val=x, y_val=y, n_classes=3).validate()
