"""Policy optimisation: the trainer is the problem's."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Case, Meta, Metric, Preset, Reference, Score, Task, TaskCard, Watched

from ...contracts import PolicyProblem


class Bandit(Task):
    """Find the best action of each prompt."""

    card: ClassVar = TaskCard(
        name="bandit",
        title="A bandit with prompts",
        track="mock-policy",
        metrics=(
            Metric(name="pass_rate", primary=True, unit="%", bounds=(0, 100), chance=25),
            Metric(name="area", unit="%", bounds=(0, 100), title="mean of the curve"),
        ),
        presets={"smoke": Preset(variants={"short": {"steps": 30}}, seeds=2, timeout=60)},
        references=(Reference(name="frozen", kind="low"),),
    )

    steps: Annotated[int, Meta(ge=5)] = 30

    def prepare(self, run):
        best = torch.from_numpy(run.numpy_generator("split").integers(0, 4, 16))
        return Case(
            problems=[PolicyProblem(best=best, actions=4, steps=self.steps)], hidden=best.clone()
        )

    def watch(self, case, k, step, model):
        return Watched({"pass_rate": self._rate(case, model)})

    def evaluate(self, case, outcomes, run):
        curve = [entry["pass_rate"] for entry in outcomes[0].curve]
        return Score(
            metrics={
                "pass_rate": self._rate(case, outcomes[0].solution),
                "area": sum(curve) / len(curve) if curve else None,
            }
        )

    def _rate(self, case, logits):
        return 100 * float(logits.softmax(-1).gather(1, case.hidden[:, None]).mean())
