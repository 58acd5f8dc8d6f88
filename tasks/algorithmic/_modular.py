"""What the tasks of modular arithmetic share: the table, the reports, the scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
import torch

from bench import Case, Meta, Metric, Outcome, Run, Score, Setup, Task, Watched
from bench.declared import Array
from bench.errors import BenchError
from bench.tracks.algorithmic import AlgorithmicMethod, Problem, Solution
from bench.training.pictures import curves, heat_map
from bench.training.state import predict

METRICS = (
    Metric(
        name="rule",
        primary=True,
        unit="%",
        bounds=(0, 100),
        title="accuracy by the rule on all pairs, shown ones included",
    ),
    Metric(name="acc", unit="%", bounds=(0, 100), title="accuracy by the rule on unseen pairs"),
    Metric(
        name="fit_step",
        direction="min",
        bounds=(0, None),
        title="first report at which more than 99 % of the given labels are fitted",
    ),
    Metric(
        name="grok_step",
        direction="min",
        bounds=(0, None),
        title="first report at which more than 95 % of the unseen pairs are right",
    ),
    Metric(
        name="ipr",
        bounds=(0, 1),
        title="how much of the power of a unit's weights is in one frequency, mean over the units",
    ),
)


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """What no method sees.

    Attributes:
        true: the rule's answer to each (p^2,).
        seen: which of them the problem shows (p^2,), bool.
        wrong: which of the shown ones have a wrong label (N,), bool.
    """

    true: Annotated[torch.Tensor, Array("m", dtype="int64", ge=0)]
    seen: Annotated[torch.Tensor, Array("m", dtype="bool")]
    wrong: Annotated[torch.Tensor, Array("N", dtype="bool")]

    @property
    def pairs(self) -> torch.Tensor:
        """All pairs of codes (p^2, 2), in the order of ``true``."""
        p = math.isqrt(len(self.true))
        places = torch.arange(p * p, device=self.true.device)
        return torch.stack([places // p, places % p], 1)


class ModularTask(Task):
    """Pairs of whole numbers below p, and their sum, difference or product modulo p."""

    accepts: ClassVar = Solution

    p: Annotated[int, Meta(ge=3, le=200)] = 31
    """The modulus."""
    rule: Literal["add", "subtract", "multiply"] = "add"
    """What is done with a pair."""
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.7
    """Share of all pairs that is shown."""
    noise: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of the shown labels that is moved to another class, uniformly."""
    units: Annotated[int, Meta(ge=1)] = 256
    """Units of the net."""
    steps: Annotated[int, Meta(ge=1)] = 400
    """Updates, each on all shown pairs."""

    def prepare(self, run: Setup) -> Case:
        """Draw which pairs are shown, and which of them get a wrong label."""
        p = self.p
        pairs = np.stack(np.divmod(np.arange(p * p), p), 1)
        first, second = pairs.T
        made = {"add": first + second, "subtract": first - second, "multiply": first * second}
        true = made[self.rule] % p
        count = round(self.share * p * p)
        if not 0 < count < p * p:
            raise BenchError(
                f"share={self.share} of {p * p} pairs shows {count} of them; take a share that "
                "shows at least one and leaves one."
            )
        seen = np.zeros(p * p, dtype=bool)
        seen[run.numpy_generator("split", "pairs").permutation(p * p)[:count]] = True
        labels = true[seen]
        generator = run.numpy_generator("corruption", "labels")
        wrong = np.zeros(count, dtype=bool)
        wrong[generator.permutation(count)[: round(self.noise * count)]] = True
        moved = (labels + generator.integers(1, p, size=count)) % p
        given = np.where(wrong, moved, labels)
        to = run.device
        problem = Problem(
            x=torch.from_numpy(pairs[seen]).to(to),
            y=torch.from_numpy(given).to(to),
            n_out=p,
            symbols=p,
            codes=True,
            net="square",
            widths=(self.units,),
            steps=self.steps,
            batch_size=0,
            lr=0.01,
            betas=(0.9, 0.98),
        )
        hidden = Hidden(
            true=torch.from_numpy(true).to(to),
            seen=torch.from_numpy(seen).to(to),
            wrong=torch.from_numpy(wrong).to(to),
        )
        return Case(problems=[problem], hidden=hidden)

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score the shown and the unseen pairs."""
        hidden: Hidden = case.hidden
        said = predict(model, hidden.pairs).argmax(1)
        right = (said == hidden.true).double()
        fitted = (said[hidden.seen] == case.problems[k].y).double()
        return Watched(
            {"train": 100 * float(fitted.mean()), "acc": 100 * float(right[~hidden.seen].mean())}
        )

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the final model, and say when it fitted and when it found the rule."""
        hidden, solution, curve = case.hidden, outcomes[0].solution, outcomes[0].curve
        said = predict(solution.model, hidden.pairs).argmax(1)
        right = (said == hidden.true).double()
        metrics: dict[str, float | None] = {
            "rule": 100 * float(right.mean()),
            "acc": 100 * float(right[~hidden.seen].mean()),
            "fit_step": first_above(curve, "train", 99),
            "grok_step": first_above(curve, "acc", 95),
            "ipr": None if solution.units is None else ipr(solution.units.cpu().numpy()),
        }
        if self.noise and "memorised" in {metric.name for metric in self.card.metrics}:
            own, wrong = said[hidden.seen], hidden.wrong
            metrics["memorised"] = share(own[wrong] == case.problems[0].y[wrong])
            metrics["corrected"] = share(own[wrong] == hidden.true[hidden.seen][wrong])
        lines = {
            "fitted": [(point["step"], point.get("train")) for point in curve],
            "unseen pairs": [(point["step"], point.get("acc")) for point in curve],
        }
        images = {"steps": curves(lines, "", "step", "accuracy (%)")}
        if solution.units is not None:
            images["spectrum"] = spectrum_picture(solution.units.cpu().numpy())
        return Score(metrics=metrics, images=images)

    def train_on_all(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: plain training on all pairs with their true labels."""
        every = msgspec.structs.replace(problem, x=hidden.pairs.clone(), y=hidden.true.clone())
        found: Solution = AlgorithmicMethod().solve(every, run)
        return found


def share(right: torch.Tensor) -> float | None:
    """Return a share in percent; None of nothing."""
    return 100 * float(right.double().mean()) if len(right) else None


def first_above(curve: Sequence[dict[str, Any]], name: str, limit: float) -> float | None:
    """Return the first step whose figure is above a limit; None: there is none."""
    steps = [point["step"] for point in curve if (point.get(name) or 0) > limit]
    return float(steps[0]) if steps else None


def power(weights: np.ndarray) -> np.ndarray:
    """Return the power of weights (..., p) at the frequencies from 1 on (..., p // 2)."""
    return np.asarray(np.abs(np.fft.rfft(weights.astype(float), axis=-1)[..., 1:]) ** 2)


def ipr(units: np.ndarray) -> float:
    """Return the inverse participation ratio of weights (3, N, p): sum |w|^4 / (sum |w|^2)^2 over
    frequencies, 1 for one cosine, mean over units and their three vectors.

    Source: arXiv:2310.13061.
    """
    found = power(units)
    total = found.sum(-1)
    return float(((found**2).sum(-1) / np.where(total > 0, total, 1.0) ** 2).mean())


def spectrum_picture(units: np.ndarray, most: int = 32) -> Any:
    """Return the share of each frequency in the weights of some units, ordered by their strongest,
    as a picture.
    """
    found = power(units[0])
    chosen = found[np.argsort(-found.sum(-1), kind="stable")[:most]]
    order = np.lexsort((-chosen.max(-1), chosen.argmax(-1)))
    shares = chosen[order] / np.maximum(chosen[order].sum(-1, keepdims=True), 1e-30)
    rows = [str(place + 1) for place in range(len(shares))]
    columns = [str(frequency + 1) for frequency in range(shares.shape[1])]
    return heat_map(shares.round(2), rows, columns, "Share of each frequency in a unit")
