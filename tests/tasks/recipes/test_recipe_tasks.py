"""The tasks of training recipes: what they hide, and what they make of a model."""

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.datasets.digits import Digits
from bench.builtin.datasets.patches import Patches
from bench.builtin.tasks.recipes._scores import calibration, corrupted, fidelity, outliers
from bench.builtin.tasks.recipes.few_digits import FewDigits
from bench.builtin.tasks.recipes.few_fashion import FewFashion
from bench.builtin.tasks.recipes.overlap import Overlap, divergence, posterior
from bench.builtin.tasks.recipes.two_views import TwoViews
from recipes_small import numbered, setups

from bench.checks import check_problem
from bench.contracts import Outcome
from bench.errors import InvalidRun
from bench.tracks.recipes import Solution
from bench.training.calibration import fit_temperature


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    setup = setups(tmp_path_factory.mktemp("data"), {})[0]
    return {"digits": Digits().load(setup), "patches": Patches().load(setup)}


@pytest.fixture(scope="module")
def digits(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    return [FewDigits().prepare(setup) for setup in setups(folder, data, 2, task="few-digits")]


def evaluated(task, case, model, folder, data, **named):
    outcome = Outcome(
        solution=Solution(model=model, **named), curve=[], kept={}, cost={}, counters={}
    )
    return task.evaluate(case, [outcome], setups(folder, data)[0])


def rows_of(x):
    return {row.tobytes() for row in x.flatten(1).numpy()}


def test_training_rows_are_few_of_each_class_and_no_test_or_validation_row(digits):
    problem, hidden = digits[0].problems[0], digits[0].hidden
    assert problem.y.bincount().tolist() == [20] * 10
    assert (len(hidden.y_test), len(hidden.y_val), len(hidden.x_out)) == (797, 400, 500)
    train, test, val = (rows_of(x) for x in (problem.x, hidden.x_test, hidden.x_val))
    assert not train & test
    assert not train & val
    assert not val & test
    check_problem(problem, 0)


def test_seeds_draw_the_rows(digits):
    assert not torch.equal(digits[0].hidden.x_test, digits[1].hidden.x_test)
    assert not torch.equal(digits[0].problems[0].x, digits[1].problems[0].x)


def test_the_upper_reference_has_five_times_the_rows_those_of_the_problem_first(digits):
    problem, hidden = digits[0].problems[0], digits[0].hidden
    assert len(hidden.y_more) == 1000
    assert torch.equal(hidden.x_more[:200], problem.x)
    assert not rows_of(hidden.x_more) & rows_of(hidden.x_test)


def test_inputs_are_standardised_by_the_training_rows_and_pictures_are_on_the_unit_interval(digits):
    problem, hidden = digits[0].problems[0], digits[0].hidden
    assert float(problem.x.mean()) == pytest.approx(0, abs=1e-5)
    assert float(problem.x.std()) == pytest.approx(1, abs=1e-4)
    mean, std = hidden.scale
    torch.testing.assert_close((hidden.pictures - mean) / std, hidden.x_test, rtol=0, atol=1e-5)


def test_more_rows_than_there_are_end_in_a_sentence(data, tmp_path):
    with pytest.raises(InvalidRun, match="give n_train of at most 599"):
        FewDigits(n_train=900).prepare(setups(tmp_path, data)[0])


def test_a_holdout_scores_training_rows_alone(data, tmp_path):
    task = FewDigits(holdout=0.2)
    case = task.prepare(setups(tmp_path, data)[0])
    assert len(case.problems[0].y) == 160
    assert len(case.hidden.y_test) == 40
    score = evaluated(task, case, lambda x: torch.zeros(len(x), 10), tmp_path, data)
    assert set(score.metrics) == {"acc_val"}
    assert score.not_rankable


def nearest(problem):
    """Return a classifier by the mean picture of each class."""
    means = torch.stack([problem.x[problem.y == c].mean(0) for c in range(10)]).flatten(1)

    def model(x):
        return -0.1 * torch.cdist(x.flatten(1), means) ** 2

    return model


def test_all_figures_of_few_digits_are_those_of_a_slow_computation(digits, data, tmp_path):
    case, model = digits[0], nearest(digits[0].problems[0])
    score = evaluated(FewDigits(), case, model, tmp_path, data)
    hidden, found = case.hidden, score.metrics
    declared = {metric.name for metric in FewDigits.card.metrics if not metric.validation}
    assert set(found) == declared
    p = model(hidden.x_test).double().softmax(1).numpy()
    y = hidden.y_test.numpy()
    assert found["acc"] == pytest.approx(100 * np.mean(p.argmax(1) == y))
    assert found["nll"] == pytest.approx(-np.mean(np.log(p[np.arange(len(y)), y])), rel=1e-5)
    assert found["brier"] == pytest.approx(np.mean(((p - np.eye(10)[y]) ** 2).sum(1)), rel=1e-5)
    assert found["fidelity"] is None
    assert found["nll_ts"] < found["nll"]
    assert found["ood_auroc"] > 50
    severe = score.arrays["severities"]
    assert severe.shape == (7, 5)
    assert found["acc_corrupt"] == pytest.approx(severe.mean())
    assert severe[:, 0].mean() > severe[:, 4].mean()
    assert set(score.images) == {"reliability", "severities"}


def test_a_temperature_moves_no_class_and_is_not_fitted_on_test_rows(digits):
    hidden, model = digits[0].hidden, nearest(digits[0].problems[0])
    logits, val = model(hidden.x_test), model(hidden.x_val)
    judged = calibration(logits, hidden.y_test, val, hidden.y_val)
    own = fit_temperature(val, hidden.y_val)
    assert judged.metrics["temperature_fit"] == own
    # one fitted on test rows would be another, and its figure better than is honest
    cheat = fit_temperature(logits, hidden.y_test)
    assert cheat != own
    unfair = calibration(logits, hidden.y_test, logits, hidden.y_test).metrics["nll_ts"]
    assert unfair < judged.metrics["nll_ts"]
    assert float((judged.scaled.share * judged.scaled.accuracy).sum()) == pytest.approx(
        float((judged.raw.share * judged.raw.accuracy).sum())
    )


def test_a_model_that_copies_its_teacher_is_faithful(digits):
    hidden, model = digits[0].hidden, nearest(digits[0].problems[0])
    logits = model(hidden.x_test)
    assert fidelity(logits, model, hidden.x_test) == {
        "fidelity": 100.0,
        "fidelity_kl": pytest.approx(0, abs=1e-9),
    }
    softer = fidelity(logits / 3, model, hidden.x_test)
    assert softer["fidelity"] == 100.0
    assert softer["fidelity_kl"] > 0.01


def test_corruptions_are_the_same_for_every_model(digits, tmp_path):
    hidden, model = digits[0].hidden, nearest(digits[0].problems[0])
    rows = slice(60)
    once, again = (
        corrupted(
            model,
            hidden.pictures[rows],
            hidden.y_test[rows],
            hidden.scale,
            setups(tmp_path, {}, method=name)[0],
        )
        for name in ("plain", "mixup")
    )
    assert once == again


def test_a_model_that_is_surer_of_outliers_ranks_below_one_half():
    sure, unsure = torch.eye(3) * 5, torch.zeros(4, 3)
    assert outliers(sure, unsure) == 100.0
    assert outliers(unsure, sure) == 0.0


@pytest.mark.parametrize("variant", ["n500", "n1000"])
def test_few_articles_of_clothing_are_drawn_by_the_seed_and_judged_by_the_datas_own_test_part(
    data, variant, tmp_path
):
    count = {"n500": 500, "n1000": 1000}[variant]
    served = {"fashion-mnist": numbered(7000, 200), "patches": data["patches"]}
    task = FewFashion(**FewFashion.card.presets["extended"].variants[variant])
    seen = []
    for setup in setups(tmp_path, served, 2, task="few-fashion"):
        case = task.prepare(setup)
        problem, hidden = case.problems[0], case.hidden
        mean, std = hidden.scale
        train, val, more, test = (
            ((x[:, 0, 0, 0] * std + mean) * 7200).round().int()
            for x in (problem.x, hidden.x_val, hidden.x_more, hidden.x_test)
        )
        assert test.tolist() == list(range(7000, 7200))
        assert torch.equal(hidden.y_test, served["fashion-mnist"]("test").y)
        assert problem.y.bincount().tolist() == [count // 10] * 10
        assert hidden.y_val.bincount().tolist() == [40] * 10
        for rows, y in ((train, problem.y), (val, hidden.y_val), (more, hidden.y_more)):
            assert torch.equal(y, rows.long() * 10 // 7000)
            assert len(rows.unique()) == len(rows)
        assert not set(train.tolist()) & set(val.tolist())
        assert len(more) == 5 * count
        assert torch.equal(more[:count], train)
        check_problem(problem, 0)
        seen.append(train)
    assert not torch.equal(*seen)


# Two views ---------------------------------------------------------------------


def test_either_half_of_a_picture_tells_the_class(data, tmp_path):
    task = TwoViews()
    case = task.prepare(setups(tmp_path, data)[0])
    problem, hidden = case.problems[0], case.hidden
    assert problem.x.shape == (400, 1, 8, 16)
    black = torch.tensor(hidden.black)
    assert float(problem.x.min()) == pytest.approx(float(black), abs=1e-5)
    bright, faint = problem.x[..., :8] - black, problem.x[..., 8:] - black
    assert float(faint.max() / bright.max()) == pytest.approx(0.3, abs=0.01)
    digits = {
        (row - row.min()).numpy().tobytes(): int(y)
        for row, y in zip(data["digits"].x.float(), data["digits"].y, strict=True)
    }
    scale = 16 / float(bright.max())
    for k in range(20):
        left = (bright[k] * scale).round()
        right = (faint[k] * scale / 0.3).round()
        assert digits[left.numpy().tobytes()] == int(problem.y[k])
        assert digits[right.numpy().tobytes()] == (int(problem.y[k]) + 5) % 10


def test_halves_are_blackened_one_at_a_time(data, tmp_path):
    task = TwoViews()
    case = task.prepare(setups(tmp_path, data)[0])
    black, seen = case.hidden.black, []

    def model(x):
        seen.append(
            [float((x[..., half] != black).float().mean()) for half in (slice(8), slice(8, 16))]
        )
        return torch.zeros(len(x), 10) + torch.arange(10.0)

    score = evaluated(task, case, model, tmp_path, data)
    assert [[share > 0.1 for share in pair] for pair in seen[-2:]] == [[True, False], [False, True]]
    assert score.metrics["acc_weak"] == score.metrics["acc_strong"]


# Overlap ----------------------------------------------------------------------


def test_the_posterior_is_that_of_bayes_rule_by_hand():
    own = np.random.default_rng(0).normal(size=(20, 10))
    common = np.random.default_rng(1).normal(size=(10, 10))
    x = np.random.default_rng(2).normal(size=(3, 10))
    found = posterior(x, own, common, 0.3)

    def density(row, centre):
        return np.exp(-((row - centre) ** 2).sum() / (2 * 0.25))

    for i in range(3):
        joint = [
            0.7 * density(x[i], own[c]) + 0.3 * density(x[i], common[c // 2]) for c in range(20)
        ]
        np.testing.assert_allclose(found[i], np.array(joint) / np.sum(joint), rtol=1e-9)


def test_without_shared_rows_the_posterior_knows_the_pair_apart():
    own = np.random.default_rng(0).normal(size=(20, 10))
    found = posterior(own[:4], own, np.zeros((10, 10)), 0.0)
    assert found.argmax(1).tolist() == [0, 1, 2, 3]
    assert np.isfinite(posterior(own[:4], own, np.zeros((10, 10)), 1.0)).all()


def test_labels_agree_with_the_posterior_as_often_as_it_says(tmp_path):
    case = Overlap(n_train=400).prepare(setups(tmp_path, {})[0])
    truth, y = case.hidden.posterior, case.hidden.y_test
    right = (truth.argmax(1) == y).double().mean()
    # 4,000 rows: the standard error is .7 %
    assert float(right) == pytest.approx(float(truth.amax(1).mean()), abs=0.03)


def test_the_true_posterior_has_no_divergence_and_a_flat_answer_has(tmp_path):
    task = Overlap(n_train=400)
    case = task.prepare(setups(tmp_path, {})[0])
    truth = case.hidden.posterior
    assert divergence(truth, truth.clamp_min(1e-300).log()) == pytest.approx(0, abs=1e-9)
    flat = divergence(truth, torch.zeros_like(truth))
    entropy = float(-torch.special.xlogy(truth, truth).sum(1).mean())
    assert flat == pytest.approx(np.log(20) - entropy, rel=1e-6)
    score = evaluated(task, case, lambda x: torch.zeros(len(x), 20), tmp_path, {})
    assert score.metrics["kl"] == pytest.approx(flat, rel=1e-5)
    assert score.metrics["kl_ts"] == pytest.approx(flat, rel=1e-5)


def test_patches_are_stretched_pictures_of_two_photographs(data):
    patches = data["patches"]
    assert patches.x.shape == (2000, 1, 28, 28)
    assert patches.y.bincount().tolist() == [1000, 1000]
    assert patches.x.amin((1, 2, 3)).max() == 0
    assert patches.x.amax((1, 2, 3)).min() == 255


def test_a_reference_on_more_rows_learns_better(data, tmp_path):
    task = msgspec.structs.replace(FewDigits(n_train=50, epochs=20, widths=(32,)))
    case = task.prepare(setups(tmp_path, data)[0])
    from bench.tracks.recipes import Recipe

    problem, hidden = case.problems[0], case.hidden
    few = Recipe().solve(problem, setups(tmp_path, {})[0])
    many = task.train_on_more_rows(problem, hidden, setups(tmp_path, {})[0])
    right = [
        float((solution.model(hidden.x_test).argmax(1) == hidden.y_test).double().mean())
        for solution in (few, many)
    ]
    assert right[1] > right[0]
