"""What torch does around a mode at each operator, and how a counter is spared it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch._C._dynamo import eval_frame
from torch._library import simple_registry


def without_rules(kind: type) -> None:
    """Have torch look for no rules that are meant for operators under modes of this kind.

    There are none, and the look is Python code, of which a profiler hears ten events an operator.
    Torch keeps the function that it finds when a mode is first entered, so this comes before.
    """
    find = simple_registry.find_torch_dispatch_rule

    def rule(op: Any, torch_dispatch_class: type) -> Callable[..., Any] | None:
        return None if torch_dispatch_class is kind else find(op, torch_dispatch_class)

    simple_registry.find_torch_dispatch_rule = rule


def uncompiled(function: Callable[..., Any]) -> None:
    """Keep torch's compiler away from a function and all that it calls."""
    skip = eval_frame._FrameAction.SKIP
    eval_frame.set_code_exec_strategy(function.__code__, eval_frame._FrameExecStrategy(skip, skip))
