"""Batches of rows, each of one of three functions of the same input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np
import torch

from bench import Case, Meta, Metric, Outcome, Preset, Reference, Run, Score, Setup, Task, TaskCard
from bench.declared import Array
from bench.tracks.open_ended import Problem, Solution, fitted
from bench.training.pictures import curves, scatter

FUNCTIONS = {
    "sin x": np.sin,
    "cos x + .5": lambda x: np.cos(x) + 0.5,
    "-x / 2": lambda x: -x / 2,
}
"""What batches follow."""
REACH = 3.0
"""Inputs are between minus this and this."""
_GRID = np.linspace(-REACH, REACH, 241)


class Hidden(msgspec.Struct, kw_only=True):
    """What no method sees.

    Attributes:
        domain: the function of each batch (n,), int64.
    """

    domain: Annotated[torch.Tensor, Array("n", dtype="int64", ge=0, lt=3)]


class Told(Solution):
    """Of a reference, which may have a predictor for each function whatever is allowed."""

    def validate(self, problem: Problem) -> None:
        """Ask nothing."""


class MixedFunctions(Task):
    """Sine, cosine and a line over the same inputs: their rows conflict, batches are of one."""

    card: ClassVar = TaskCard(
        name="mixed-functions",
        title="Batches of three functions",
        track="open-ended",
        libraries=("sklearn",),
        metrics=(
            Metric(
                name="mse",
                direction="min",
                primary=True,
                bounds=(0, None),
                title="squared distance of the best predictor from each function on a grid, mean "
                "over the functions",
            ),
            Metric(
                name="purity",
                unit="%",
                bounds=(0, 100),
                chance=100 / 3,
                title="share of the batches that follow the commonest function of their predictor",
            ),
            Metric(
                name="ari",
                unit="%",
                bounds=(-100, 100),
                chance=0,
                title="adjusted Rand index of owners and functions, which more predictors than "
                "functions do not raise",
            ),
            Metric(
                name="models_used",
                direction="none",
                bounds=(1, None),
                title="predictors that own a batch",
            ),
        ),
        presets={
            "smoke": Preset(
                variants={"k3": {}},
                params={"batches": 45, "steps": 60},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "k2": {"predictors": 2},
                    "k3": {},
                    "k5": {"predictors": 5},
                    "noisy": {"noise": 0.3, "batches": 360, "rows": 4},
                },
                seeds=3,
                timeout=300,
            ),
        },
        budget="750 updates on all rows; as many predictors as the variant says",
        references=(
            Reference(name="erm", kind="low"),
            Reference(
                name="separate",
                kind="high",
                title="A net for each function, trained on its batches",
                solve="tell_domains",
            ),
        ),
        paper="arXiv:2108.12113",
    )
    accepts: ClassVar = Solution

    batches: Annotated[int, Meta(ge=3)] = 180
    """Batches."""
    rows: Annotated[int, Meta(ge=1)] = 8
    """Rows of a batch."""
    noise: Annotated[float, Meta(ge=0)] = 0.05
    """Standard deviation of the noise of answers."""
    predictors: Annotated[int, Meta(ge=1)] = 3
    """Predictors that a solution may have."""
    steps: Annotated[int, Meta(ge=1)] = 750
    """Updates."""

    def prepare(self, run: Setup) -> Case:
        """Draw batches, as many of each function as of another, give or take one."""
        generator = run.numpy_generator("split")
        domain = generator.permutation(np.arange(self.batches) % len(FUNCTIONS))
        x = generator.uniform(-REACH, REACH, (self.batches, self.rows))
        y = np.choose(domain[:, None], [one(x) for one in FUNCTIONS.values()])
        y = y + self.noise * generator.standard_normal(x.shape)
        problem = Problem(
            x=torch.from_numpy(x).float()[..., None].to(run.device),
            y=torch.from_numpy(y).float().to(run.device),
            predictors=self.predictors,
            steps=self.steps,
        )
        return Case(
            problems=[problem], hidden=Hidden(domain=torch.from_numpy(domain).to(run.device))
        )

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Hold predictors against the functions, and owners against the domains."""
        problem, solution = case.problems[0], outcomes[0].solution
        inputs = torch.from_numpy(_GRID).float()[:, None].to(problem.x.device)
        with torch.no_grad():
            answers = solution.model(inputs).double().cpu().numpy()
        true = np.stack([one(_GRID) for one in FUNCTIONS.values()])
        errors = ((answers.T[None] - true[:, None]) ** 2).mean(2)  # (functions, K)
        owner, domain = (one.cpu().numpy() for one in (solution.owner, case.hidden.domain))
        return Score(
            metrics={"mse": float(errors.min(1).mean()), **agreement(owner, domain)},
            arrays={"owner": owner, "errors": errors},
            images=_pictures(problem, owner, answers, true),
        )

    def tell_domains(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: a net for each function, trained on its batches alone."""
        own = torch.nn.functional.one_hot(hidden.domain, len(FUNCTIONS)).T[:, None, :, None]
        stack, _ = fitted([problem], [run], len(FUNCTIONS), lambda losses, _: own.expand_as(losses))
        members = [stack.member(place) for place in range(len(FUNCTIONS))]
        return Told(
            k=len(members),
            model=lambda x: torch.cat([member(x) for member in members], 1),
            owner=hidden.domain,
        )


def agreement(owner: np.ndarray, domain: np.ndarray) -> dict[str, float | None]:
    """Return how well owners (n,) tell domains (n,) apart, whatever predictors are called."""
    from sklearn.metrics import adjusted_rand_score

    counts = np.zeros((owner.max() + 1, domain.max() + 1))
    np.add.at(counts, (owner, domain), 1)
    return {
        "purity": 100 * float(counts.max(1).sum() / len(owner)),
        "ari": 100 * float(adjusted_rand_score(domain, owner)),
        "models_used": float((counts.sum(1) > 0).sum()),
    }


def _pictures(
    problem: Problem, owner: np.ndarray, answers: np.ndarray, true: np.ndarray
) -> dict[str, Any]:
    """Return the rows, a colour a predictor, and the predictors beside the functions."""
    x, y = problem.x[..., 0].cpu().numpy(), problem.y.cpu().numpy()
    groups = {f"predictor {k + 1}": (x[owner == k], y[owner == k]) for k in np.unique(owner)}
    lines = {
        name: list(zip(_GRID, one, strict=True)) for name, one in zip(FUNCTIONS, true, strict=True)
    }
    lines |= {
        f"predictor {k + 1}": list(zip(_GRID, answers[:, k], strict=True)) for k in np.unique(owner)
    }
    return {
        "batches": scatter(groups, "Rows by the predictor of their batch", "x", "y"),
        "predictors": curves(lines, "Functions and predictors that own a batch", "x", "y"),
    }
