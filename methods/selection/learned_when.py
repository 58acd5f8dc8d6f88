"""When rows are learned, by nets that agree on the order (arXiv:1905.10854)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch

from bench import Meta, MethodCard, Run
from bench.tracks.selection import Selectable, Selector, preferred, trained


class LearnedWhen(Selector):
    """Keep the rows that nets get right at the fewest of their visits."""

    card: ClassVar = MethodCard(
        name="learned-when",
        title="When a row is learned",
        track="selection",
        paper="arXiv:1905.10854",
        bibtex="""@inproceedings{hacohen2020let,
  title = {Let's Agree to Agree: Neural Networks Share Classification Order on Real Datasets},
  author = {Hacohen, Guy and Choshen, Leshem and Weinshall, Daphna},
  booktitle = {ICML},
  year = {2020},
  eprint = {1905.10854},
  archivePrefix = {arXiv}
}""",
        claim="Nets of one architecture learn the rows of a dataset in the same order.",
        deviates="The paper measures the order, and chooses no rows by it. A row counts when it is "
        "in the batch, not at the end of an epoch.",
        signal="labels",
        defaults_from="here",
        tuning={"order": ("hard", "easy", "moderate"), "nets": (1, 3, 5)},
    )
    nets: Annotated[int, Meta(ge=1)] = 3
    """Nets whose shares are averaged."""
    order: Literal["hard", "easy", "moderate"] = "hard"
    """Keep the rows learned last, first, or between."""

    def scores(self, problem: Selectable, run: Run) -> torch.Tensor:
        """Return minus the share of visits at which a row was right, in the chosen order."""
        shares = Shares(self.nets, problem.y)
        trained(problem, run, "scores", nets=self.nets, epochs=problem.epochs, seen=shares)
        return preferred(-shares.mean(), self.order, 0.0)


class Shares:
    """Watches training, and counts how often a row was in the batch, and right."""

    def __init__(self, nets: int, y: torch.Tensor) -> None:
        self.y = y
        self.visits, self.right = (torch.zeros(nets, len(y), device=y.device) for _ in range(2))

    def __call__(self, step: int, rows: torch.Tensor, logits: torch.Tensor) -> None:
        """Note which of the rows (K, B) the logits (K, B, C) get right."""
        rows = rows.to(self.y.device)
        right = (logits.argmax(-1) == self.y[rows]).float()
        self.visits.scatter_add_(1, rows, torch.ones_like(right))
        self.right.scatter_add_(1, rows, right)

    def mean(self) -> torch.Tensor:
        """Return the share of the visits at which a row was right, in the mean over nets (N,)."""
        return (self.right / self.visits.clamp_min(1)).mean(0)
