"""What a counter is spared by torch leaves other modes as they are."""

from __future__ import annotations

import sys

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from bench.counts import Counter


class Other(TorchDispatchMode):
    """A mode with a rule of its own for one operator."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


def test_a_rule_that_another_mode_has_for_an_operator_holds_while_operations_are_counted():
    with torch.library._scoped_library("bench_tests", "FRAGMENT") as library:
        library.define("twice(Tensor x) -> Tensor")
        library.impl("twice", lambda x: 2 * x, "CompositeExplicitAutograd")
        torch.library.register_torch_dispatch(
            "bench_tests::twice", Other, lambda mode, func, types, args, kwargs: args[0] + 40
        )
        with Counter() as counter, Other():
            found = torch.ops.bench_tests.twice(torch.ones(2, 2)) @ torch.ones(2, 3)
    assert found.tolist() == [[82.0] * 3] * 2
    assert counter.tally.total == 2 * 2 * 2 * 3


def test_an_operator_that_counts_nothing_takes_at_most_two_calls_of_python_functions():
    x, heard = torch.ones(3), []
    with Counter():
        x + x
        before = sys.getprofile()
        sys.setprofile(lambda frame, event, argument: heard.append(event))
        x + x
        sys.setprofile(before)
    assert heard.count("call") <= 2
