"""On digits: retraining is clean, the original is not, and methods move
towards the one from the other.
"""

from typing import ClassVar

import pytest
from bench.builtin.methods.unlearning.audit_lira import AuditLira
from bench.builtin.methods.unlearning.audit_loss import AuditLoss
from bench.builtin.methods.unlearning.blindspot import Blindspot
from bench.builtin.methods.unlearning.ft import FineTune
from bench.builtin.methods.unlearning.gaussian_amnesiac import GaussianAmnesiac
from bench.builtin.methods.unlearning.l1_sparse import L1Sparse
from bench.builtin.methods.unlearning.neggrad_plus import NegGradPlus
from bench.builtin.methods.unlearning.original import Original
from bench.builtin.methods.unlearning.random_label import RandomLabel
from bench.builtin.methods.unlearning.retrain import Retrain
from bench.builtin.methods.unlearning.salun import SalUn
from bench.builtin.methods.unlearning.ssd import SelectiveSynapticDampening
from bench.builtin.methods.unlearning.stochastic_teacher import StochasticTeacher
from bench.builtin.tasks.unlearning.privacy_audit import PrivacyAudit
from bench.builtin.tasks.unlearning.unlearn_corrective import UnlearnCorrective
from bench.builtin.tasks.unlearning.unlearn_random import UnlearnRandom
from bench.builtin.tasks.unlearning.unlearn_regression import UnlearnRegression
from unlearning_small import SMALL

from bench import MethodCard
from bench.tracks.unlearning import Nets, UnlearningMethod

RANDOM = UnlearnRandom(originals=8, **SMALL)
MEMORISED = UnlearnRandom(originals=4, **SMALL | {"noise": 0.2})
"""With a fifth of the labels wrong there is more to forget."""


def test_retraining_is_clean_by_every_measure(trial):
    score = trial(Retrain(), RANDOM, (0,))[0]
    assert score.metrics["uauc"] == pytest.approx(0.5, abs=0.05)
    assert score.metrics["cauc"] == pytest.approx(0.5, abs=0.06)
    assert score.metrics["js"] <= 1.5 * score.metrics["js_floor"]
    assert score.metrics["avg_gap"] < 2
    assert score.metrics["rte"] == 1
    assert score.metrics["exact"] == 1
    assert score.gates == {"retained-accuracy": True, "test-accuracy": True, "unlearned": True}
    assert score.not_rankable is None


def test_the_original_is_told_apart_costs_nothing_and_is_flagged_as_not_unlearned(trial):
    score = trial(Original(), RANDOM, (0,))[0]
    assert score.metrics["uauc"] == score.metrics["uauc_original"] > 0.65
    assert score.metrics["privacy_gap"] == score.metrics["gap_original"] > 0.1
    assert score.metrics["cauc"] > 0.65
    assert score.metrics["rte"] == 0
    assert score.metrics["mia_gap"] < -5
    assert score.gates["unlearned"] is False


def test_a_random_net_is_below_the_gate(trial):
    class Blank(UnlearningMethod):
        card: ClassVar = MethodCard(name="blank", title="Blank", track="unlearning-privacy")

        def unlearn(self, group) -> Nets:
            return group.fresh()

    score = trial(Blank(), RANDOM, (1,))[0]
    assert not score.gates["retained-accuracy"]
    assert not score.gates["test-accuracy"]


def test_a_cell_says_nothing_when_the_original_can_hardly_be_told_from_retrained_models(trial):
    """Rows that a net without capacity to memorise was trained on leave no trace."""
    task = UnlearnRandom(originals=8, **SMALL | {"epochs": 1, "widths": (8,)})
    score = trial(Original(), task, (0,))[0]
    assert score.metrics["gap_original"] < 0.02
    assert score.not_rankable.startswith(
        "not informative: original and retrained models can hardly be told apart"
    )


# Methods against the null ---------------------------------------------------------------


@pytest.mark.parametrize(
    "method",
    [FineTune(), L1Sparse(), NegGradPlus(), StochasticTeacher()],
    ids=lambda method: method.card.name,
)
def test_fine_tuning_of_one_kind_or_another_brings_forgotten_rows_nearer_to_retrained_models(
    trial, method
):
    """Of so few rows it makes models surer of all others too, which the gap counts against it."""
    ours, null = (
        trial(method, MEMORISED, (0,))[0].metrics,
        trial(Original(), MEMORISED, (0,))[0].metrics,
    )
    assert abs(ours["uauc"] - 0.5) < null["uauc"] - 0.5 - 0.05
    assert ours["js"] < null["js"]


@pytest.mark.parametrize("method", [RandomLabel(), SalUn()], ids=lambda method: method.card.name)
def test_random_labels_fool_the_legacy_attack_and_not_the_one_per_example(trial, method):
    ours, null = trial(method, RANDOM, (0,))[0].metrics, trial(Original(), RANDOM, (0,))[0].metrics
    assert ours["mia_gap"] > null["mia_gap"] + 5  # it takes the rows for non-members
    assert ours["uauc"] > null["uauc"] + 0.05


def test_dampening_and_retraining_undo_a_poison_that_is_known_whole(trial):
    task = UnlearnCorrective(
        data="digits",
        n_train=900,
        n_val=200,
        widths=(128, 128),
        epochs=15,
        batch_size=32,
        oracles=2,
    )
    null = trial(Original(), task, (0,))[0].metrics
    assert null["acc_corr"] < 30
    for method in (SelectiveSynapticDampening(), Retrain()):
        assert trial(method, task, (0,))[0].metrics["acc_corr"] > null["acc_corr"] + 30


def test_regression_methods_bring_the_forgotten_rows_nearer_to_retrained_models(trial):
    task = UnlearnRegression(
        data="digits", n_train=400, n_val=100, n_pool=300, epochs=40, originals=4
    )
    null = trial(Original(), task, (0,))[0].metrics
    for method in (GaussianAmnesiac(), Blindspot()):
        assert trial(method, task, (0,))[0].metrics["privacy_gap"] < null["privacy_gap"]


def test_the_likelihood_ratio_finds_more_members_than_one_threshold_for_all_rows(trial):
    task = PrivacyAudit(
        data="digits", n_rows=500, shadows=16, widths=(64,), epochs=20, batch_size=32
    )
    ratio, null = (
        trial(AuditLira(), task, (0,))[0].metrics,
        trial(AuditLoss(), task, (0,))[0].metrics,
    )
    assert ratio["auc"] > null["auc"] + 0.03
    assert ratio["tpr1"] > null["tpr1"]
