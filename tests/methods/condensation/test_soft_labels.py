"""Soft labels: those of nets trained on all images, for images that others make."""

import pytest
import torch
from answering import answered
from bench.builtin.methods.condensation._part import digest
from bench.builtin.methods.condensation._teacher import soft_labels
from bench.builtin.methods.condensation.dm import DistributionMatching
from bench.builtin.methods.condensation.dm_soft import DistributionMatchingSoft
from bench.builtin.methods.condensation.k_means_soft import KMeansSoft
from bench.builtin.methods.condensation.random_soft import RandomSoft
from bench.builtin.methods.selection.k_means import KMeans
from bench.builtin.methods.selection.random import Random
from trajectories import blobs

from bench.runs.context import Run
from bench.tracks.condensation import stored
from bench.tracks.selection import trained

PAIRS = (
    (RandomSoft, Random),
    (DistributionMatchingSoft, DistributionMatching),
    (KMeansSoft, KMeans),
)


@pytest.fixture
def run_of(tmp_path):
    def make(seed=0):
        return Run(
            seed=seed,
            task="condensation/toy",
            method="condensation/soft",
            device=torch.device("cpu"),
            workdir=tmp_path,
        )

    return make


@pytest.mark.parametrize(("soft", "hard"), PAIRS)
def test_the_images_are_those_of_the_method_with_hard_labels(soft, hard, run_of):
    problem = blobs(ipc=2)
    mine = soft(teacher_epochs=2).solve(problem, run_of())
    other = hard().solve(problem, run_of())
    answered(mine, problem, "condensation")
    assert torch.equal(mine.x, other.x)
    assert torch.equal(mine.y, other.y)
    # ten classes would cost 40 bytes an image; these are three
    assert stored(mine)["stored_kb"] == pytest.approx(stored(other)["stored_kb"] + 6 * 3 * 4 / 1000)


def test_labels_are_the_mean_probabilities_of_heated_nets_trained_on_all_images(run_of):
    problem, images = blobs(), blobs().x[:5]
    options = {"nets": 2, "epochs": 2}
    found = soft_labels(problem, run_of(), images, temperature=3.0, **options)
    net, params = trained(problem, run_of(), "teachers", **options)
    expected = torch.zeros(5, 3)
    for k in range(2):
        logits = net.logits([tensor[k : k + 1] for tensor in params], images[None])[0]
        powers = torch.exp(logits / 3.0)
        expected += powers / powers.sum(1, keepdim=True) / 2
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_cold_labels_of_teachers_that_are_right_are_the_hard_ones(run_of):
    problem = blobs(rows=60)
    small = RandomSoft(heat=0.01, teacher_epochs=20).solve(problem, run_of())
    hard = torch.nn.functional.one_hot(small.y, 3).float()
    torch.testing.assert_close(small.soft_y, hard, rtol=0, atol=1e-3)


def test_what_is_kept_for_one_problem_of_a_run_is_not_taken_for_another():
    problem = blobs()
    assert digest(problem) == digest(blobs())
    others = (blobs(noise=0.7), blobs(rows=25), blobs(classes=2, rows=36))
    assert len({digest(problem), *map(digest, others)}) == 4
