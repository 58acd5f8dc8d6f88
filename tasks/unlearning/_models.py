"""Originals, retrained models and shadow models: trained side by side, built once and shared by all methods and processes."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from bench import Run, Setup
from bench.digests import digest
from bench.tracks.unlearning import Group, Problem, train

Weights = dict[str, torch.Tensor]


class _Seat:
    """A run's streams for model ``k`` of several that one artifact holds."""

    def __init__(self, run: Run, k: int) -> None:
        self._run, self._k, self.device = run, k, run.device

    def seeded(self, role: str, *axes: int | str) -> contextlib.AbstractContextManager[None]:
        return self._run.seeded(role, self._k, *axes)

    def torch_generator(self, role: str, *axes: int | str, device: str | None = None) -> torch.Generator:
        return self._run.torch_generator(role, self._k, *axes, device=device)

    def progress(self, total: int, label: str) -> Callable[[], None]:
        return lambda: None

    def count(self, forward: int = 0, backward: int = 0) -> None:
        """What the task trains is no method's cost."""


def models(run: Setup, what: str, problem: Problem, rows: torch.Tensor, recipe: Mapping[str, Any], seen: torch.Tensor | None = None) -> Weights:
    """Return K trained models as one artifact.

    Args:
        run: of the task.
        what: names the kind of model; models of another name have other streams.
        problem: whose rows and recipe they are trained by; its original model is not read.
        rows: training rows of each model (K, n).
        recipe: all else that they depend on, besides the data sets.
        seen: inputs whose outputs are to be kept.

    Returns:
        Weights by name, each (K, ...); ``outputs`` (K, n_seen, C) on ``seen``; ``seconds``: wall and processor time of training one model, (2,).
    """
    full = {"what": f"unlearning {what}", "labels": digest(problem.y.tolist()), "rows": digest(rows.tolist()), **recipe}
    return run.cached(full, functools.partial(_build, problem=problem, rows=rows, seen=seen))[0]


def _build(run: Run, problem: Problem, rows: torch.Tensor, seen: torch.Tensor | None) -> Weights:
    start, start_cpu = time.perf_counter(), time.process_time()
    runs: list[Any] = [_Seat(run, k) for k in range(len(rows))]
    group = Group([problem] * len(rows), runs)
    nets = train(group, group.fresh(), group.rows(rows.to(run.device), "retain"))
    tables = [nets.net(k) for k in range(len(rows))]
    built = {name: torch.stack([table[name] for table in tables]) for name in tables[0]}
    built["seconds"] = torch.tensor([time.perf_counter() - start, time.process_time() - start_cpu], dtype=torch.float64) / len(rows)
    if seen is not None:
        with torch.no_grad():
            built["outputs"] = torch.stack([torch.cat([nets.member(k)(part) for part in seen.split(4096)]) for k in range(len(rows))])
    return built


def member(stack: Weights, k: int) -> Weights:
    """Return the weights of model ``k``."""
    return {name: value[k].clone() for name, value in stack.items() if name not in ("seconds", "outputs")}
