"""ELLE with an adaptive weight (arXiv:2401.11618, section 4.2)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.adversarial import Seeds

from .elle import Between, Elle


class _State(Between):
    """The points, the weight of each member, and mean and squares of its errors so far."""

    def __init__(self, seeds: Seeds) -> None:
        super().__init__(seeds)
        self.lam, self.mean, self.squares = (seeds.zeros(seeds.members) for _ in range(3))
        self.seen = 0

    def follow(self, error: torch.Tensor, high: float, decay: float) -> None:
        """Set the weights to ``high`` where the error (K,) is above mean + 2 sd of all before, else
        let them decay; then take the error in (Welford).
        """
        sd = (self.squares / max(self.seen, 1)).sqrt()
        jumps = (error > self.mean + 2 * sd) & (self.seen > 1)
        self.lam = torch.where(jumps, torch.full_like(self.lam, high), decay * self.lam)
        self.seen += 1
        before = error - self.mean
        self.mean = self.mean + before / self.seen
        self.squares = self.squares + before * (error - self.mean)


class AdaptiveElle(Elle):
    """ELLE whose weight is 0 until the error of linearity jumps, and decays after."""

    card: ClassVar = MethodCard(
        name="elle-a",
        title="ELLE-A",
        track="adversarial",
        paper="arXiv:2401.11618",
        bibtex="""@inproceedings{rocamora2024efficient,
  title = {Efficient local linearity regularization to overcome catastrophic overfitting},
  author = {Abad Rocamora, Elias and Liu, Fanghui and Chrysos, Grigorios G. and Olmos, Pablo M. and
    Cevher, Volkan},
  booktitle = {ICLR},
  year = {2024},
  eprint = {2401.11618},
  archivePrefix = {arXiv}
}""",
        claim="Regularising only where the error of linearity jumps keeps single-step training "
        "from collapsing at less cost in accuracy.",
        official_code="ok",
        deviates="The points are put into the unit cube, and a first jump needs two earlier "
        "errors. The authors' weight is for radii a tenth as large.",
        stacked=True,
        defaults_from="here",
        trials=3,
        tuning={"lam": (10.0, 100.0, 1000.0, 4000.0)},
    )
    settings: ClassVar = {"paper": {"lam": 4000.0}}
    lam: Annotated[float, Meta(ge=0)] = 100.0
    """Weight after a jump."""
    decay: Annotated[float, Meta(ge=0, le=1)] = 0.99
    """What is left of the weight after a step without a jump."""

    def start(self, seeds: Seeds) -> _State:
        """Set up the streams and the weights."""
        return _State(seeds)

    def weight(self, state: Between, error: torch.Tensor) -> torch.Tensor:
        """Return each member's weight (K, 1), after a look at its mean error."""
        assert isinstance(state, _State)
        state.follow(error.detach().mean(1), self.lam, self.decay)
        return state.lam[:, None]
