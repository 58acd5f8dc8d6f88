"""Plans of an update: each row, advantage and weight means what it says, or the run is invalid, at
every step and before anything is learnt.
"""

from __future__ import annotations

from types import SimpleNamespace

import msgspec
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import InvalidRun
from bench.tracks.policy_optimization import PolicyMethod, RolloutBatch, UpdatePlan
from bench.tracks.policy_optimization.plan import checked

ROWS, COLUMNS = 32, 3


def batch(rewards=None):
    return RolloutBatch(
        prompt_ids=torch.ones(ROWS, 2, dtype=torch.int64),
        prompt_mask=torch.ones(ROWS, 2, dtype=torch.bool),
        completion_ids=torch.ones(ROWS, COLUMNS, dtype=torch.int64),
        completion_mask=torch.ones(ROWS, COLUMNS, dtype=torch.bool),
        rewards=torch.zeros(ROWS) if rewards is None else rewards,
        group=torch.arange(ROWS) // 8,
        entropy=lambda rows: torch.zeros(len(rows), COLUMNS),
        wanted=4,
    )


def plan(**fields):
    return UpdatePlan(**{"rows": torch.arange(ROWS), "advantages": torch.ones(ROWS), **fields})


@given(
    st.sets(st.integers(0, ROWS - 1)),
    st.booleans(),
    st.booleans(),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_a_plan_of_some_rows_in_order_passes_with_its_numbers_in_float32(
    rows, by_token, weighed, dtype
):
    shape = (len(rows), COLUMNS) if by_token else (len(rows),)
    weight = torch.rand(len(rows), COLUMNS) if weighed else None
    good = plan(
        rows=torch.tensor(sorted(rows), dtype=torch.int64),
        advantages=torch.randn(shape, dtype=dtype),
        token_weight=weight,
    )
    found = checked(good, batch())
    assert torch.equal(found.rows, good.rows)
    assert torch.equal(found.advantages, good.advantages.float())
    assert (
        found.token_weight is good.token_weight
        if weight is None
        else torch.equal(found.token_weight, weight)
    )


WRONG = {
    "one advantage for all": (
        {"advantages": torch.ones(1)},
        r"1 advantage for 32 rows, torch.float32; floating numbers \(32,\) or \(32, 3\)",
    ),
    "too few advantages": ({"advantages": torch.ones(31)}, "31 advantages for 32 rows"),
    "a number": ({"advantages": torch.tensor(1.0)}, r"advantages of shape \(\)"),
    "a column of advantages": (
        {"advantages": torch.ones(ROWS, 1)},
        r"advantages of shape \(32, 1\)",
    ),
    "a row of advantages": (
        {"advantages": torch.ones(1, COLUMNS)},
        r"advantages of shape \(1, 3\)",
    ),
    "whole advantages": (
        {"advantages": torch.ones(ROWS, dtype=torch.int64)},
        "32 advantages for 32 rows, torch.int64",
    ),
    "yes or no": ({"advantages": torch.ones(ROWS, dtype=torch.bool)}, "torch.bool"),
    "advantages that are none": (
        {"advantages": torch.full((ROWS,), float("nan"))},
        "advantages that are not finite",
    ),
    "an infinite advantage": (
        {"advantages": torch.ones(ROWS).index_fill(0, torch.tensor([5]), float("inf"))},
        "advantages that are not finite",
    ),
    "a list of advantages": ({"advantages": [1.0] * ROWS}, "has as advantages a list"),
    "no advantages": ({"advantages": None}, "lacks rows or advantages"),
    "no rows": ({"rows": None}, "lacks rows or advantages"),
    "a mask of rows": (
        {"rows": torch.ones(ROWS, dtype=torch.bool)},
        r"has as rows torch.bool of shape \(32,\)",
    ),
    "rows that are floats": ({"rows": torch.arange(ROWS).float()}, "has as rows torch.float32"),
    "rows by groups": ({"rows": torch.arange(ROWS).view(4, 8)}, r"of shape \(4, 8\)"),
    "a row beyond the last": (
        {"rows": torch.arange(ROWS) + 1},
        "rows that are not there; there are 32",
    ),
    "a row before the first": ({"rows": torch.arange(ROWS) - 1}, "rows that are not there"),
    "rows twice": ({"rows": torch.zeros(ROWS, dtype=torch.int64)}, "out of order, or one twice"),
    "rows out of order": ({"rows": torch.arange(ROWS).flip(0)}, "out of order"),
    "a mask of tokens": (
        {"token_weight": torch.ones(ROWS, COLUMNS, dtype=torch.bool)},
        r"has as token_weight torch.bool of shape \(32, 3\); floating",
    ),
    "a weight a row": (
        {"token_weight": torch.ones(ROWS, 1)},
        r"token_weight torch.float32 of shape \(32, 1\)",
    ),
    "a weight above 1": (
        {"token_weight": torch.full((ROWS, COLUMNS), 1.5)},
        "weights outside 0 to 1",
    ),
    "a weight below 0": (
        {"token_weight": torch.full((ROWS, COLUMNS), -0.5)},
        "weights outside 0 to 1",
    ),
    "a weight that is none": (
        {"token_weight": torch.full((ROWS, COLUMNS), float("nan"))},
        "weights outside 0 to 1",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_plan_is_invalid_and_says_what_is_wrong(wrong):
    fields, said = WRONG[wrong]
    with pytest.raises(InvalidRun, match=f"the method's plan .*{said}"):
        checked(plan(**fields), batch())


@pytest.mark.parametrize(
    "found",
    [
        None,
        {},
        (torch.arange(ROWS), torch.ones(ROWS)),
        SimpleNamespace(rows=torch.arange(ROWS), advantages=torch.ones(ROWS)),
    ],
)
def test_what_is_no_plan_is_said_to_be_none(found):
    with pytest.raises(
        InvalidRun, match=r"the method's plan is a .*; plan\(\) returns an UpdatePlan"
    ):
        checked(found, batch())


def test_rewards_that_are_none_are_the_task_s_fault():
    with pytest.raises(
        InvalidRun, match="the rewards of the task are not all finite; the task is to blame"
    ):
        checked(
            plan(advantages=torch.full((ROWS,), float("nan"))),
            batch(torch.full((ROWS,), float("nan"))),
        )


class Planned(PolicyMethod):
    change: str = ""

    def plan(self, batch, progress, generator):
        good = super().plan(batch, progress, generator)
        return msgspec.structs.replace(
            good,
            advantages=good.advantages[:1]
            if self.change == "short"
            else good.advantages * float("nan"),
        )


@pytest.mark.parametrize(
    ("change", "said"),
    [("short", "1 advantage for 32 rows"), ("nan", "advantages that are not finite")],
)
def test_the_trainer_refuses_a_wrong_plan_at_its_first_step(toy, run_of, change, said):
    with pytest.raises(InvalidRun, match=said):
        toy().train(Planned(change=change), run_of())
