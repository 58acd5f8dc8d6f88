"""The task: its warm start, its figures, its pictures."""

import functools

import pytest
import torch
from bench.builtin.tasks.policy_optimization import clock_arithmetic
from bench.builtin.tasks.policy_optimization._arithmetic import letters
from bench.builtin.tasks.policy_optimization._metrics import reached
from bench.builtin.tasks.policy_optimization._pictures import solutions
from bench.builtin.tasks.policy_optimization._warm import _share

from bench.tracks.policy_optimization import Shown

SMALL = "clock-arithmetic[skill_steps=3,habit_steps=2,steps=2,prompts=2,group=4,n_held_out=8,n_prompts=64,report_every=1]"


@pytest.fixture
def small_runs(run_plan, monkeypatch, tmp_path):
    """Two methods, a control and an upper reference on two seeds, with the
    seeds for which a warm start was built.
    """
    built, honest = [], clock_arithmetic.warm_start

    @functools.wraps(honest)
    def counting(run, **options):
        built.append(run)
        return honest(run, **options)

    monkeypatch.setattr(clock_arithmetic, "warm_start", counting)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    names = ("policy-optimization/grpo", "policy-optimization/d3s", "warm-start", "skilled")
    return run_plan(paths=[], methods=names, tasks=(SMALL,), preset="smoke", seeds="0,1"), built


def test_every_method_of_a_seed_starts_from_one_warm_start_and_leaves_counters_curves_and_pictures(
    small_runs,
):
    found, built = small_runs
    assert [record.status for record in found.records] == ["ok"] * 8
    assert len(built) == 2  # one a seed
    start = {
        (record.method, record.seed): record.curve[0]["mean2"]
        for record in found.records
        if record.method != "skilled"
    }
    for seed in (0, 1):
        assert start["grpo", seed] == start["d3s", seed] == start["warm-start", seed]
    for record in found.records:
        trained = record.method in ("grpo", "d3s")
        assert set(record.images) == {"steps", "tokens"} | (
            {"step-1", "step-2"} if trained else set()
        )
        if trained:
            tokens, metrics = [entry["tokens_in_loss"] for entry in record.curve], record.metrics
            assert tokens == sorted(tokens)
            assert (
                metrics["tokens_nonzero"]
                <= metrics["tokens_in_loss"]
                == tokens[-1]
                <= metrics["tokens_forwarded"]
                <= metrics["tokens_generated"]
            )
            assert metrics["rollouts"] == 2 * 2 * 4
            assert metrics["wall_s"] == pytest.approx(
                metrics["gen_s"] + metrics["select_s"] + metrics["update_s"]
            )


def test_a_level_is_reached_between_two_points_in_proportion():
    assert reached([(0, 20.0), (100, 60.0), (300, 80.0)], 75) == pytest.approx(250)
    assert reached([(0, 80.0), (100, 60.0)], 75) == 0
    assert reached([(0, 20.0), (100, 60.0)], 75) is None
    assert reached([], 75) is None


def test_the_rate_of_the_warm_start_rises_to_one_and_falls_to_nothing():
    shares = [_share((step + 1) / 200) for step in range(200)]
    assert max(shares) == pytest.approx(1)
    assert shares.index(max(shares)) == 19
    assert shares[-1] == pytest.approx(0, abs=1e-3)


def shown(pull):
    ids = torch.tensor([[13, 5, 2], [18, 6, 2]])
    return Shown(
        3,
        torch.tensor([[1, 4, 4]] * 2),
        torch.ones(2, 3, dtype=torch.bool),
        ids,
        torch.ones(2, 3, dtype=torch.bool),
        pull,
        torch.tensor([1.0, 0.0]),
    )


def test_a_token_that_counts_is_coloured_by_its_sign_and_one_left_out_is_not():
    def coloured(picture):
        spread = picture.astype(int).max(-1) - picture.astype(int).min(-1)
        return (spread > 60).sum()

    blank, some = (
        solutions(shown(torch.zeros(2, 3)), letters),
        solutions(shown(torch.tensor([[1.0, 0, 0], [-1, -1, 0]])), letters),
    )
    assert blank.shape == some.shape
    assert coloured(blank) < 20 < 300 < coloured(some)
    blue, red = some[34:52, 66:70].astype(int), some[56:74, 66:70].astype(int)
    assert (blue[..., 2] - blue[..., 0]).max() > 60
    assert (red[..., 0] - red[..., 2]).max() > 60
