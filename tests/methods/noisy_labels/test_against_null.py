"""Each method beats plain cross entropy on a task with the fault that it was made for."""

import pytest
from bench.builtin.methods.noisy_labels.ce import CrossEntropy
from bench.builtin.methods.noisy_labels.cl_prune import ConfidentLearningPruning
from bench.builtin.methods.noisy_labels.coteaching import CoTeaching
from bench.builtin.methods.noisy_labels.elr import EarlyLearningRegularisation
from bench.builtin.methods.noisy_labels.elr_plus import EarlyLearningRegularisationPlus
from bench.builtin.methods.noisy_labels.gce import GeneralisedCrossEntropy
from bench.builtin.methods.noisy_labels.late_stopping import LateStopping
from bench.builtin.methods.noisy_labels.ls import LabelSmoothing
from bench.builtin.methods.noisy_labels.mixup import Mixup
from bench.builtin.methods.noisy_labels.nested_coteaching import NestedCoTeaching
from bench.builtin.methods.noisy_labels.rcal_lite import RepresentationCalibrationLite
from bench.builtin.methods.noisy_labels.rdcr import RotationConsistency
from bench.builtin.methods.noisy_labels.self_distill import SelfDistillation
from bench.builtin.methods.noisy_labels.sop import SparseOverParameterisation
from bench.builtin.tasks.noisy_labels.noisy_digits import NoisyDigits
from bench.builtin.tasks.noisy_labels.noisy_longtail import NoisyLongTail

SEEDS = (0, 1)
SYM, ASYM = (
    NoisyDigits(noise="sym", rate=0.4, epochs=40),
    NoisyDigits(noise="asym", rate=0.4, epochs=24),
)

# Half of what the specification's prototype gains on ce over five seeds at 60 epochs (its section
# 7, in points of accuracy).
CASES = [
    (LabelSmoothing(), SYM, 3.0 / 2),
    (Mixup(), SYM, 10.2 / 2),
    (GeneralisedCrossEntropy(), SYM, 13.3 / 2),
    (CoTeaching(), SYM, 12.7 / 2),
    (EarlyLearningRegularisation(), SYM, 16.1 / 2),
    (CoTeaching(), ASYM, 13.7 / 2),
    (EarlyLearningRegularisation(), ASYM, 15.8 / 2),
]


@pytest.mark.parametrize(
    ("method", "task", "margin"),
    CASES,
    ids=[f"{method.card.name}-{task.noise}" for method, task, _ in CASES],
)
def test_a_method_beats_cross_entropy_on_every_seed_and_by_a_margin_on_average(
    trial, method, task, margin
):
    gains = [
        mine["acc_last"] - other["acc_last"]
        for mine, other in zip(
            trial(method, task, SEEDS), trial(CrossEntropy(), task, SEEDS), strict=True
        )
    ]
    assert min(gains) > 0
    assert sum(gains) / len(gains) >= margin


@pytest.mark.parametrize(
    "method",
    [GeneralisedCrossEntropy(), CoTeaching(), EarlyLearningRegularisation(), Mixup()],
    ids=lambda method: method.card.name,
)
def test_a_method_memorises_fewer_wrong_labels_than_cross_entropy(trial, method):
    for mine, other in zip(
        trial(method, SYM, SEEDS), trial(CrossEntropy(), SYM, SEEDS), strict=True
    ):
        assert mine["memorised"] < other["memorised"] / 2
        assert mine["recovered"] > other["recovered"]


# Each on the fault that it was made for, with its defaults. Small and short: enough epochs for
# cross entropy to memorise.
SHORT, SMALL = {"n_train": 500, "epochs": 20}, {"n_train": 700, "epochs": 30}
MADE_FOR = [
    (EarlyLearningRegularisationPlus(), NoisyDigits(noise="sym", rate=0.4, **SHORT)),
    (SparseOverParameterisation(), NoisyDigits(noise="sym", rate=0.4, **SHORT)),
    (LateStopping(), NoisyDigits(noise="sym", rate=0.4, **SMALL)),
    (NestedCoTeaching(), NoisyDigits(noise="sym", rate=0.4, epochs=60)),
    (RotationConsistency(), NoisyDigits(noise="sym", rate=0.4, **SMALL)),
    # the paper's setting: linear probes, half of the labels wrong
    (SelfDistillation(), NoisyDigits(noise="sym", rate=0.5, widths=(), **SMALL)),
    (ConfidentLearningPruning(), NoisyDigits(noise="asym", rate=0.4, **SHORT)),
    (RepresentationCalibrationLite(), NoisyLongTail(noise="lt_imb", rate=0.2, epochs=40)),
]


# sixty epochs of two nets, as long as three of the others
LONG = {"nested-coteaching": pytest.mark.slow}


@pytest.mark.parametrize(
    ("method", "task"),
    [
        pytest.param(*case, id=case[0].card.name, marks=LONG.get(case[0].card.name, ()))
        for case in MADE_FOR
    ],
)
def test_with_its_defaults_a_method_beats_cross_entropy_on_four_of_five_seeds_where_labels_are_wrong_in_its_way(
    trial, method, task
):
    gains = [
        mine["acc_last"] - other["acc_last"]
        for mine, other in zip(
            trial(method, task, range(5)), trial(CrossEntropy(), task, range(5)), strict=True
        )
    ]
    assert sum(gain > 0 for gain in gains) >= 4, gains
    assert sum(gains) / 5 > 2, gains
