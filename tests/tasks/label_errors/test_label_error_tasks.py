"""The tasks: what they hide, what they make of a judgement, and the human labels of VADER."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.datasets.clusters import Clusters
from bench.builtin.datasets.digits import Digits
from bench.builtin.datasets.vader import Vader
from bench.builtin.methods.data_valuation.data_oob import OutOfBag
from bench.builtin.methods.label_errors.aum import AreaUnderMargin
from bench.builtin.methods.label_errors.cincer_margin import CincerMargin
from bench.builtin.methods.label_errors.cleanlab_cl import CleanlabConfidentLearning
from bench.builtin.methods.label_errors.flag_all import FlagAll
from bench.builtin.methods.label_errors.flag_none import FlagNone
from bench.builtin.methods.label_errors.knn_vote import NeighbourVote
from bench.builtin.methods.label_errors.loss import Loss
from bench.builtin.methods.label_errors.mapd import MetadataArchaeology
from bench.builtin.methods.label_errors.oof_disagree import OutOfFoldDisagreement
from bench.builtin.methods.label_errors.random import Guess
from bench.builtin.methods.label_errors.simifeat import SimiFeat
from bench.builtin.methods.noisy_labels.ce_early import EarlyStopping
from bench.builtin.methods.noisy_labels.ce_ensemble import Ensemble
from bench.builtin.methods.noisy_labels.coteaching import CoTeaching
from bench.builtin.methods.noisy_labels.coteaching_estimated import CoTeachingEstimated
from bench.builtin.methods.noisy_labels.elr import EarlyLearningRegularisation
from bench.builtin.methods.noisy_labels.random_forest import RandomForest
from bench.builtin.tasks.label_errors._metrics import METRICS
from bench.builtin.tasks.label_errors.errors_clusters import ErrorsClusters
from bench.builtin.tasks.label_errors.errors_digits import ErrorsDigits
from bench.builtin.tasks.label_errors.vader_ratings import VaderRatings
from bench.builtin.tasks.noisy_labels._task import Hidden

from bench.contracts import Outcome
from bench.runs.artifacts import Artifacts
from bench.runs.context import Run, Setup
from bench.runs.tools import Tools
from bench.tracks.label_errors import Solution, judgement

METHODS = [
    AreaUnderMargin(),
    CincerMargin(),
    CleanlabConfidentLearning(),
    CoTeaching(),
    CoTeachingEstimated(),
    EarlyLearningRegularisation(),
    EarlyStopping(),
    Ensemble(),
    FlagAll(),
    FlagNone(),
    Guess(),
    Loss(),
    MetadataArchaeology(),
    NeighbourVote(),
    OutOfBag(),
    OutOfFoldDisagreement(),
    RandomForest(),
    SimiFeat(),
]


class _Serving(Tools):
    """Serves datasets; artifacts are keyed by their recipe alone, which
    is enough for one problem.
    """

    def __init__(self, folder, data):
        self.folder, self.data = folder, data

    def dataset(self, run, name, params):
        if name not in self.data:
            kinds = {"digits": Digits, "clusters": Clusters, "vader": Vader}
            self.data[name] = kinds[name]().load(
                Setup(seed=0, task="t", method="m", device=torch.device("cpu"), workdir=self.folder)
            )
        return self.data[name]

    def report(self, run, step, model):
        """Nobody looks."""


@pytest.fixture(scope="module")
def data():
    return {}


@pytest.fixture
def made(tmp_path, data):
    """Return a function that makes a run of a kind for a task."""

    def make(kind, task, seed=0, method="x"):
        return kind(
            seed=seed,
            task=f"label-errors/{task.card.name}",
            method=f"label-errors/{method}",
            device=torch.device("cpu"),
            workdir=tmp_path,
            tools=_Serving(tmp_path, data),
            artifacts=Artifacts(tmp_path / "cache"),
        )

    return make


def scored(task, case, solution, run):
    return task.evaluate(
        case, [Outcome(solution=solution, curve=[], kept={}, cost={}, counters={})], run
    )


SMALL = ErrorsDigits(noise="sym", rate=0.4, n_train=300, epochs=8)


# Hidden stays hidden ---------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:May not flag all label issues")
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.card.name)
def test_garbage_in_place_of_the_true_labels_changes_no_detector_s_judgement_by_a_bit(made, method):
    if "cleanlab" in method.card.libraries:
        pytest.importorskip("cleanlab")
    task = ErrorsClusters(rate=0.2, n_train=160, epochs=3)
    case = task.prepare(made(Setup, task))
    problem = case.problems[0]
    honest = judgement(method.solve(problem, made(Run, task)), problem)
    case.hidden = Hidden(
        case.hidden.x_test.flip(0), case.hidden.y_test.flip(0), (case.hidden.y_true + 1) % 4
    )
    fooled = judgement(method.solve(problem, made(Run, task)), problem)
    assert torch.equal(honest.suspicion, fooled.suspicion)
    # plain baselines order the rows and flag none
    assert honest.flags is fooled.flags or torch.equal(honest.flags, fooled.flags)
    assert case.hidden not in [getattr(problem, name) for name in problem.__struct_fields__]


def test_a_detector_that_looks_for_the_truth_finds_no_way_to_it(made):
    task = SMALL
    case = task.prepare(made(Setup, task))
    run = made(Run, task)
    assert not hasattr(run, "dataset")
    truth = case.hidden.y_true
    for name in case.problems[0].__struct_fields__:
        value = getattr(case.problems[0], name)
        assert not (
            isinstance(value, torch.Tensor)
            and value.shape == truth.shape
            and torch.equal(value, truth)
        )


# What a judgement is worth -----------------------------------------------------------------------


def test_flagging_nothing_is_the_noisy_anchor_and_the_true_errors_are_the_oracle_s(made):
    case = SMALL.prepare(made(Setup, SMALL))
    problem = case.problems[0]
    nothing = scored(
        SMALL, case, FlagNone().solve(problem, made(Run, SMALL)), made(Setup, SMALL)
    ).metrics
    assert (
        nothing["acc_drop"]
        == nothing["acc_relabel"]
        == nothing["acc_noisy"]
        == nothing["acc_random"]
    )
    assert nothing["f1_weighted"] == pytest.approx(100 * 2 * 0.6**2 / 1.6)
    assert (nothing["ap"], nothing["auroc"]) == (pytest.approx(40), pytest.approx(50))
    best = scored(
        SMALL,
        case,
        SMALL.flag_true_errors(problem, case.hidden, made(Run, SMALL)),
        made(Setup, SMALL),
    ).metrics
    assert best["acc_drop"] == best["acc_oracle"]
    assert best["f1_drop"] == best["f1_oracle"]
    assert best["acc_oracle"] > best["acc_noisy"] + 2  # the wrong labels do harm ...
    # ... and it is not that fewer rows do better
    assert best["acc_oracle"] > best["acc_random"] + 2
    assert {name for name, value in best.items() if value is not None} == {
        metric.name for metric in METRICS
    }
    assert (
        best["ap"],
        best["auroc"],
        best["f1"],
        best["f1_weighted"],
        best["precision_at_k"],
        best["rate_error"],
    ) == (100, 100, 100, 100, 100, 0)
    assert best["lift_1"] == pytest.approx(2.5)


def test_flagging_everything_leaves_nothing_to_train_on_and_relabels_all(made):
    case = SMALL.prepare(made(Setup, SMALL))
    found = scored(
        SMALL, case, FlagAll().solve(case.problems[0], made(Run, SMALL)), made(Setup, SMALL)
    ).metrics
    assert (found["acc_drop"], found["f1_drop"], found["acc_random"]) == (None, None, None)
    assert found["acc_relabel"] > found["acc_noisy"]
    assert (found["flagged"], found["recall"]) == (100, 100)


def test_a_suspicion_without_flags_is_ranked_and_has_no_other_figure(made):
    case = SMALL.prepare(made(Setup, SMALL))
    suspicion = (case.problems[0].y != case.hidden.y_true).float()
    score = scored(SMALL, case, Solution(suspicion=suspicion), made(Setup, SMALL))
    assert set(score.metrics) == {"ap", "auroc", "precision_at_k", "lift_1"}
    assert score.metrics["ap"] == 100
    assert set(score.images) == {"suspicion", "transitions", "suspicious"}


def test_without_wrong_labels_the_cell_is_not_ranked_and_says_why(made):
    task = msgspec.structs.replace(SMALL, rate=0.0)
    case = task.prepare(made(Setup, task))
    score = scored(
        task, case, NeighbourVote().solve(case.problems[0], made(Run, task)), made(Setup, task)
    )
    assert score.not_rankable == "no label is wrong, so there is nothing to tell apart"
    assert (score.metrics["ap"], score.metrics["recall"], score.metrics["f1"]) == (None, None, None)
    assert 0 < score.metrics["flagged"] < 20


def test_the_anchors_are_trained_once_for_all_detectors(made, monkeypatch):
    from bench.builtin.tasks.label_errors import _task

    trained = []
    real = _task._train
    monkeypatch.setattr(_task, "_train", lambda *arguments: trained.append(1) or real(*arguments))
    task = msgspec.structs.replace(SMALL, epochs=1)
    case = task.prepare(made(Setup, task))
    wrong = case.problems[0].y != case.hidden.y_true
    # noisy, oracle, random, drop, relabel; then the last two alone
    for shift, expected in ((0, 5), (1, 2)):
        trained.clear()
        scored(task, case, Solution(flags=wrong.roll(shift)), made(Setup, task))
        assert len(trained) == expected


# VADER
# -----------------------------------------------------------------------------------------------


def test_a_label_is_one_rater_s_sign_and_the_truth_most_of_the_nine_others(made, data):
    task = VaderRatings()
    cases = {seed: task.prepare(made(Setup, task, seed)) for seed in (0, 1)}
    ratings, texts = data["vader"].ratings.numpy(), data["vader"].texts
    assert ratings.shape == (7520, 10)
    assert texts[:2] == ["$:", "%)"]
    first = sorted({text: row for row, text in reversed(list(enumerate(texts)))}.values())
    order = made(Setup, task).numpy_generator("split").permutation(first)[2000:]
    person = made(Setup, task).numpy_generator("corruption").integers(0, 10, len(order))
    expected = []
    for row, who in zip(order, person, strict=True):  # the slow way
        signs = [int(np.sign(value)) for value in ratings[row]]
        said = signs.pop(who)
        top = max((-1, 0, 1), key=signs.count)
        if signs.count(top) >= 6:
            expected.append((said + 1, top + 1))
    given, truth = zip(*expected, strict=True)
    assert cases[0].problems[0].y.tolist() == list(given)
    assert cases[0].hidden.y_true.tolist() == list(truth)
    assert cases[0].problems[0].noise_rate == pytest.approx(
        np.mean(np.array(given) != np.array(truth))
    )
    assert 0.10 < cases[0].problems[0].noise_rate < 0.14
    assert cases[0].problems[0].y.tolist() != cases[1].problems[0].y.tolist()
    assert len(cases[0].hidden.y_test) != len(cases[1].hidden.y_test) or not torch.equal(
        cases[0].hidden.x_test, cases[1].hidden.x_test
    )


def test_what_people_got_wrong_can_be_found_from_the_letters(made):
    task = VaderRatings(n_train=1200)
    case = task.prepare(made(Setup, task))
    bad = (case.problems[0].y != case.hidden.y_true).numpy()
    from bench.builtin.tasks.label_errors._metrics import ranking

    found = ranking(NeighbourVote().solve(case.problems[0], made(Run, task)).suspicion.numpy(), bad)
    assert found["auroc"] > 65
    assert found["ap"] > 2 * 100 * bad.mean()


# The whole way
# ------------------------------------------------------------------------------------------


def test_a_library_that_is_missing_makes_a_row_that_says_how_to_get_it(monkeypatch):
    from bench.plugins.registry import Registry
    from bench.runs.plan import Request, make_plan

    monkeypatch.setattr(
        "bench.runs.left_out.missing",
        lambda names: [name for name in names if name in ("cleanlab", "vaderSentiment")],
    )
    plan = make_plan(Request(track="label-errors", preset="smoke"), Registry())
    rows = {(item.method, item.task): item for item in plan.not_run}
    assert rows["cleanlab-cl", "errors-digits"].status == "unavailable"
    assert "run 'pip install cleanlab'" in rows["cleanlab-cl", "errors-digits"].reason
    assert "run 'pip install vaderSentiment'" in rows["aum", "vader-ratings"].reason
    assert ("aum", "errors-digits") not in rows


def test_a_training_method_serves_both_tracks_under_one_name(run_plan):
    found = run_plan(
        methods=("elr", "oof-disagree"),
        tasks=("errors-iris", "noisy-digits"),
        preset="smoke",
        paths=[],
    )
    assert {(record.track, record.method, record.status) for record in found.records} == {
        ("label-errors", "elr", "ok"),
        ("label-errors", "oof-disagree", "ok"),
        ("noisy-labels", "elr", "ok"),
    }
    judged = next(record for record in found.records if record.method == "oof-disagree")
    assert judged.cost["artifact_s"] > 0  # the probabilities are charged to the method that asked
    assert judged.metrics["acc_relabel"] is not None


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_every_detector_and_reference_runs_and_says_something_of_its_own(run_plan, device):
    found = run_plan(
        track="label-errors", tasks=("errors-iris",), preset="smoke", paths=[], device=device
    )
    missing = {item.method for item in found.plan.not_run if item.status == "unavailable"}
    assert missing <= {"cleanlab-cl"}
    figures = {record.method: record.metrics for record in found.records}
    assert figures.keys() == {method.card.name for method in METHODS} - missing | {"true-errors"}
    assert all(record.status == "ok" for record in found.records)
    assert len({str(sorted(metrics.items())) for metrics in figures.values()}) == len(figures)
    anchors = {
        name: metrics["acc_noisy"] for name, metrics in figures.items() if metrics["f1"] is not None
    }
    # they order the rows, and flag none
    assert figures.keys() - anchors.keys() == {"ce-early", "ce-ensemble", "data-oob"}
    # paired: the anchors are the seed's
    assert set(anchors.values()) == {figures["flag-none"]["acc_noisy"]}
