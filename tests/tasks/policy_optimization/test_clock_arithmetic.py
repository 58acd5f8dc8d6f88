"""The task: its warm start, its figures, its pictures."""

import functools
import itertools

import msgspec
import numpy as np
import pytest
import torch
from bench.builtin.tasks.policy_optimization import clock_arithmetic
from bench.builtin.tasks.policy_optimization._arithmetic import letters
from bench.builtin.tasks.policy_optimization._metrics import area, of_curve, reached
from bench.builtin.tasks.policy_optimization._pictures import solutions
from bench.builtin.tasks.policy_optimization._supervised import imitated
from bench.builtin.tasks.policy_optimization._warm import _share

from bench.counts import Counter
from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.tracks.policy_optimization import PolicyMethod, Shown
from bench.tracks.policy_optimization.trainer import Trainer

SMALL = "clock-arithmetic[skill_steps=3,habit_steps=2,gflop=0.7,prompts=2,group=4,n_held_out=8,n_prompts=64,points=3]"
BUDGET = 7e8


@pytest.fixture
def small_runs(run_plan, monkeypatch, tmp_path):
    """Two methods, a control and the upper reference on two seeds, with the seeds for which a warm
    start was built.
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
        assert len(set(record.images) - {"steps", "tokens", "operations"}) == 2 * trained
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
            assert metrics["rollouts"] >= 2 * 2 * 4
            assert metrics["wall_s"] == pytest.approx(
                metrics["gen_s"] + metrics["select_s"] + metrics["update_s"]
            )


def plain_area(curve, end):
    """The mean height of straight lines between the points of a curve up to ``end``, each piece of
    a thousandth of it by hand.
    """
    total = 0.0
    for piece in range(1000):
        at = (piece + 0.5) / 1000 * end
        before = [entry for entry in curve if entry["flops"] <= at]
        after = [entry for entry in curve if entry["flops"] > at]
        if after:
            low, high = before[-1], after[0]
            share = (at - low["flops"]) / (high["flops"] - low["flops"])
            total += low["mean2"] + share * (high["mean2"] - low["mean2"])
        else:
            total += before[-1]["mean2"]
    return total / 1000


def test_the_ranked_figure_and_what_was_spent_follow_from_the_curve_of_the_record(run_plan):
    names = ("policy-optimization/d3s", "supervised", "skilled")
    plan = {"methods": names, "tasks": (SMALL,), "preset": "smoke", "seeds": "1"}
    found = run_plan(paths=[], flops=True, **plan).records
    assert [record.status for record in found] == ["ok"] * 3
    for record in found:
        spent = [entry["flops"] for entry in record.curve]
        assert spent == sorted(set(spent))
        assert spent[0] == 0
        plain = plain_area(record.curve, BUDGET)
        assert record.metrics["auc_flops"] == pytest.approx(plain, abs=0.1)
        assert record.not_rankable is None
        # what the trainer charged is what the harness counted
        assert record.metrics["gflop"] * 1e9 == pytest.approx(record.flops.total, rel=1e-12)
        assert 0.5 * BUDGET < record.flops.total < 1.2 * BUDGET or record.method == "skilled"


@pytest.mark.parametrize(
    ("points", "mean"),
    [
        ([(0, 20.0), (10, 60.0)], 40),
        ([(0, 20.0), (5, 60.0)], 50),
        ([(0, 20.0), (20, 60.0)], 30),  # what lies beyond the end does not count
        ([(0, 0.0), (2, 50.0), (6, 50.0), (30, 50.0)], 45),
        ([(0, 35.0)], 35),
        ([], None),
    ],
)
def test_the_area_is_under_straight_lines_and_the_last_value_holds_to_the_end(points, mean):
    assert area(points, 10) == (None if mean is None else pytest.approx(mean))


def first_there(curve, key, level):
    """The first of many positions along the straight lines of a curve at which ``level`` is there;
    None: nowhere.
    """
    for low, high in itertools.pairwise(curve):
        for piece in range(2001):
            share = piece / 2000
            if low["mean2"] + share * (high["mean2"] - low["mean2"]) >= level:
                return low[key] + share * (high[key] - low[key])
    return None


def test_what_it_takes_to_reach_a_share_of_right_answers_follows_from_the_curve():
    generator, budget, never = np.random.default_rng(3), 20e9, 0
    for _ in range(30):
        shares = np.clip(35 + np.cumsum([0, *generator.normal(5, 8, 9)]), 0, 100)
        steps = np.cumsum([0, *generator.uniform(1, 3, 9)])
        curve = [
            {"mean2": share, "flops": at * 1e9, "tokens_in_loss": at * 700, "wall_s": at / 4}
            for share, at in zip(shares.tolist(), steps.tolist(), strict=True)
        ]
        found = of_curve(curve, budget)
        assert found["auc_flops"] == pytest.approx(plain_area(curve, budget), abs=0.1)
        for level in (75, 90):
            at = first_there(curve, "flops", level)
            never += at is None
            for name, scale in (("gflop", 1e-9), ("tokens", 7e-7), ("seconds", 2.5e-10)):
                wanted = None if at is None else pytest.approx(at * scale, abs=2e9 * scale / 900)
                assert found[f"{name}_to_{level}"] == wanted
    assert 10 < never < 50


LATE = """from typing import ClassVar

from bench import MethodCard
from bench.counts import Counter
from bench.tracks.policy_optimization import Counters, Policy, PolicyMethod, Solution


class Late(PolicyMethod):
    card: ClassVar = MethodCard(name="late", title="Late", track="policy-optimization")

    def solve(self, problem, run):
        model = problem.policy(run.device)
        with Counter() as counter:
            model(problem.prompts, problem.prompt_mask)
        used = Counters(flops=counter.tally.total)
        run.report(1, Policy(model=model, used=used))
        return Solution(model=model, used=used)
"""


def test_a_method_that_reports_nothing_until_it_has_spent_is_invalid(run_plan, tmp_path):
    file = tmp_path / "late.py"
    file.write_text(LATE)
    plan = {"methods": ("late",), "tasks": (SMALL,), "preset": "smoke", "seeds": "1"}
    (record,) = run_plan(paths=[str(file)], flops=True, **plan).records
    assert (record.status, record.metrics) == ("invalid", {})
    assert "a curve begins with none; report the policy of the warm start" in record.error.message


def test_a_curve_that_begins_after_operations_were_spent_has_no_area():
    """One report at the end would else hold for the whole budget."""
    late = {"flops": 9.0, "mean2": 90.0, "tokens_in_loss": 4, "wall_s": 1.0}
    with pytest.raises(InvalidRun, match="first report comes after 9 operations"):
        of_curve([late], 10)
    start = {"flops": 0, "mean2": 30.0, "tokens_in_loss": 0, "wall_s": 0.0}
    assert of_curve([start, late], 10)["auc_flops"] == pytest.approx((30 + 90) / 2 * 0.9 + 9)
    assert of_curve([], 10)["auc_flops"] is None


def test_worked_solutions_teach_within_the_budget_and_are_charged_as_counted(
    toy, run_of, monkeypatch
):
    said = []
    monkeypatch.setattr(
        Run, "report", lambda run, step, policy: said.append((step, policy.used.flops))
    )
    problem = toy(symbols=6, prompts=6, group=16, flop_budget=2 * 10**8, points=4)
    targets = torch.stack([problem.answers, torch.full_like(problem.answers, problem.end)], 1)
    with Counter() as counter:
        solution = imitated(problem, targets, torch.ones_like(targets, dtype=torch.bool), run_of())
    assert solution.used.flops == counter.tally.total <= 2 * 10**8
    # no point twice; the first and the last policy are among them
    assert said == sorted(set(said))
    assert (said[0], said[-1][1]) == ((0, 0), solution.used.flops)
    after = msgspec.structs.replace(problem, warm=solution.model.state_dict())
    batch, _ = Trainer(after, PolicyMethod(), run_of(9))._rollouts(0)
    assert float(batch.rewards.mean()) > 0.7


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
