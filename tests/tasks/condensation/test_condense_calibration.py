"""Ranking by calibration, and what is scored where parameters are chosen."""

import msgspec
import pytest
import torch
from bench.builtin.datasets.digits import Digits
from bench.builtin.tasks.condensation.condense_calibration import CondenseCalibration, reliability
from bench.builtin.tasks.condensation.condense_cl import CondenseClassIncremental
from bench.builtin.tasks.condensation.condense_digits import CondenseDigits
from bench.builtin.tasks.condensation.condense_transfer import CondenseTransfer
from serving import Serving

from bench.contracts import Outcome
from bench.errors import InvalidRun
from bench.runs.artifacts import Artifacts
from bench.runs.context import Run, Setup
from bench.tracks.condensation import SmallSet, real_rows
from bench.tracks.condensation_evaluation import calibration_error

CPU = torch.device("cpu")
TINY = {"n_train": 200, "epochs": 60, "epochs_full": 60, "nets": 2, "width": 8, "lrs": (0.02,)}


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return Digits().load(
        Setup(seed=0, task="t", method="m", device=CPU, workdir=tmp_path_factory.mktemp("data"))
    )


@pytest.fixture
def setup_of(digits, tmp_path):
    def make(seed=0, kind=Setup):
        return kind(
            seed=seed,
            task="c/toy",
            method="c/m",
            device=CPU,
            workdir=tmp_path,
            tools=Serving(digits),
            artifacts=Artifacts(tmp_path / "kept"),
        )

    return make


@pytest.fixture
def score_of(setup_of):
    def score(task, solution):
        case = task.prepare(setup_of())
        found = solution(case.problems[0]) if callable(solution) else solution
        return task.evaluate(
            case, [Outcome(solution=found, curve=[], kept={}, cost={}, counters={})], setup_of()
        )

    return score


MASKED = {"temperature": "set", "masked": 0.5}


def means(problem, **fields):
    """A good set without learning: the mean image of each class."""
    x = torch.stack([problem.x[problem.y == c].mean(0) for c in range(problem.n_classes)])
    return SmallSet(x=x, y=torch.arange(problem.n_classes), **fields)


# The task
# -------------------------------------------------------------------------------------------------


def test_a_temperature_changes_the_calibration_that_ranks_and_no_accuracy(score_of):
    task = CondenseCalibration(**TINY)
    wishes = ({}, {"temperature": "validation"}, {"temperature": "set"}, MASKED)
    plain, real, own, masked = scores = [
        score_of(task, lambda problem, wish=wish: means(problem, **wish)) for wish in wishes
    ]
    for score in scores:
        assert score.metrics["acc"] == plain.metrics["acc"]
        assert score.metrics["ece_raw"] == plain.metrics["ece"]
        assert score.metrics["ece_ts"] == real.metrics["ece"]
        assert score.gates == {"accuracy": True}
    assert (plain.metrics["temperature"], plain.metrics["nll"]) == (1, plain.metrics["nll_raw"])
    assert len({score.metrics["ece"] for score in scores}) == 4
    assert real.metrics["nll"] < min(score.metrics["nll"] for score in (plain, own, masked))
    # nets know the images that they learned from: by these, they can be surer than they are
    assert own.metrics["temperature"] < min(masked.metrics["temperature"], 1)
    assert {"images", "reliability"} == set(plain.images)


def test_a_net_that_is_sure_of_nothing_is_calibrated_and_fails_the_gate(score_of):
    def unsure(problem):
        return means(problem, soft_y=torch.full((10, 10), 0.1))

    score = score_of(CondenseCalibration(**TINY), unsure)
    assert score.metrics["ece"] < 10
    assert score.gates == {"accuracy": False}


def test_random_images_are_on_the_line_of_the_gate_and_pass(score_of, setup_of):
    def drawn(problem):
        rows = real_rows(problem, setup_of(kind=Run))
        return SmallSet(x=problem.x[rows], y=problem.y[rows], indices=rows)

    score = score_of(CondenseCalibration(**TINY), drawn)
    assert score.metrics["acc"] == score.metrics["acc_random"]
    assert score.gates == {"accuracy": True}


def test_nets_trained_on_all_images_are_the_upper_anchor_of_calibration(score_of):
    task = CondenseCalibration(**TINY)
    full = score_of(task, task.full_data(None, None, None))
    assert full.metrics["stored_images"] == 200
    assert full.metrics["acc"] > full.metrics["acc_random"]
    assert full.metrics["nll"] < full.metrics["nll_raw"]


def test_the_reliability_curve_holds_the_gaps_that_the_calibration_error_sums():
    logits, y = (
        torch.randn(2, 400, 5, generator=torch.Generator().manual_seed(0)).double() * 3,
        torch.arange(400) % 5,
    )
    confidence, predicted = logits.softmax(-1).max(-1)
    bins = (confidence * 15).ceil().clamp(1, 15)
    points, total = reliability(logits, y), 0.0
    for (sure, right), k in zip(points, bins.unique().tolist(), strict=True):
        own = bins == k
        assert sure == pytest.approx(100 * confidence[own].mean().item())
        assert right == pytest.approx(100 * (predicted == y)[own].double().mean().item())
        total += own.sum().item() / own.numel() * abs(sure - right) / 100
    # nets pooled may cancel, never add
    assert total <= calibration_error(logits, y).mean().item() + 1e-12


def test_the_methods_that_the_track_ranks_differ_from_dm_in_calibration_alone_or_in_their_images():
    from bench.builtin.methods.condensation.dm import DistributionMatching
    from bench.builtin.methods.condensation.mdt import MaskedDistillation
    from bench.builtin.methods.condensation.mts import MaskedTemperature
    from bench.builtin.methods.condensation.temperature import Temperature
    from bench.builtin.methods.condensation.temperature_real import TemperatureReal

    scaled = (MaskedTemperature, Temperature, TemperatureReal)
    for method in (*scaled, MaskedDistillation):
        assert method.card.tracks == (CondenseCalibration.card.track,)  # never ranked by accuracy
    assert CondenseCalibration.card.track in DistributionMatching.card.tracks
    assert Temperature.card.plain
    assert TemperatureReal.card.plain


# Choosing parameters
# -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "metric"),
    [(CondenseDigits, "acc_val"), (CondenseCalibration, "ece_val")],
    ids=["accuracy", "calibration"],
)
def test_where_parameters_are_chosen_held_out_training_rows_are_scored_and_nothing_else(
    task, metric, score_of, setup_of
):
    assert task.card.tuning == {"holdout": 0.2}
    assert [one.name for one in task.card.metrics if one.validation] == [metric]
    whole, parts = (task(**TINY, **tuning).prepare(setup_of()) for tuning in ({}, task.card.tuning))
    rows = {row.numpy().tobytes() for row in whole.problems[0].x}
    mean, std = (
        parts.problems[0].mean / whole.problems[0].std,
        parts.problems[0].std / whole.problems[0].std,
    )
    shift = whole.problems[0].mean / whole.problems[0].std
    found = [
        part * std.view(-1, 1, 1) + (mean - shift).view(-1, 1, 1)
        for part in (parts.problems[0].x, parts.hidden.x_test)
    ]
    assert [len(part) for part in found] == [160, 40]
    images = torch.stack(
        [torch.frombuffer(bytearray(row), dtype=torch.float32) for row in sorted(rows)]
    )
    nearest = torch.cdist(torch.cat(found).flatten(1), images).min(1)
    assert nearest.values.max() < 1e-2  # all of them are training rows of the task as it is ranked
    # and no row is in both, but for digits that are twice in the data
    assert len(nearest.indices.unique()) >= 198
    score = score_of(task(**TINY, **task.card.tuning), means)
    assert set(score.metrics) == {metric}
    assert score.not_rankable == "scored on held-out training images by their given labels"


@pytest.mark.parametrize("task", [CondenseClassIncremental, CondenseTransfer])
def test_a_task_that_cannot_score_held_out_rows_refuses_to_hold_any_out(task, setup_of):
    assert not task.card.tuning
    with pytest.raises(
        InvalidRun,
        match=r"holdout is 0\.2, and 'condense-(cl|transfer)' can't score held-out rows; leave "
        r"holdout at 0",
    ):
        task(holdout=0.2).prepare(setup_of())


def test_a_set_of_soft_labels_is_judged_on_held_out_rows_as_on_test_rows(score_of):
    task = CondenseDigits(**TINY, holdout=0.2)
    flat = score_of(
        task,
        lambda problem: msgspec.structs.replace(means(problem), soft_y=torch.full((10, 10), 0.1)),
    )
    assert flat.metrics["acc_val"] < score_of(task, means).metrics["acc_val"]
