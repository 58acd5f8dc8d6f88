"""A task that takes no time, so that the time of a chaos test is the plugins' own."""

from __future__ import annotations

import time
from typing import ClassVar

import msgspec
import torch

from bench import Case, Metric, Preset, Score, Task, TaskCard


class Point(msgspec.Struct, frozen=True):
    """A vector ``x`` (8,)."""

    x: torch.Tensor


class SayThePoint(Task, frozen=True, kw_only=True):
    """Say a vector: scored by its sum, to the last bit."""

    card: ClassVar = TaskCard(
        name="point",
        title="Say a vector",
        track="chaos",
        metrics=(Metric(name="sum", primary=True),),
        presets={"smoke": Preset(variants={"plain": {}}, seeds=1, timeout=6)},
    )

    def prepare(self, run):
        def build(child):
            time.sleep(0.2)  # long enough to be killed in
            return {"shift": torch.randn(8, generator=child.torch_generator("method"))}

        shift, _ = run.cached({"what": "shift"}, build)
        return Case(
            problems=[
                Point(torch.randn(8, generator=run.torch_generator("corruption")) + shift["shift"])
            ]
        )

    def evaluate(self, case, outcomes, run):
        return Score(metrics={"sum": float(outcomes[0].solution.sum())})
