"""Generalisation on the unseen: a part of the cube of signs is never shown (arXiv:2301.13105)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch

from bench import (
    Case,
    Meta,
    Metric,
    Outcome,
    Preset,
    Reference,
    Run,
    Score,
    Setup,
    Task,
    TaskCard,
    Watched,
)
from bench.tracks.algorithmic import AlgorithmicMethod, Problem, Solution
from bench.training.pictures import curves
from bench.training.state import predict

from ._cube import POINTERS, Hidden, both, cube, influence, retrieved


class Gotu(Task):
    """Whole parts of the cube are unseen, and the net is judged there alone."""

    card: ClassVar = TaskCard(
        name="gotu",
        title="Generalisation on the unseen part of a cube",
        track="algorithmic",
        metrics=(
            Metric(
                name="unseen_mse",
                primary=True,
                direction="min",
                bounds=(0, None),
                chance=1,
                title="squared error on unseen rows",
            ),
            Metric(
                name="acc",
                unit="%",
                bounds=(0, 100),
                chance=50,
                title="share of the unseen rows whose sign is right",
            ),
            Metric(
                name="mdi_gap",
                direction="none",
                bounds=(0, None),
                title="squared distance on unseen rows from the interpolator of the least degree",
            ),
            Metric(
                name="influence_ratio",
                direction="none",
                bounds=(0, None),
                title="unseen_mse by four times the influence of the bit that is frozen; 1 where "
                "the bit is ignored",
            ),
            Metric(
                name="output",
                direction="none",
                bounds=(None, None),
                title="mean output on unseen rows",
            ),
        ),
        presets={
            "smoke": Preset(
                variants={"and": {}},
                params={"d": 6, "steps": 40, "widths": [16]},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "and": {},
                    "pvr-pointer": {"function": "pvr-pointer", "d": 11, "steps": 1200},
                    "pvr-value": {"function": "pvr-value", "d": 11, "steps": 1200},
                },
                seeds=5,
                timeout=300,
            ),
        },
        offers={"signs": {}},
        budget="800 updates of batch 64 (pvr: 1200)",
        test_set="fixed",
        references=(
            Reference(name="plain", kind="low"),
            Reference(
                name="all-data",
                kind="high",
                title="Plain training on the whole cube",
                solve="train_on_all",
            ),
        ),
        paper="arXiv:2301.13105",
        bibtex="""@inproceedings{abbe2023generalization,
  title = {Generalization on the Unseen, Logic Reasoning and Degree Curriculum},
  author = {Abbe, Emmanuel and Bengio, Samy and Lotfi, Aryo and Rizk, Kevin},
  booktitle = {ICML},
  year = {2023},
  eprint = {2301.13105},
  archivePrefix = {arXiv}
}""",
    )
    accepts: ClassVar = Solution

    function: Literal["and", "pvr-pointer", "pvr-value"] = "and"
    """x_0 x_1 without the rows where both are -1; or the value that three pointer bits name, with a
    pointer bit or a value bit frozen to 1.
    """
    d: Annotated[int, Meta(ge=2, le=14)] = 10
    """Bits; 11 for pointer value retrieval."""
    steps: Annotated[int, Meta(ge=1)] = 800
    """Updates."""
    widths: tuple[int, ...] = (128, 128)
    """Widths of the hidden layers."""
    lr: Annotated[float, Meta(gt=0)] = 1e-3
    """Rate of Adam."""

    def prepare(self, run: Setup) -> Case:
        """Take the cube apart, and draw in which column a bit stands."""
        x = cube(self._bits)
        columns = run.numpy_generator("split", "columns").permutation(self._bits)
        simple = x.copy()
        if self.function == "and":
            y = both(x)
            unseen = (x[:, 0] < 0) & (x[:, 1] < 0)
            least = x[:, 0] + x[:, 1] - 1
        else:
            y, unseen = retrieved(x), x[:, self._frozen] < 0
            simple[:, self._frozen] = 1
            least = retrieved(simple)
        problem = Problem(
            x=_on(x[~unseen][:, columns], run),
            y=_on(y[~unseen], run),
            n_out=1,
            signs=True,
            widths=self.widths,
            steps=self.steps,
            lr=self.lr,
        )
        hidden = Hidden(
            x_test=_on(x[unseen][:, columns], run),
            y_test=_on(y[unseen], run),
            simple=_on(least[unseen], run),
            whole=_on(x[:, columns], run),
            values=_on(y, run),
        )
        return Case(problems=[problem], hidden=hidden)

    @property
    def _bits(self) -> int:
        return self.d if self.function == "and" else POINTERS + 2**POINTERS

    @property
    def _frozen(self) -> int:
        return 0 if self.function == "pvr-pointer" else POINTERS

    def watch(self, case: Case, k: int, step: int, model: Any) -> Watched:
        """Score the unseen and the shown rows."""
        hidden, problem = case.hidden, case.problems[k]
        return Watched(
            {
                "unseen_mse": _mse(predict(model, hidden.x_test)[:, 0], hidden.y_test),
                "train_mse": _mse(predict(model, problem.x)[:, 0], problem.y),
            }
        )

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Score the final model on unseen rows."""
        hidden: Hidden = case.hidden
        said = predict(outcomes[0].solution.model, hidden.x_test)[:, 0]
        mse = _mse(said, hidden.y_test)
        metrics: dict[str, float | None] = {
            "unseen_mse": mse,
            "acc": 100 * float(((said > 0) == (hidden.y_test > 0)).double().mean()),
            "mdi_gap": _mse(said, hidden.simple),
            "output": float(said.double().mean()),
        }
        if self.function != "and":
            metrics["influence_ratio"] = mse / (4 * influence(retrieved, self._bits, self._frozen))
        curve = outcomes[0].curve
        lines = {
            name: [(point["step"], point.get(key)) for point in curve]
            for name, key in (("unseen rows", "unseen_mse"), ("shown rows", "train_mse"))
        }
        return Score(metrics=metrics, images={"steps": curves(lines, "", "step", "squared error")})

    def train_on_all(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: plain training on the whole cube."""
        return whole_cube(problem, hidden, run)


def whole_cube(problem: Problem, hidden: Hidden, run: Run) -> Solution:
    """Return plain training on all rows."""
    import msgspec

    every = msgspec.structs.replace(problem, x=hidden.whole.clone(), y=hidden.values.clone())
    found: Solution = AlgorithmicMethod().solve(every, run)
    return found


def _on(values: np.ndarray, run: Setup) -> torch.Tensor:
    return torch.from_numpy(values).float().to(run.device)


def _mse(said: torch.Tensor, y: torch.Tensor) -> float:
    return float((said.double() - y.double()).square().mean())
