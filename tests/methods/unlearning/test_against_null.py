"""On digits: retraining is clean, the original is not, and methods move towards the one from the other."""

from typing import ClassVar

import numpy as np
import pytest
import torch
from bench.builtin.methods.unlearning.original import Original
from bench.builtin.methods.unlearning.retrain import Retrain
from bench.builtin.tasks.unlearning.unlearn_random import UnlearnRandom

from bench import MethodCard
from bench.tracks.unlearning import Nets, UnlearningMethod

SMALL = {"data": "digits", "n_train": 600, "n_val": 200, "n_pool": 400, "widths": (64, 64), "epochs": 20, "batch_size": 32}
RANDOM = UnlearnRandom(originals=8, **SMALL)


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
    assert score.metrics["cauc"] == score.metrics["cauc_original"] > 0.65
    assert score.metrics["rte"] == 0
    assert score.metrics["mia_gap"] < -5
    assert score.gates["unlearned"] is False


def test_a_random_net_is_below_the_gate(trial):
    class Blank(UnlearningMethod):
        card: ClassVar = MethodCard(name="blank", title="Blank", track="unlearning")

        def unlearn(self, group) -> Nets:
            return group.fresh()

    score = trial(Blank(), RANDOM, (1,))[0]
    assert not score.gates["retained-accuracy"]
    assert not score.gates["test-accuracy"]


def test_a_cell_says_nothing_when_the_original_can_hardly_be_told_from_retrained_models(trial):
    """Rows that a net without capacity to memorise was trained on leave no trace."""
    task = UnlearnRandom(originals=3, **SMALL | {"epochs": 1, "widths": (8,)})
    score = trial(Original(), task, (0,))[0]
    assert score.metrics["uauc_original"] < 0.6
    assert score.not_rankable.startswith("not informative: original and retrained models can hardly be told apart")


def test_the_forgotten_share_is_exact_and_another_seed_forgets_other_rows(trial, tmp_path):
    from bench.builtin.datasets.digits import Digits

    from bench.runs.context import Setup, _Tools

    class Serving(_Tools):
        def dataset(self, run, name, params):
            return Digits().load(run)

    task = UnlearnRandom(originals=1, **SMALL | {"epochs": 1})
    masks = [
        task.prepare(Setup(seed=seed, task="unlearning/unlearn-random", method="m", device=torch.device("cpu"), workdir=tmp_path, tools=Serving()))
        .problems[0]
        .forget.numpy()
        for seed in (0, 1)
    ]
    assert [mask.sum() for mask in masks] == [60, 60]
    assert np.mean(masks[0] & masks[1]) < 0.03
