"""What only looks like forgetting scores at most half of what retraining does, on every ranked
variant: the games of ``tests/games``, planted as methods.
"""

from pathlib import Path

import pytest
from bench.builtin.tasks.unlearning.unlearn_class import UnlearnClass
from bench.builtin.tasks.unlearning.unlearn_random import UnlearnRandom
from bench.builtin.tasks.unlearning.unlearn_regression import UnlearnRegression
from bench.builtin.tasks.unlearning.unlearn_worst import UnlearnWorst

GAMES = str(Path(__file__).parents[2] / "games")
SMALL = "data=digits,n_train=600,n_val=200,n_pool=400,widths=(64,64),epochs=30,batch_size=32"
VARIANTS = {
    "random": f"unlearn-random[{SMALL},share=0.167]",
    "class": f"unlearn-class[{SMALL}]",
    "worst": f"unlearn-worst[{SMALL},share=0.167,rounds=4,lower_epochs=2]",
    "easy": f"unlearn-worst[{SMALL},share=0.167,rounds=4,lower_epochs=2,kind=easy]",
    "regression random": "unlearn-regression",
    "regression low": "unlearn-regression[kind=low]",
    "regression ink": "unlearn-regression[data=digits,n_train=600,n_val=200,n_pool=400"
    ",share=0.167]",
}
PLAYED = (
    "game-temperature",
    "game-temperature[factor=0.85]",
    "game-lookup",
    "game-lookup[share=0.5]",
    "game-hide",
    "game-hide[share=0.5]",
    "game-short",
    "game-short[share=0.5]",
)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_only_looks_like_forgetting_scores_at_most_half_and_retraining_nearly_all(
    run_plan, variant
):
    regression = variant.startswith("regression")
    track = "unlearning-regression" if regression else "unlearning-privacy"
    games = PLAYED if regression else (*PLAYED, "game-shift", "game-shift[by=20.0]")
    ran = run_plan(
        methods=tuple(f"{track}/{name}" for name in ("original", "retrain", *games)),
        tasks=(VARIANTS[variant],),
        seeds="0-0",
        paths=[GAMES],
    ).records
    assert {record.status for record in ran} == {"ok"}
    assert all(record.not_rankable is None for record in ran)
    gaps = {
        (record.method, *record.params.values()): record.metrics["privacy_gap"] for record in ran
    }
    assert len(gaps) == len(games) + 2
    original, retrained = gaps.pop(("original",)), gaps.pop(("retrain",))
    scores = {name: (original - gap) / original for name, gap in gaps.items()}
    assert (original - retrained) / original > 0.75
    assert max(scores.values()) <= 0.5, scores


@pytest.mark.parametrize("task", [UnlearnRandom, UnlearnClass, UnlearnWorst, UnlearnRegression])
def test_every_ranked_variant_is_judged_by_eight_originals_and_never_by_fewer_than_three(task):
    for preset in ("default",):
        assert "originals" not in task.card.presets[preset].params
        for variant in task.card.presets[preset].variants.values():
            assert "originals" not in variant
    assert task().originals == 8


def test_two_originals_are_refused_in_one_sentence(run_plan):
    from bench.errors import UsageError

    with pytest.raises(UsageError, match=r"originals takes a whole number at least 3"):
        run_plan(
            methods=("unlearning-privacy/original",),
            tasks=("unlearn-random[originals=2]",),
            seeds="0-0",
        )
