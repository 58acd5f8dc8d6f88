"""Unlearning with K problems a case: the oracles are built after every problem is solved."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
import torch

from bench import Case, Meta, Metric, Preset, Reference, Score, Task, TaskCard

from ...contracts import Unlearn, note_build


class Later(msgspec.Struct):
    """Filled by ``reveal``."""

    oracles: list[torch.Tensor] | None = None


def ridge(x, y, strength):
    return torch.linalg.solve(
        x.T @ x + strength * torch.eye(x.shape[1], dtype=x.dtype), x.T @ (2.0 * y.double() - 1)
    )


class ForgetRows(Task):
    """K forget sets of one original."""

    card: ClassVar = TaskCard(
        name="forget-rows",
        title="Forget rows of a ridge regression",
        track="mock-unlearning",
        datasets=("mock-blobs",),
        metrics=(
            Metric(
                name="gap",
                direction="min",
                primary=True,
                bounds=(0, None),
                title="distance to the retrained weights",
            ),
            Metric(
                name="spread",
                direction="none",
                bounds=(0, None),
                title="largest minus smallest distance over the problems",
            ),
        ),
        presets={"smoke": Preset(variants={"k4": {"problems": 4}}, seeds=2, timeout=60)},
        references=(
            Reference(name="keep", kind="low"),
            Reference(name="retrained", kind="high", solve="retrain"),
        ),
    )

    problems: Annotated[int, Meta(ge=1)] = 4
    rows: Annotated[int, Meta(ge=1)] = 10

    def prepare(self, run):
        data = run.dataset("mock-blobs")

        def original(child):
            note_build("original")
            jitter = (
                torch.randn(
                    data.x.shape[1], dtype=torch.float64, generator=child.torch_generator("init")
                )
                * 1e-6
            )
            return {"w": ridge(data.x, data.y, 1.0) + jitter}

        tensors, _ = run.cached({"what": "original", "seed": run.seed}, original)
        problems = []
        for k in range(self.problems):
            forget = torch.zeros(len(data.y), dtype=torch.bool)
            forget[
                torch.from_numpy(
                    run.numpy_generator("split", k).permutation(len(data.y))[: self.rows]
                )
            ] = True
            problems.append(
                Unlearn(original=tensors["w"].clone(), x=data.x, y=data.y, forget=forget)
            )
        return Case(problems=problems, hidden=Later())

    def reveal(self, case, run):
        case.hidden.oracles = []
        for k, problem in enumerate(case.problems):

            def oracle(child, problem=problem):
                note_build("oracle")
                return {
                    "w": ridge(
                        problem.x[~problem.forget], problem.y[~problem.forget], problem.ridge
                    )
                }

            case.hidden.oracles.append(
                run.cached({"what": "oracle", "seed": run.seed, "k": k}, oracle)[0]["w"]
            )

    def evaluate(self, case, outcomes, run):
        gaps = torch.stack(
            [
                (outcome.solution - oracle).norm()
                for outcome, oracle in zip(outcomes, case.hidden.oracles, strict=True)
            ]
        )
        return Score(metrics={"gap": float(gaps.mean()), "spread": float(gaps.max() - gaps.min())})

    def retrain(self, problem, hidden, run):
        if hidden.oracles is not None:
            raise RuntimeError("the oracles are there before the problems are solved")
        return ridge(problem.x[~problem.forget], problem.y[~problem.forget], problem.ridge)
