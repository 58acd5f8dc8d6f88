"""Each detector finds more than guessing does, on digits of which two fifths are wrong; the better
ones find more than mere disagreement.
"""

import pytest
import torch
from bench.builtin.datasets.digits import Digits
from bench.builtin.methods.label_errors.aum import AreaUnderMargin
from bench.builtin.methods.label_errors.cleanlab_cl import CleanlabConfidentLearning
from bench.builtin.methods.label_errors.knn_vote import NeighbourVote
from bench.builtin.methods.label_errors.loss import Loss
from bench.builtin.methods.label_errors.mapd import MetadataArchaeology
from bench.builtin.methods.label_errors.oof_disagree import OutOfFoldDisagreement
from bench.builtin.methods.label_errors.random import Guess
from bench.builtin.methods.noisy_labels.coteaching import CoTeaching
from bench.builtin.methods.noisy_labels.elr import EarlyLearningRegularisation
from bench.builtin.tasks.label_errors._metrics import flagging, ranking
from bench.builtin.tasks.label_errors.errors_digits import ErrorsDigits

from bench.runs.context import Run, Setup
from bench.runs.tools import Tools
from bench.tracks.label_errors import judgement

SEEDS = (0, 1, 2)
TASK = ErrorsDigits(noise="sym", rate=0.4, n_train=500, epochs=15)
DETECTORS = [
    AreaUnderMargin(),
    CleanlabConfidentLearning(),
    CoTeaching(),
    EarlyLearningRegularisation(),
    Loss(),
    MetadataArchaeology(),
    NeighbourVote(),
    OutOfFoldDisagreement(),
]


class _Serving(Tools):
    def __init__(self, data):
        self._data = data

    def dataset(self, run, name, params):
        return self._data

    def report(self, run, step, model):
        """Nobody looks."""


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """Return a function from a detector to the scores of every seed; a detector runs once."""
    folder = tmp_path_factory.mktemp("detectors")
    known = {}

    def run(kind, seed, method):
        tools = _Serving(data)
        return kind(
            seed=seed,
            task="label-errors/errors-digits",
            method=f"label-errors/{method}",
            device=torch.device("cpu"),
            workdir=folder,
            tools=tools,
        )

    data = Digits().load(
        Setup(seed=0, task="t", method="m", device=torch.device("cpu"), workdir=folder)
    )
    cases = [TASK.prepare(run(Setup, seed, "x")) for seed in SEEDS]

    def score(method):
        if method.card.name not in known:
            if "cleanlab" in method.card.libraries:
                pytest.importorskip("cleanlab")
            problems, runs = (
                [case.problems[0] for case in cases],
                [run(Run, seed, method.card.name) for seed in SEEDS],
            )
            found = (
                method.solve_stacked(problems, runs)
                if method.card.stacked
                else [method.solve(*pair) for pair in zip(problems, runs, strict=True)]
            )
            known[method.card.name] = []
            for case, solution in zip(cases, found, strict=True):
                judged, bad = (
                    judgement(solution, case.problems[0]),
                    (case.problems[0].y != case.hidden.y_true).numpy(),
                )
                known[method.card.name].append(
                    ranking(judged.suspicion.numpy(), bad) | flagging(judged.flags.numpy(), bad)
                )
        return known[method.card.name]

    return score


@pytest.mark.parametrize("method", DETECTORS, ids=lambda method: method.card.name)
def test_a_detector_finds_more_than_guessing_on_every_seed(figures, method):
    for mine, other in zip(figures(method), figures(Guess()), strict=True):
        assert mine["ap"] > other["ap"] + 30  # chance is 40, a perfect order 100
        assert mine["auroc"] > other["auroc"] + 30
        assert mine["lift_1"] > 1.8  # at most 1 / .4
        assert mine["f1"] > other["f1"] + 10


@pytest.mark.parametrize(
    "method",
    [
        CleanlabConfidentLearning(),
        EarlyLearningRegularisation(),
        NeighbourVote(),
        AreaUnderMargin(),
    ],
    ids=lambda method: method.card.name,
)
def test_the_better_detectors_rank_better_than_disagreement_does(figures, method):
    for mine, other in zip(figures(method), figures(OutOfFoldDisagreement()), strict=True):
        assert mine["ap"] > other["ap"]


def test_guessing_is_at_chance_and_flags_the_right_number(figures):
    for mine in figures(Guess()):
        assert abs(mine["auroc"] - 50) < 10
        assert mine["rate_error"] == pytest.approx(0, abs=0.1)
