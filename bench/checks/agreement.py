"""Whether what a method hands over agrees with itself: a model with its own second answer to the
same rows, with its answer to fewer of them, and with the weights that are said to be its own.

A model that fails here has no figure: another look at it would give another one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from bench.checks.arrays import name_of
from bench.errors import InvalidRun

ROWS = 64
"""Rows that are asked about once more."""
SAME = 1e-4
"""Largest difference between two answers to the same rows, as a share of their spread; on a CPU
there is none.
"""
ALIKE = 0.05
"""Likewise between answers to a row among more and among fewer others: other sizes of a matrix are
rounded otherwise, and a nearest neighbour may change.
"""


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """Return the mean distance of two tables of logits (n, C), as a share of their spread."""
    one, other = one.detach().double(), other.detach().double()
    spread = float((one - one.mean()).abs().mean())
    least = 1e-6 * float(one.abs().max())  # what rounding leaves of logits that are all alike
    return float((one - other).abs().mean()) / max(spread, least, 1e-300)


def shown_again(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return copies of what a model is shown, for a second look: it may write into the first."""
    return tuple(
        part.clone()
        if isinstance(part, torch.Tensor)
        else part.copy()
        if hasattr(part, "copy") and hasattr(part, "wipe")
        else part
        for part in inputs
    )


def wipe(inputs: tuple[Any, ...]) -> None:
    """Overwrite such copies: what keeps them holds nothing."""
    for part in inputs:
        if isinstance(part, torch.Tensor):
            part.zero_()
        elif hasattr(part, "wipe"):
            part.wipe()


def check_function(
    ask: Callable[..., torch.Tensor], logits: torch.Tensor, inputs: tuple[Any, ...], where: str
) -> None:
    """Raise InvalidRun unless a model is a function of its rows.

    Args:
        ask: from what it is shown to its checked logits.
        logits: its first answer (n, C).
        inputs: copies of what it was shown; a model of rows of a tensor is asked about a few too.
        where: ends the sentence about what is wrong.
    """
    if not logits.numel():
        return
    few = shown_again((inputs[0][:ROWS][: (len(logits) + 1) // 2],)) if _of_rows(inputs) else ()
    second = ask(*inputs)
    if second.shape != logits.shape or difference(logits, second) > SAME:
        raise InvalidRun(
            f"the method's model answers the same rows otherwise when it is asked again {where}"
            f"{_example(logits, second)}; a model that draws numbers, or changes while it is "
            "asked, has no figure of its own: fix it before it is returned."
        )
    if few:
        alone = ask(*few)
        own = logits[: len(alone)]
        if difference(own, alone) > ALIKE:
            raise InvalidRun(
                f"the method's model answers a row otherwise in other company {where}"
                f"{_example(own, alone)}; its logits may depend on the row alone, not on those it "
                "is shown with, as those of BatchNorm in training mode do."
            )
        wipe(few)


def _of_rows(inputs: tuple[Any, ...]) -> bool:
    return len(inputs) == 1 and isinstance(inputs[0], torch.Tensor) and len(inputs[0]) > 1


def _example(one: torch.Tensor, other: torch.Tensor) -> str:
    if one.shape != other.shape:
        return f": {tuple(one.shape)} logits, then {tuple(other.shape)}"
    one, other = one.detach().double(), other.detach().double()
    apart = (one - other).abs()
    row, column = divmod(int(apart.argmax()), one.shape[1])
    return f": {float(one[row, column]):.4g}, then {float(other[row, column]):.4g} in row {row}"


def net_of(solution: Any, problem: Any) -> nn.Module | None:
    """Return the net of the weights that a solution says, by the names of the problem's, are its
    model's; None: it says none, or the problem has no form of a net.
    """
    weights, form = getattr(solution, "weights", None), getattr(problem, "architecture", None)
    if not isinstance(weights, dict) or form is None:
        return None
    from bench.training.state import streams

    own = {name: weights[name] for name in problem.weights}
    for name, part in own.items():
        if part.dtype != (right := problem.weights[name].dtype):
            raise InvalidRun(
                f"the method's solution is not valid: weights[{name!r}] is {name_of(part.dtype)}, "
                f"and must be {name_of(right)} as in the problem; convert it with "
                f".to({right})."
            )
    with streams(None):
        net: nn.Module = form.of([own], next(iter(own.values())).device).member(0)
    return net.eval()


def check_weights(
    net: nn.Module, logits: torch.Tensor, inputs: tuple[Any, ...], where: str
) -> None:
    """Raise InvalidRun where the net of the weights that are said to be a model's gives other
    logits to the first rows.
    """
    (few,) = shown_again((inputs[0][:ROWS],))
    with torch.no_grad():
        made = net(few)
    wipe((few,))
    said = logits[: len(made)]
    if difference(made, said.to(made)) > SAME:
        raise InvalidRun(
            "the method's solution is not valid: weights are not those of its model"
            f" {where}{_example(said, made)} by the weights; return the model's own, or None where "
            "it is not a net of the original's form."
        )
