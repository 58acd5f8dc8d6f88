"""A track whose methods multiply matrices: what each computes is known by hand."""

from __future__ import annotations

import threading
import time
from typing import ClassVar

import msgspec
import torch

from bench import Case, Method, MethodCard, Metric, Preset, Score, Task, TaskCard, Watched

SIDE = 8
PRODUCT = 2 * SIDE**3
CALLS: list[int] = []


class Problem(msgspec.Struct):
    """A square matrix."""

    x: torch.Tensor


class _Products(Task):
    problems: int = 1

    def prepare(self, run):
        x = torch.randn(SIDE, SIDE, generator=run.torch_generator("split"))
        return Case(problems=[Problem(x=x.clone()) for _ in range(self.problems)], hidden=x @ x)

    def watch(self, case, k, step, model):
        return Watched(scores={"size": float((model @ model).abs().mean())})

    def evaluate(self, case, outcomes, run):
        for _ in range(5):
            case.hidden @ case.hidden
        return Score(metrics={"size": float(outcomes[0].solution.abs().mean())})


class Products(_Products):
    card: ClassVar = TaskCard(
        name="products",
        title="Products",
        track="count-toy",
        metrics=(Metric(name="size", primary=True),),
        presets={"smoke": Preset(variants={"one": {}}, seeds=3, timeout=20)},
    )


class Several(_Products):
    card: ClassVar = TaskCard(
        name="several",
        title="Several problems",
        track="count-toy",
        metrics=(Metric(name="size", primary=True),),
        presets={"smoke": Preset(variants={"one": {"problems": 3}}, seeds=2, timeout=20)},
    )


class Spending(_Products):
    """Its reports are pairs of a matrix and of the operations that the method says it spent."""

    card: ClassVar = TaskCard(
        name="spending",
        title="A budget in operations",
        track="count-toy",
        metrics=(Metric(name="size", primary=True),),
        presets={"smoke": Preset(variants={"one": {}}, seeds=1, timeout=20)},
    )

    def watch(self, case, k, step, model):
        return Watched(scores={"flops": model[1]})


class Uneven(_Products):
    card: ClassVar = TaskCard(
        name="uneven",
        title="Lengths by the seed",
        track="count-toy",
        metrics=(Metric(name="size", primary=True),),
        lengths_vary=True,
        presets={"smoke": Preset(variants={"one": {}}, seeds=3, timeout=20)},
    )


class Thrice(Method):
    """Three products, a report after each."""

    card: ClassVar = MethodCard(name="thrice", title="Three products", track="count-toy")

    def solve(self, problem, run):
        x = problem.x.clone()
        for step in range(3):
            x = (x @ problem.x).tanh()
            run.count(forward=1)
            run.report(step + 1, x)
        return x


class Together(Method):
    """Three products, of all seeds at once."""

    card: ClassVar = MethodCard(
        name="together", title="Three products of a stack", track="count-toy", stacked=True
    )

    def solve(self, problem, run):
        return self.solve_stacked([problem], [run])[0]

    def solve_stacked(self, problems, runs):
        x = torch.stack([problem.x for problem in problems])
        y = x
        for step in range(3):
            y = (y @ x).tanh()
            for k, run in enumerate(runs):
                run.report(step + 1, y[k])
        return list(y)


class Seeded(Method):
    """As many products as the seed says."""

    card: ClassVar = MethodCard(name="seeded", title="Products by the seed", track="count-toy")

    def solve(self, problem, run):
        x = problem.x
        for _ in range(run.seed + 1):
            x = (x @ problem.x).tanh()
        return x


class Arrays(Method):
    """A product of arrays beside one of tensors."""

    card: ClassVar = MethodCard(name="arrays", title="Products of arrays", track="count-toy")

    def solve(self, problem, run):
        x = problem.x.numpy()
        return torch.from_numpy(x @ x) @ problem.x


class Threaded(Method):
    """A product in a thread."""

    card: ClassVar = MethodCard(name="threaded", title="A product in a thread", track="count-toy")

    def solve(self, problem, run):
        found = []
        thread = threading.Thread(target=lambda: found.append(problem.x @ problem.x))
        thread.start()
        thread.join()
        return found[0]


class Moody(Method):
    """Another answer each time it is asked in one process."""

    card: ClassVar = MethodCard(name="moody", title="Another answer each time", track="count-toy")

    def solve(self, problem, run):
        CALLS.append(1)
        return problem.x @ problem.x + len(CALLS)


class Hasty(Method):
    """Reports as often as nobody asked before."""

    card: ClassVar = MethodCard(name="hasty", title="More reports each time", track="count-toy")

    def solve(self, problem, run):
        CALLS.append(1)
        for step in range(len(CALLS)):
            run.report(step + 1, problem.x)
        return problem.x


class Breaks(Method):
    """Fails the second time."""

    card: ClassVar = MethodCard(name="breaks", title="Fails the second time", track="count-toy")

    def solve(self, problem, run):
        CALLS.append(1)
        if len(CALLS) > 1:
            raise ValueError("not again")
        return problem.x


class Slow(Method):
    """Never ends the second time."""

    card: ClassVar = MethodCard(name="slow", title="Never ends the second time", track="count-toy")

    def solve(self, problem, run):
        CALLS.append(1)
        if len(CALLS) > 1:
            time.sleep(600)
        return problem.x


class Builder(Method):
    """Wants an artifact of five products, made of another of two, and adds one of its own."""

    card: ClassVar = MethodCard(name="builder", title="Wants an artifact", track="count-toy")

    def solve(self, problem, run):
        def inner(child):
            return {"x": problem.x @ problem.x @ problem.x}

        def outer(child):
            x = child.cached({"what": "inner"}, inner)[0]["x"]
            return {"x": x @ x @ x @ x}

        x = run.cached({"what": "outer"}, outer)[0]["x"]
        return x @ problem.x


class Resumes(Method):
    """Goes on from a checkpoint, which only the first pass finds."""

    card: ClassVar = MethodCard(
        name="resumes", title="Goes on from a checkpoint", track="count-toy"
    )

    def solve(self, problem, run):
        state = run.restored()
        x, first = (problem.x, 0) if state is None else (state["x"], state["step"])
        for step in range(first, 3):
            x = (x @ problem.x).tanh()
            run.report(step + 1, x)
            run.checkpoint({"x": x, "step": step + 1})
            CALLS.append(1)
            if len(CALLS) == 2:
                raise KeyboardInterrupt
        return x


class Says(Method):
    """Three products; says of each what it is told to, times ``share``."""

    card: ClassVar = MethodCard(name="says", title="Says what it spent", track="count-toy")
    share: float = 1.0
    beside: bool = False
    moody: bool = False

    def solve(self, problem, run):
        x = problem.x.clone()
        CALLS.append(1)
        for step in range(3):
            x = (x @ problem.x).tanh()
            run.report(step + 1, (x, self.share * (step + 1) * PRODUCT))
        if self.beside:
            x = x + torch.from_numpy(problem.x.numpy() @ problem.x.numpy())
        return x + len(CALLS) if self.moody else x
