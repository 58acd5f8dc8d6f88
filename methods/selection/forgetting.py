"""Forgetting events (arXiv:1812.05159)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch

from bench import Meta, MethodCard, Run
from bench.tracks.selection import Selectable, Selector, preferred, trained


class Forgetting(Selector):
    """Keep the rows that nets forget most often while they train: right
    when last seen, wrong now.
    """

    card: ClassVar = MethodCard(
        name="forgetting",
        title="Forgetting events",
        track=("condensation", "selection"),
        paper="arXiv:1812.05159",
        bibtex="""@inproceedings{toneva2019empirical,
  title = {An Empirical Study of Example Forgetting during Deep Neural Network Learning},
  author = {Toneva, Mariya and Sordoni, Alessandro and Tachet des Combes, Remi and Trischler, Adam
    and Bengio, Yoshua and Gordon, Geoffrey J.},
  booktitle = {ICLR},
  year = {2019},
  eprint = {1812.05159},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates="The nets train as long as the task does, 15 epochs instead of 200, without "
        "augmentation. A row that a run never learns counts as forgotten infinitely often, as in "
        "the paper; the authors' code adds the number of epochs. Equals are in random order. One "
        "pass may end and the next begin within a batch.",
        defaults_from="paper",
        tuning={"order": ("hard", "easy", "moderate"), "nets": (1, 3, 5)},
    )
    nets: Annotated[int, Meta(ge=1)] = 5
    """Nets whose counts are averaged; the authors' commands add up five runs."""
    order: Literal["hard", "easy", "moderate"] = "hard"
    """Keep the rows forgotten most, least, or nearest the median."""

    def scores(self, problem: Selectable, run: Run) -> torch.Tensor:
        """Return the mean number of changes from right to wrong between
        visits of a row; infinity where a net never got it right.
        """
        counter = Counter(self.nets, problem.y)
        trained(problem, run, "scores", nets=self.nets, epochs=problem.epochs, seen=counter)
        return preferred(counter.counts(), self.order, 0.0)


class Counter:
    """Watches training and counts forgetting, seen when a row is in the batch."""

    def __init__(self, nets: int, y: torch.Tensor) -> None:
        self.y = y
        self.right, self.learnt = (
            torch.zeros(nets, len(y), dtype=torch.bool, device=y.device) for _ in range(2)
        )
        self.forgotten = torch.zeros(nets, len(y), device=y.device)

    def __call__(self, step: int, rows: torch.Tensor, logits: torch.Tensor) -> None:
        """Note which of the rows (K, B) the logits (K, B, C) get right."""
        rows = rows.to(self.y.device)
        now, before = logits.argmax(-1) == self.y[rows], self.right.gather(1, rows)
        self.forgotten.scatter_add_(1, rows, (before & ~now).float())
        self.right.scatter_(1, rows, now)
        self.learnt.scatter_(1, rows, self.learnt.gather(1, rows) | now)

    def counts(self) -> torch.Tensor:
        """Return the mean count over nets, (N,)."""
        return torch.where(self.learnt, self.forgotten, torch.inf).mean(0)
