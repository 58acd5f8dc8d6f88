"""What only looks like forgetting scores at most half of what retraining does, on every ranked
variant: the games of ``tests/games``, planted as methods.
"""

import importlib.util
import sys
from pathlib import Path

import pytest
from bench.builtin.methods.unlearning.original import Original
from bench.builtin.methods.unlearning.retrain import Retrain
from bench.builtin.tasks.unlearning.unlearn_class import UnlearnClass
from bench.builtin.tasks.unlearning.unlearn_random import UnlearnRandom
from bench.builtin.tasks.unlearning.unlearn_regression import UnlearnRegression
from bench.builtin.tasks.unlearning.unlearn_worst import UnlearnWorst
from unlearning_small import SMALL

FOLDER = Path(__file__).parents[2] / "games"


def planted():
    """The plugin's module."""
    spec = importlib.util.spec_from_file_location(
        "games", FOLDER / "methods" / "unlearning" / "games.py"
    )
    module = sys.modules["games"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


games = planted()
LONGER = SMALL | {"epochs": 30}
QUICK = {"share": 1 / 6, "rounds": 4, "lower_epochs": 2}
VARIANTS = {
    "unlearn-class three": UnlearnClass(**LONGER),
    "unlearn-random ten": UnlearnRandom(share=1 / 6, **LONGER),
    "unlearn-worst easy": UnlearnWorst(kind="easy", **LONGER, **QUICK),
    "unlearn-regression random": UnlearnRegression(),
    "unlearn-regression low": UnlearnRegression(kind="low"),
    "unlearn-regression ink-random": UnlearnRegression(
        data="digits", n_train=600, n_val=200, n_pool=400, share=1 / 6
    ),
}
PLAYED = (
    games.Temperature(),
    games.Temperature(factor=0.85),
    games.Neighbour(),
    games.Neighbour(share=0.5),
    games.Hide(),
    games.Hide(share=0.5),
    games.Short(),
    games.Short(share=0.5),
)
SHIFTED = (games.Shift(), games.Shift(by=20.0))


def gap(trial, method, task):
    """The first seed's privacy gap, whichever gate fails."""
    score = trial(method, task, (0,))[0]
    assert score.not_rankable is None
    return score.metrics["privacy_gap"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_only_looks_like_forgetting_scores_at_most_half_and_retraining_nearly_all(
    trial, variant
):
    task = VARIANTS[variant]
    played = PLAYED if isinstance(task, UnlearnRegression) else (*PLAYED, *SHIFTED)
    original = gap(trial, Original(), task)
    assert original > 0.02
    assert gap(trial, Retrain(), task) < 0.25 * original
    scores = {
        (method.card.name, *method.values().values()): 1 - gap(trial, method, task) / original
        for method in played
    }
    assert max(scores.values()) <= 0.5, scores


def test_the_variants_above_are_those_that_the_suite_ranks_and_each_has_eight_originals():
    import tomllib

    newest = max((FOLDER.parents[1] / "leaderboard").glob("suite-2*.toml"))
    tracks = tomllib.loads(newest.read_text())["tracks"]
    ranked = {
        f"{task['task']} {variant}"
        for track in ("unlearning-privacy", "unlearning-regression")
        for task in tracks[track]["tasks"]
        for variant in task["variants"]
    }
    assert ranked == set(VARIANTS)
    for task in VARIANTS.values():
        preset = task.card.presets["default"]
        assert task.originals == 8
        assert all("originals" not in given for given in (preset.params, *preset.variants.values()))
