"""The texts that ``bench new`` fills in: ``@name@``, ``@module@``, ``@kind@``, ``@track@``."""

from __future__ import annotations

from collections.abc import Mapping


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return ``text`` with every ``@name@`` replaced."""
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


TASK = '''"""@kind@: a track of its own in one file. Change all of it."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
import torch

from bench import (
    Case,
    Meta,
    Method,
    MethodCard,
    Metric,
    Preset,
    Reference,
    Score,
    Task,
    TaskCard,@import@
)
from bench.declared import Array

@card@
class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What a method sees."""

    x: Annotated[torch.Tensor, Array("n", "d", dtype="float32")]
    y: Annotated[torch.Tensor, Array("n", dtype="float32")]


class Solution(msgspec.Struct, kw_only=True):
    """What a method returns; the harness checks it before it is scored."""

    weights: Annotated[torch.Tensor, Array("d", dtype="float32")]


class @kind@(Task):
    """Find the weights that made the targets, from noisy rows."""

    card: ClassVar = TaskCard(
        name="@name@",
        title="Weights from noisy rows",
        track="@track@",
        metrics=(
            Metric(
                name="error",
                direction="min",
                primary=True,
                bounds=(0, None),
                title="mean squared error on clean held-out rows",
            ),
        ),
        presets={
            "smoke": Preset(variants={"plain": {}}, params={"rows": 40}, seeds=1),
            "default": Preset(variants={"plain": {}, "noisy": {"noise": 2.0}}, seeds=5),
        },
        budget="the rows of the problem",
        references=(
            Reference(name="@name@-zero", kind="low", title="no weights at all"),
            Reference(name="truth", kind="high", title="the weights themselves", solve="truth"),
        ),
    )

    accepts: ClassVar = Solution
    rows: Annotated[int, Meta(ge=10)] = 200
    """Training rows."""
    noise: Annotated[float, Meta(ge=0)] = 0.5
    """Standard deviation of the targets' noise."""

    def prepare(self, run):
        """Draw weights and rows; the weights and the held-out rows are hidden."""
        generator = run.torch_generator("split", device="cpu")
        weights = torch.randn(5, generator=generator)
        x = torch.randn(2 * self.rows, 5, generator=generator)
        corruption = run.torch_generator("corruption", device="cpu")
        y = x[: self.rows] @ weights + self.noise * torch.randn(self.rows, generator=corruption)
        train = Problem(x=x[: self.rows].to(run.device), y=y.to(run.device))
        hidden = (x[self.rows :].to(run.device), weights.to(run.device))
        return Case(problems=[train], hidden=hidden)

    def evaluate(self, case, outcomes, run):
        """Score the weights that a method returned."""
        x, weights = case.hidden
        wrong = x @ (outcomes[0].solution.weights - weights)
        return Score(metrics={"error": float(wrong.square().mean())})

    def truth(self, problem, hidden, run):
        """Return the weights that made the data."""
        return Solution(weights=hidden[1])


class Zero(Method):
    """No weights at all: the null method."""

    card: ClassVar = MethodCard(name="@name@-zero", title="No weights at all", track="@track@")

    def solve(self, problem, run):
        """Return zeros."""
        return Solution(weights=torch.zeros(problem.x.shape[1], device=problem.x.device))


class LeastSquares(Method):
    """Ridge regression on the rows."""

    card: ClassVar = MethodCard(name="@name@-ridge", title="Ridge regression", track="@track@")

    ridge: Annotated[float, Meta(gt=0)] = 1e-3
    """Weight of the penalty."""

    def solve(self, problem, run):
        """Return the weights that solve the normal equations."""
        run.count(forward=len(problem.y))
        x = problem.x
        gram = x.T @ x + self.ridge * torch.eye(x.shape[1], device=x.device)
        return Solution(weights=torch.linalg.solve(gram, x.T @ problem.y))
'''

TRACK = """TRACK = TrackCard(
    name="@track@",
    title="@kind@",
    about="Find the weights that made the targets, from noisy rows.",
    field="training",
    ranked="ways to find weights, by their error on clean held-out rows",
)

"""
"""The card of a track that no plugin has one of yet."""

DATASET = '''"""@kind@: say what it holds and where it comes from."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec
import torch

from bench import Dataset, DatasetCard, Meta


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """x (n, 2) float32 and y (n,) int64."""

    x: torch.Tensor
    y: torch.Tensor


class @kind@(Dataset):
    """Two blobs. Read your own files here.

    Where they are not there, raise DataUnavailable with a sentence that says how to get them.
    """

    card: ClassVar = DatasetCard(
        name="@name@",
        title="Two blobs of points",
        source="drawn by this file",
        size="n rows of 2 numbers",
        had="generated",
    )

    n: Annotated[int, Meta(ge=2)] = 100
    """Rows."""

    def load(self, run):
        """Return the rows; the same at every call."""
        generator = torch.Generator().manual_seed(0)
        y = torch.arange(self.n) % 2
        return Rows(x=torch.randn(self.n, 2, generator=generator) + 3.0 * y[:, None], y=y)
'''

PLUGIN = {
    "pyproject.toml": """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "@name@"
version = "0.1.0"
description = "A method for datacentric-bench"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["datacentric-bench"]

[project.entry-points.bench]
@module@ = "@module@"

[tool.hatch.build.targets.wheel]
packages = ["src/@module@"]
""",
    "README.md": """# @name@

A method of the track `@track@` for datacentric-bench.

```console
$ pip install -e .
$ bench list methods --track @track@
$ bench check @name@
$ bench run --method @name@ --track @track@ --preset smoke
$ bench leaderboard --track @track@
```
""",
    "src/@module@/__init__.py": '''"""What this package registers with datacentric-bench."""

from bench import hookimpl


@hookimpl
def bench_methods(register):
    """Register the methods of this package; their file is imported when a run needs it."""
    register("@module@.methods")
''',
    "tests/test_@module@.py": '''"""The method keeps the contracts of datacentric-bench."""


def test_the_method_passes_the_conformance_suite(bench_check):
    bench_check("@track@/@name@", device="cpu", quick=True)
''',
    ".github/workflows/ci.yml": """name: ci
on: [push, pull_request]
permissions:
  contents: read
jobs:
  test:
    runs-on: ubuntu-latest
    timeout-minutes: 30
    env:
      PIP_EXTRA_INDEX_URL: https://download.pytorch.org/whl/cpu
    steps:
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2
        with:
          persist-credentials: false
      - uses: actions/setup-python@a26af69be951a213d495a4c3e4e4022e16d87065 # v5.6.0
        with:
          python-version: "3.11"
      - run: pip install -e . pytest
      - run: pytest
""",
}
