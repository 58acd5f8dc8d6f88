"""What the track reads out of solutions, and the probabilities that detectors share."""

import msgspec
import numpy as np
import pytest
import torch
from answering import answered

from bench.errors import InvalidRun
from bench.runs.artifacts import Artifacts
from bench.runs.context import Run
from bench.tracks import label_errors, noisy_labels
from bench.tracks.label_errors import judgement, out_of_fold, votes
from bench.tracks.noisy_labels import Problem

Y = torch.tensor([0, 1, 2, 1])
PROBLEM = Problem(x=torch.eye(4, 3), y=Y, n_classes=3)


def trained(**fields):
    return noisy_labels.Solution(model=lambda x: 5 * x, **fields)


def test_a_detector_is_taken_at_its_word_and_flags_alone_are_the_suspicion():
    flags, suspicion = (
        torch.tensor([True, False, False, True]),
        torch.tensor([3.0, -torch.inf, torch.inf, 0.0]),
    )
    judged = judgement(label_errors.Solution(suspicion=suspicion, flags=flags), PROBLEM)
    assert torch.equal(judged.suspicion, suspicion)
    assert torch.equal(judged.flags, flags)
    assert judgement(label_errors.Solution(flags=flags), PROBLEM).suspicion.tolist() == [1, 0, 0, 1]
    assert judgement(label_errors.Solution(suspicion=suspicion), PROBLEM).flags is None


def test_of_a_training_method_the_clean_score_counts_and_corrected_labels_before_kept_rows():
    score, kept, labels = (
        torch.tensor([1.0, 2.0, 3.0, 4.0]),
        torch.tensor([True, True, False, False]),
        torch.tensor([0, 0, 2, 1]),
    )
    judged = judgement(trained(clean_score=score, kept=kept, labels=labels), PROBLEM)
    assert judged.suspicion.tolist() == [-1, -2, -3, -4]
    assert judged.flags.tolist() == [False, True, False, False]
    assert judgement(trained(clean_score=score, kept=kept), PROBLEM).flags.tolist() == [
        False,
        False,
        True,
        True,
    ]
    assert judgement(trained(clean_score=score), PROBLEM).flags is None


def test_a_training_method_without_a_score_is_read_by_the_loss_of_its_model():
    expected = -torch.log_softmax(5 * PROBLEM.x, -1)[torch.arange(4), Y]
    torch.testing.assert_close(judgement(trained(), PROBLEM).suspicion, expected)


@pytest.mark.parametrize(
    ("solution", "said"),
    [
        (label_errors.Solution(), "neither a suspicion nor flags"),
        (label_errors.Solution(suspicion=torch.zeros(3)), r"has the shape \(3,\)"),
        (
            label_errors.Solution(flags=torch.zeros(4, 1, dtype=torch.bool)),
            r"has the shape \(4, 1\)",
        ),
        (
            label_errors.Solution(suspicion=torch.tensor([0.0, torch.nan, 1.0, 2.0])),
            "holds nan at row 1",
        ),
    ],
)
def test_a_judgement_of_nothing_of_too_few_or_of_nan_makes_the_run_invalid(solution, said):
    with pytest.raises(InvalidRun, match=said):
        answered(solution, PROBLEM, "label-errors")


def test_votes_are_the_shares_of_the_nearest_and_infinite_distances_do_not_vote():
    distances = torch.tensor([[1.0, 2.0, 3.0, 9.0], [4.0, 1.0, torch.inf, torch.inf]])
    labels = torch.tensor([0, 1, 1, 2])
    assert votes(distances, labels, 3, 3).tolist() == [
        [pytest.approx(1 / 3), pytest.approx(2 / 3), 0],
        [0.5, 0.5, 0],
    ]
    assert votes(distances, labels, 50, 3)[0].tolist() == [0.25, 0.5, 0.25]


# Out-of-fold probabilities ------------------------------------------------------------------


@pytest.fixture
def blobs():
    generator = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [60, 50, 4])
    x = generator.standard_normal((114, 5)) + 3 * np.eye(3, 5)[y]
    # the fourth class has no row
    return Problem(x=torch.from_numpy(x).float(), y=torch.from_numpy(y), n_classes=4)


def run(folder, artifacts=None, method="m", seed=0):
    return Run(
        seed=seed,
        task="t",
        method=method,
        device=torch.device("cpu"),
        workdir=folder,
        artifacts=artifacts,
    )


def test_no_row_is_judged_by_a_model_that_saw_it_and_the_folds_of_a_class_are_even(blobs):
    fold = label_errors._folds(blobs.y.numpy(), np.random.default_rng(0))
    for c in (0, 1, 2):
        counts = np.bincount(fold[blobs.y == c], minlength=5)
        assert counts.max() - counts.min() <= 1
    found = label_errors._out_of_fold(blobs, "knn", run_with(fold))["probabilities"]
    # the slow way: all distances of one row to the rows of other folds
    for row in range(0, 114, 7):
        others = np.flatnonzero(fold != fold[row])
        near = others[
            np.argsort(
                ((blobs.x[others] - blobs.x[row]).double() ** 2).sum(1).numpy(), kind="stable"
            )[:20]
        ]
        np.testing.assert_allclose(found[row], np.bincount(blobs.y[near], minlength=4) / 20)


class run_with:
    """A run whose split gives the folds wanted."""

    def __init__(self, fold):
        self.fold = fold

    def numpy_generator(self, role):
        assert role == "split"
        return np.random.default_rng(0)


def test_logistic_probabilities_are_scikit_learn_s_on_the_other_folds(blobs):
    from sklearn.linear_model import LogisticRegression

    fold = label_errors._folds(blobs.y.numpy(), np.random.default_rng(0))
    found = label_errors._out_of_fold(blobs, "logistic", run_with(fold))["probabilities"]
    x, y = blobs.x.double().numpy(), blobs.y.numpy()
    expected = (
        LogisticRegression(max_iter=1000)
        .fit(x[fold != 2], y[fold != 2])
        .predict_proba(x[fold == 2])
    )
    np.testing.assert_allclose(found[fold == 2][:, :3], expected)
    assert (found[:, 3] == 0).all()
    np.testing.assert_allclose(found.sum(1), 1)


def test_probabilities_are_built_once_for_a_problem_whoever_asks(blobs, tmp_path):
    artifacts = Artifacts(tmp_path / "cache")
    first = out_of_fold(blobs, run(tmp_path, artifacts))
    page = next((tmp_path / "cache").rglob("tensors.safetensors")).stat().st_mtime_ns
    again = out_of_fold(blobs, run(tmp_path, artifacts, method="another", seed=3))
    assert torch.equal(first, again)
    assert [
        path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("tensors.safetensors")
    ] == [page]


@pytest.mark.parametrize("model", ["knn", "logistic"])
def test_a_problem_of_one_class_or_of_few_rows_has_probabilities_too(blobs, tmp_path, model):
    one = msgspec.structs.replace(blobs, y=torch.zeros(114, dtype=torch.int64))
    assert (out_of_fold(one, run(tmp_path), model)[:, 0] == 1).all()
    few = msgspec.structs.replace(blobs, x=blobs.x[:4], y=torch.tensor([0, 1, 0, 1]))
    assert torch.isfinite(out_of_fold(few, run(tmp_path), model)).all()
