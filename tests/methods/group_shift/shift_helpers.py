"""Helpers of the tests of methods: every method there is, what they say, batches by hand."""

import importlib
import pkgutil

import bench.builtin.methods.group_shift as home
import msgspec
import torch

from bench.contracts import Method
from bench.tracks.group_shift import Batch

NEEDS = ("train-groups", "val-groups", "env", "pretrained", "other-pictures")


def every_method():
    """Return one of each method of the track, with its defaults."""
    modules = [
        importlib.import_module(f"{home.__name__}.{found.name}")
        for found in pkgutil.iter_modules(home.__path__)
        if found.name[0] != "_"
    ]
    kinds = {
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, Method)
        and kind.__module__ == module.__name__
        and hasattr(kind, "card")
    }
    # those for pictures have tests of their own: the small problems are rows of numbers
    found = [kind() for kind in kinds if kind.card.inputs != "pictures"]
    return sorted(found, key=lambda method: method.card.name)


def shown_to(method, problem):
    """Return the problem as the harness shows it to the method: without what it did not ask for."""
    hidden = [need.replace("-", "_") for need in NEEDS if need not in method.card.needs]
    return msgspec.structs.replace(problem, **dict.fromkeys(hidden))


def solved(method, problems, runs):
    """Return the solutions of problems as the harness shows them."""
    shown = [shown_to(method, problem) for problem in problems]
    if method.card.stacked:
        return method.solve_stacked(shown, runs)
    return [method.solve(problem, run) for problem, run in zip(shown, runs, strict=True)]


def trained(method, problems, runs):
    """Return each member's outputs on its own inputs after a whole solve."""
    return [
        solution.model(problem.x).detach()
        for solution, problem in zip(solved(method, problems, runs), problems, strict=True)
    ]


def batch_of(y, rows=None, total=None, x=None, epoch=0, step=0):
    """Return a batch of K members with the labels y (K, B)."""
    members, size = y.shape
    rows = torch.arange(size).expand(members, -1) if rows is None else rows
    flat = rows + torch.arange(members)[:, None] * (total or size)
    return Batch(step, epoch, rows, flat, torch.zeros(members, size, 1) if x is None else x, y)
