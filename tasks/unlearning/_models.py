"""Originals, retrained models and shadow models: trained side by side or one by one, whichever was
measured quicker, built once and shared by all methods and processes.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from bench import Run, Setup
from bench.digests import digest
from bench.tracks.unlearning import Architecture, Group, Nets, Problem, cross_entropy, step, train
from bench.training import tuned
from bench.training.optimisers import sgd
from bench.training.state import finite

from . import _models_tuned

Weights = dict[str, torch.Tensor]

NAME = "unlearning/models"
"""The tuned choice between training models together and one by one."""


class _Seat:
    """A run's streams for model ``k`` of several that one artifact holds."""

    def __init__(self, run: Run, k: int) -> None:
        self._run, self._k, self.device = run, k, run.device

    def seeded(self, role: str, *axes: int | str) -> contextlib.AbstractContextManager[None]:
        return self._run.seeded(role, self._k, *axes)

    def torch_generator(
        self, role: str, *axes: int | str, device: str | None = None
    ) -> torch.Generator:
        return self._run.torch_generator(role, self._k, *axes, device=device)

    def progress(self, total: int, label: str) -> Callable[[], None]:
        return lambda: None

    def count(self, forward: int = 0, backward: int = 0) -> None:
        """What the task trains is no method's cost."""


def models(
    run: Setup,
    what: str,
    problem: Problem,
    rows: torch.Tensor,
    recipe: Mapping[str, Any],
    seen: torch.Tensor | None = None,
) -> Weights:
    """Return K trained models as one artifact.

    Args:
        run: of the task.
        what: names the kind of model; models of another name have other streams.
        problem: whose rows and recipe they are trained by; its original model is not read.
        rows: training rows of each model (K, n).
        recipe: all else that they depend on, besides the datasets.
        seen: inputs whose outputs are to be kept.

    Returns:
        Weights by name, each (K, ...); ``outputs`` (K, n_seen, C) on ``seen``; ``seconds``: wall
        and processor time of training one model, (2,).
    """
    full = {
        "what": f"unlearning {what}",
        "labels": digest(problem.y.tolist()),
        "rows": digest(rows.tolist()),
        **recipe,
    }
    return run.cached(full, functools.partial(_build, problem=problem, rows=rows, seen=seen))[0]


def _build(run: Run, problem: Problem, rows: torch.Tensor, seen: torch.Tensor | None) -> Weights:
    start, start_cpu = time.perf_counter(), time.process_time()
    count = len(rows)
    together = _together(problem.architecture, count, run.device)
    nets: list[Nets] = []
    for part in [list(range(count))] if together else [[k] for k in range(count)]:
        runs: list[Any] = [_Seat(run, k) for k in part]
        group = Group([problem] * len(part), runs)
        nets.append(train(group, group.fresh(), group.rows(rows[part].to(run.device), "retain")))
    tables = [stack.net(k) for stack in nets for k in range(stack.members)]
    members = [stack.member(k) for stack in nets for k in range(stack.members)]
    built = {name: torch.stack([table[name] for table in tables]) for name in tables[0]}
    built["seconds"] = (
        torch.tensor(
            [time.perf_counter() - start, time.process_time() - start_cpu], dtype=torch.float64
        )
        / count
    )
    if seen is not None:
        with torch.no_grad():
            built["outputs"] = finite(
                torch.stack(
                    [torch.cat([net(part) for part in seen.split(1024)]) for net in members]
                ),
                "models that the task trains",
            )
    return built


def _together(form: Architecture, members: int, device: torch.device) -> bool:
    """Say whether models are trained in one stack.

    A stack of convolutional nets has a tuned choice of its own, which may be one by one.
    """
    if form.net != "mlp":
        return True
    return (
        tuned.choice(NAME, device, **_shape(members, form.sizes[0], form.sizes[1], form.batch))
        == "stacked"
    )


def _shape(members: int, inputs: int, width: int, batch: int) -> tuned.Shape:
    return {"members": members, "inputs": inputs, "width": width, "batch": batch}


_SHAPES = (
    _shape(8, 64, 64, 32),
    _shape(32, 64, 64, 32),
    _shape(8, 784, 128, 64),
    _shape(32, 784, 128, 64),
)


@tuned.tunable(
    NAME,
    candidates=dict.fromkeys(("cpu", "cuda"), ("stacked", "serial")),
    shapes=dict.fromkeys(("cpu", "cuda"), _SHAPES),
    table=_models_tuned,
)
def _prepare(
    candidate: str, device: torch.device, *, members: int, inputs: int, width: int, batch: int
) -> Callable[[], None]:
    """Return one training step of every model."""
    sizes = [members] if candidate == "stacked" else [1] * members
    form = Architecture(shape=(inputs,), widths=(width, width), outputs=10, batch=batch)
    stacks = [form.fresh([contextlib.nullcontext()] * size, device) for size in sizes]
    optimisers = [
        sgd(nets.parameters(), lr=0.05, momentum=0.9, weight_decay=0.0) for nets in stacks
    ]
    batches = [
        (
            torch.randn(size, batch, inputs, device=device),
            torch.randint(10, (size, batch), device=device),
        )
        for size in sizes
    ]

    def steps() -> None:
        for nets, optimiser, (x, y) in zip(stacks, optimisers, batches, strict=True):
            step(optimiser, cross_entropy(nets(x), y))

    return steps


def member(stack: Weights, k: int) -> Weights:
    """Return the weights of model ``k``."""
    return {
        name: value[k].clone()
        for name, value in stack.items()
        if name not in ("seconds", "outputs")
    }
