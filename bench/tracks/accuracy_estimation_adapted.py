"""Nets that are adapted to sets without labels, one a set, trained side by side.

Shapes: S sets, n rows of each, C classes, B rows of a batch.
"""

from __future__ import annotations

import torch

from bench.errors import InvalidRun
from bench.runs.context import Run
from bench.tracks.accuracy_estimation import Problem
from bench.training import nets, optimisers
from bench.training.fitting import epochs_of
from bench.training.rows import beside
from bench.training.stack import StackedNet
from bench.training.state import streams

__all__ = ["adapted", "entropy", "information"]


def entropy(p: torch.Tensor) -> torch.Tensor:
    """Return the entropy in nats of probabilities over the last axis (..., C), without it."""
    terms: torch.Tensor = torch.special.entr(p)
    return terms.sum(-1)


def information(logits: torch.Tensor) -> torch.Tensor:
    """Return mean entropy minus entropy of the mean of each net's answers (S,): least where each
    row is sure and all classes are said alike.

    Args:
        logits: of each net's own rows (S, B, C).
    """
    p = logits.softmax(-1)
    return entropy(p).mean(1) - entropy(p.mean(1))


def adapted(problem: Problem, run: Run, epochs: int, lr: float, batch: int) -> StackedNet:
    """Return a stack of S copies of the net, each adapted to a set by information maximisation; the
    last layer stays as it is.

    Args:
        problem: holds the net and the sets; its labels are not read.
        run: draws the order of each set's rows, and counts.
        epochs: passes over the rows of a set.
        lr: learning rate of Adam.
        batch: B.

    Raises:
        InvalidRun: sets have different numbers of rows, so that they cannot be trained side by
            side, or the weights are not finite in the end.

    Source: arXiv:2002.08546, the loss without pseudo-labels.
    """
    sizes = sorted({len(part) for part in problem.targets})
    if len(sizes) > 1:
        raise InvalidRun(
            f"target sets have from {sizes[0]} to {sizes[-1]} rows; nets are adapted side by side, "
            "so give all sets equally many"
        )
    net, count = problem.model, problem.n_targets
    x = torch.stack(list(problem.targets))
    stack = nets.build(
        net.net,
        net.shape,
        net.n_classes,
        [streams(0) for _ in range(count)],
        x.device,
        widths=net.widths,
    )
    stack.load_state_dict(
        {name: tensor.repeat_interleave(count, 0) for name, tensor in net.weights.items()}
    )
    stack.eval()
    last = {"weight", "bias", f"weights.{len(net.widths)}", f"biases.{len(net.widths)}"}
    moved = []
    for name, parameter in stack.named_parameters():
        parameter.requires_grad_(name not in last)
        if name not in last:
            moved.append(parameter)
    optimiser = optimisers.adam(moved, lr)
    orders = [run.torch_generator("order", place, device="cpu") for place in range(count)]
    for rows in epochs_of(sizes[0], batch, epochs, orders):
        own = beside(x, rows.expand(count, -1).to(x.device))
        optimiser.zero_grad(set_to_none=True)
        optimisers.descend(information(stack(own)))
        optimiser.step()
        run.count(forward=own.shape[0] * own.shape[1], backward=own.shape[0] * own.shape[1])
    # the likeliest class of outputs that are not finite would be counted like an answer
    if not all(bool(parameter.isfinite().all()) for parameter in moved):
        raise InvalidRun(
            f"adapting at lr={lr:g} ends in weights that are not finite; take a smaller lr"
        )
    return stack
