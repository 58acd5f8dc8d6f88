"""SimiFeat by vote and by rank (arXiv:2110.06283)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch

from bench import Meta, Method, MethodCard, Run
from bench.tracks.label_errors import Problem, Solution
from bench.training.augment import Augmentation
from bench.training.consensus import consensus_counts, soft_labels, transition_of


class SimiFeat(Method):
    """Ask each row's neighbours for its label in several rounds; a row is wrong that most rounds
    hold wrong.
    """

    card: ClassVar = MethodCard(
        name="simifeat",
        title="SimiFeat: rank or vote of neighbours' labels over several rounds",
        track="label-errors",
        paper="arXiv:2110.06283",
        bibtex="""@inproceedings{zhu2022detecting,
  title = {Detecting Corrupted Labels Without Training a Model to Predict},
  author = {Zhu, Zhaowei and Dong, Zihao and Liu, Yang},
  booktitle = {ICML},
  year = {2022},
  eprint = {2110.06283},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates="Neighbours in the inputs, not in the features of a pretrained net. Rounds differ "
        "by a shift of each picture by up to a pixel, not by mirrors and crops of four. Of tables "
        "nothing is shifted; their rounds differ by the threshold's random part alone. The "
        "transition matrix is found once, from the consensus of all rounds, where the authors "
        "find it in the first and adapt it in the others; of its steps the best counts, in their "
        "code the last. The shares of soft labels sum to 1 instead of having length 1.",
        signal="features",
        defaults_from="paper",
        tuning={"rule": ("rank", "vote"), "k": (5, 10, 20)},
    )
    rule: Literal["rank", "vote"] = "rank"
    """``rank``: of each class the rows with the lowest share of their label, as many as the
    estimated transition matrix holds wrong; ``vote``: rows with another most frequent label.
    """
    k: Annotated[int, Meta(ge=3)] = 10
    """Rows that are asked, the row itself among them."""
    rounds: Annotated[int, Meta(ge=1)] = 21
    """How often; the row is flagged that at least half of them hold wrong."""
    jitter: Annotated[float, Meta(ge=0, lt=1)] = 0.05
    """Each round adds a draw from -jitter to jitter to a class's share of right labels."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Flag by most rounds; the suspicion is the mean of -log of the given label's share."""
        rounds = self._rounds(problem, run)
        given = problem.y[:, None]
        scores = [-shares.gather(1, given)[:, 0].clamp_min(1e-8).log() for shares, _ in rounds]
        if self.rule == "vote":
            wrong = [shares.argmax(1) != problem.y for shares, _ in rounds]
        else:
            right = self._right(problem, [nearest for _, nearest in rounds])
            draws = run.numpy_generator("method", "jitter")
            wrong = []
            for score in scores:
                drawn = draws.uniform(-self.jitter, self.jitter, problem.n_classes)
                wrong.append(_tail(score, problem.y, right + torch.from_numpy(drawn).to(right)))
        flags = torch.stack(wrong).double().mean(0) >= 0.5
        return Solution(suspicion=torch.stack(scores).mean(0), flags=flags)

    def _rounds(self, problem: Problem, run: Run) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return soft labels (N, C) and the two nearest rows (N, 2) of every round."""
        pictures = problem.x.dim() == 4
        shift = (
            Augmentation([problem.x], problem.x.device, flip=False, crop=1) if pictures else None
        )
        draws = run.torch_generator("method", "shifts", device="cpu")
        every = torch.arange(len(problem.y), device=problem.x.device)[None]
        found = []
        for _ in range(self.rounds if pictures else 1):
            x = problem.x
            if shift is not None:
                shift.draw(len(x), [draws])
                x = shift(x[None], every)[0]
            run.count(forward=len(x))
            found.append(soft_labels(x.flatten(1), problem.y, self.k, problem.n_classes))
        return found if pictures else found * self.rounds

    def _right(self, problem: Problem, nearest: list[torch.Tensor]) -> torch.Tensor:
        """Return the estimated share of right labels among those of each class (C,)."""
        counts = [consensus_counts(problem.y, near, problem.n_classes) for near in nearest]
        first, second, third = (torch.stack(order).mean(0) for order in zip(*counts, strict=True))
        matrix, prior = transition_of((first, second, third))
        return matrix.diagonal() * prior / first.clamp_min(1e-12)


def _tail(score: torch.Tensor, y: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Return the rows (N,) of each class whose score (N,) is at or above the quantile ``right``
    (C,) of the class; a share outside of 0 to 1 leaves 5 % of the rows.
    """
    wrong = 1 - right.clamp(max=1)
    wrong = torch.where(wrong >= 1, 0.95, torch.where(wrong <= 0, 0.05, wrong))
    flags = torch.zeros_like(y, dtype=torch.bool)
    for c in y.unique().tolist():
        own = y == c
        flags |= own & (score >= torch.quantile(score[own], 1 - wrong[c]))
    return flags
