"""Late stopping (arXiv:2308.13862)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
import torch

from bench import Meta, MethodCard, Run
from bench.tracks.noisy_labels import (
    NoisyLabelMethod,
    Problem,
    Seeds,
    Solution,
    sgd,
    train,
    train_step,
)
from bench.training.optimisers import set_rate


class LateStopping(NoisyLabelMethod):
    """Wrong labels are learned late: round after round a fresh net keeps the rows it learned first,
    the last net trains on what is left.
    """

    card: ClassVar = MethodCard(
        name="late-stopping",
        title="Late stopping",
        track="noisy-labels",
        paper="arXiv:2308.13862",
        bibtex="""@inproceedings{yuan2023late,
  title = {Late Stopping: Avoiding Confidently Learning from Mislabeled Examples},
  author = {Yuan, Suqin and Feng, Lei and Liu, Tongliang},
  booktitle = {ICCV},
  year = {2023},
  eprint = {2308.13862},
  archivePrefix = {arXiv}
}""",
        claim="Keeping what is learned first, over many rounds, leaves few wrong labels without "
        "losing hard right ones, and beats selection by small losses.",
        official_code="ok",
        deviates=(
            "Six rounds of at most two thirds of the task's epochs instead of twelve (for 40 % "
            "noise on CIFAR-100 twenty-seven) of 300 epochs, and a shrink factor from the noise "
            "rate instead of one tuned for each dataset and rate. The last round follows the "
            "task's schedule, where the authors halve the rate at the epochs 10, 20, 40, 60 and "
            "80. Whether a row is learned is judged on the row as it is, there on a copy mirrored "
            "and shifted at random. A round ends with the epoch in which enough rows are learned, "
            "there one epoch later with the same rows."
        ),
        needs=("noise-rate",),
        defaults_from="here",
        trials=None,
        tuning={"pace": (0.25, 0.5, 1.0), "cap": (1 / 3, 2 / 3, 1.0)},
    )
    settings: ClassVar = {
        "cifar10-20": {"rounds": (4, 4, 4), "shrink": 0.98, "skip": 7, "cap": 1.0},
        "cifar10-40": {"rounds": (4, 4, 4), "shrink": 0.955, "skip": 7, "cap": 1.0},
        "cifar100-20": {"rounds": (4, 4, 4), "shrink": 0.98, "skip": 7, "cap": 1.0},
        "cifar100-40": {"rounds": (22, 5, 0), "shrink": 0.975, "skip": 7, "cap": 1.0},
    }
    rounds: tuple[Annotated[int, Meta(ge=0)], ...] = (2, 2, 2)
    """Rounds in which a row is learned once it is predicted as labelled in
    one epoch, in two in a row, in three in a row, and so on.
    """
    shrink: Annotated[float, Meta(gt=0, le=1)] | None = None
    """A round ends once this share of the round before it is learned;
    none: (1 - noise rate)^(1 / rounds).
    """
    cap: Annotated[float, Meta(gt=0)] = 2 / 3
    """Epochs of a round at most, as a share of the task's; a round that has not enough rows by then
    drops none.
    """
    skip: Annotated[int, Meta(ge=0)] = 2
    """First epochs of a round, in which nothing counts as learned."""
    pace: Annotated[float, Meta(gt=0)] = 0.5
    """Constant learning rate of the rounds, as a share of the task's."""

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Solution]:
        """Solve one by one: the sets of different seeds shrink to
        different sizes, after different numbers of epochs.
        """
        return [self.solve(problem, run) for problem, run in zip(problems, runs, strict=True)]

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Shrink the set, then train on it as the task says."""
        seeds = Seeds([problem], [run])
        rows = torch.arange(seeds.n_rows, device=seeds.device)[None]
        scores = seeds.zeros(1, seeds.n_rows)
        for number, streak in enumerate(self._streaks()):
            first = self._round(seeds, rows, number, streak)
            scores[0, rows[0]] = number + 1 / (1 + first)
            if int(first.isfinite().sum()) >= self._enough(seeds, number):
                rows = rows[:, first.isfinite()]
        seeds = seeds.part(rows) if rows.shape[1] < seeds.n_rows else seeds
        seeds.nets = seeds.build()
        train(self, seeds, None)
        kept = torch.zeros(seeds.n_rows, dtype=torch.bool, device=seeds.device)
        kept[rows[0]] = True
        return msgspec.structs.replace(
            self.solutions(None, seeds)[0], kept=kept, clean_score=scores[0]
        )

    def _streaks(self) -> list[int]:
        """Return for each round how often in a row a row must be right."""
        return [streak for streak, rounds in enumerate(self.rounds, 1) for _ in range(rounds)]

    def _round(self, seeds: Seeds, rows: torch.Tensor, number: int, streak: int) -> torch.Tensor:
        """Train a fresh net on ``rows`` until enough of them are learned; return the epoch in which
        each was (n,), infinite where it was not.
        """
        enough = self._enough(seeds, number)
        part = seeds.part(rows, "round", number)
        part.nets = part.build(first=number + 1)
        optimiser = sgd(part)
        set_rate(optimiser, self.pace * seeds.problem.lr)
        given = seeds.y.gather(1, rows)
        run_now, first = (
            torch.zeros_like(rows),
            torch.full(rows.shape, torch.inf, device=seeds.device),
        )
        for epoch in range(max(1, round(self.cap * seeds.problem.epochs))):
            for batch in part.epoch(epoch):
                train_step(self, part.nets, optimiser, None, batch)
            part.count(forward=part.drawn, backward=part.drawn)
            if epoch < self.skip:
                continue
            right = seeds.logits(part.nets, rows).argmax(-1) == given
            run_now = (run_now + 1) * right
            first[(run_now >= streak) & first.isinf()] = epoch
            if int(first.isfinite().sum()) >= enough:
                break
        return first[0]

    def _enough(self, seeds: Seeds, number: int) -> int:
        """Return how many rows end a round: int(N shrink^number), counting rounds from one; at
        least one.
        """
        assert seeds.noise_rate is not None, "the card asks for the noise rate"
        total = len(self._streaks())
        shrink = (
            self.shrink
            if self.shrink is not None
            else (1 - float(seeds.noise_rate[0])) ** (1 / total)
        )
        return max(1, int(seeds.n_rows * shrink ** (number + 1) + 1e-9))
