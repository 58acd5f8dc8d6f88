"""Graphs from several places; one variant tells where each graph is from to methods that ask."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec
import torch
from torch_geometric.data import Data

from bench import Case, Metric, Preset, Reference, Score, Task, TaskCard, Watched

from ...contracts import GraphProblem


class Judged(msgspec.Struct):
    """Validation and test features with labels, and the best figure so far."""

    x_val: torch.Tensor
    y_val: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor
    best: float = -1.0


class Motifs(Task):
    """The first feature is the cause; the second goes with the label here
    and against it in the test.
    """

    card: ClassVar = TaskCard(
        name="motifs",
        title="Motifs with a shortcut",
        track="mock-graphs",
        libraries=("torch_geometric",),
        metrics=(
            Metric(
                name="acc_kept",
                primary=True,
                unit="%",
                bounds=(0, 100),
                chance=50,
                title="test accuracy of the best reported model on validation",
            ),
            Metric(name="acc_last", unit="%", bounds=(0, 100)),
        ),
        presets={
            "smoke": Preset(
                variants={"plain": {"shift": "none"}, "places": {"shift": "env"}},
                seeds=1,
                timeout=60,
            )
        },
        offers={"env": {"shift": "env"}},
        references=(Reference(name="pooled", kind="low"),),
    )

    shift: Literal["none", "env"] = "none"

    def prepare(self, run):
        generator = torch.Generator().manual_seed(int(run.numpy_generator("split").integers(2**31)))

        def draw(n, flips):
            y = torch.randint(0, 2, (n,), generator=generator)
            sign = 2.0 * y - 1
            env = torch.arange(n) % 2
            flip = torch.where(torch.rand(n, generator=generator) < flips[env], -1.0, 1.0)
            features = torch.stack(
                [sign + 0.8 * torch.randn(n, generator=generator), sign * flip], 1
            )
            return features, y, env

        x, y, env = draw(
            400, torch.tensor([0.02, 0.3]) if self.shift == "env" else torch.tensor([0.1, 0.1])
        )
        ring = torch.tensor([[0, 1, 2], [1, 2, 0]])
        graphs = [
            Data(x=row.repeat(3, 1), edge_index=ring, y=label)
            for row, label in zip(x, y, strict=True)
        ]
        (x_val, y_val, _), (x_test, y_test, _) = (
            draw(100, torch.tensor([0.5, 0.5])),
            draw(300, torch.tensor([0.9, 0.9])),
        )
        problem = GraphProblem(graphs=graphs, env=env if self.shift == "env" else None)
        return Case(problems=[problem], hidden=Judged(x_val, y_val, x_test, y_test))

    def watch(self, case, k, step, model):
        accuracy = _accuracy(model, case.hidden.x_val, case.hidden.y_val)
        better = accuracy > case.hidden.best
        case.hidden.best = max(accuracy, case.hidden.best)
        return Watched({"val": accuracy}, keep=("best",) if better else ())

    def evaluate(self, case, outcomes, run):
        x, y = case.hidden.x_test, case.hidden.y_test
        return Score(
            metrics={
                "acc_kept": _accuracy(outcomes[0].kept["best"], x, y),
                "acc_last": _accuracy(outcomes[0].solution, x, y),
            }
        )


def _accuracy(model, x, y):
    return 100 * float(((model(x) > 0).long().squeeze(-1) == y).double().mean())
