"""RegMix: how near a partner must be is learned by validation (arXiv:2106.03374)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec
import torch

from bench import Meta, MethodCard, Run
from bench.errors import BenchError
from bench.tracks.regression import NeighbourMixing, Neighbours, Problem, Seeds, nearest
from bench.training.recipe import streams, train


class RegMix(NeighbourMixing):
    """Mix each row with one of its k nearest; k is the one of a ladder with which a shorter
    training errs least on held-out rows.
    """

    card: ClassVar = MethodCard(
        name="regmix",
        title="RegMix",
        track="regression",
        paper="arXiv:2106.03374",
        bibtex="""@article{hwang2021regmix,
  title = {RegMix: Data Mixing Augmentation for Regression},
  author = {Hwang, Seong-Hyeon and Whang, Steven Euijong},
  journal = {arXiv preprint},
  year = {2021},
  eprint = {2106.03374},
  archivePrefix = {arXiv}
}""",
        claim="Mixing far rows harms where targets are not linear; learning for each row how many "
        "neighbours to mix with helps.",
        official_code="none",
        deviates="The abstract was read. One number of neighbours is chosen for all rows, not one "
        "for each by reinforcement learning; each of the ladder is tried for a part of the epochs.",
        signal="features",
        stacked=True,
        defaults_from="here",
        trials=3,
        tuning={"alpha": (0.2, 1.0, 2.0)},
    )
    ladder: tuple[int, ...] = (0, 1, 4, 16, 64)
    """Numbers of neighbours to choose from; 0 is plain training."""
    alpha: Annotated[float, Meta(ge=0)] = 2.0
    """Both parameters of the Beta distribution of the weight."""
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.2
    """Share of the rows that is held out while k is chosen."""
    trial: Annotated[float, Meta(gt=0, le=1)] = 0.5
    """Share of the epochs of a trial."""

    @property
    def concentration(self) -> float:
        """Return alpha."""
        return self.alpha

    def solve_stacked(self, problems: Sequence[Problem], runs: Sequence[Run]) -> list[Any]:
        """Choose each member's k, then train on all rows."""
        if not self.ladder or min(self.ladder) < 0:
            raise BenchError(
                f"regmix got ladder={self.ladder}; give numbers of neighbours, 0 or more, like "
                "(0, 1, 4)."
            )
        seeds = Seeds(problems, runs)
        chosen = self._chosen(seeds)
        seeds.nets = seeds.build()
        weights = torch.stack([nearest(seeds, k)[m] for m, k in enumerate(chosen)])
        for run, k in zip(runs, chosen, strict=True):
            run.log(0, neighbours=k)
        state = Neighbours(seeds, weights)
        train(self, seeds, state)
        return self.solutions(state, seeds)

    def _chosen(self, seeds: Seeds) -> list[int]:
        """Return for each member the k whose trial errs least on the held-out rows."""
        epochs = max(1, round(self.trial * seeds.problem.epochs))
        count = min(max(1, round(self.share * seeds.n_rows)), seeds.n_rows - 1)
        orders = [
            torch.from_numpy(run.numpy_generator("method", "held out").permutation(seeds.n_rows))
            for run in seeds.runs
        ]
        order = torch.stack(orders).to(seeds.device)
        held, kept = order[:, :count], order[:, count:]
        among = torch.zeros_like(order, dtype=torch.bool).scatter(1, kept, True)
        errors = []
        for place, k in enumerate(self.ladder):
            part = seeds.part(kept, "trial", place)
            part.problem = msgspec.structs.replace(seeds.problem, epochs=epochs)
            part.nets = seeds.build(first=1 + place)
            state = _Trial(part, nearest(seeds, k, among), place)
            train(self, part, state, report=False)
            wrong = seeds.logits(part.nets, held)[..., 0] - seeds.y.gather(1, held)
            errors.append(wrong.square().mean(1))
        return [self.ladder[place] for place in torch.stack(errors).argmin(0).tolist()]


class _Trial(Neighbours):
    """The partners of a trial, from streams of its own."""

    def __init__(self, seeds: Seeds, weights: torch.Tensor, place: int) -> None:
        self.seeds, self.sums = seeds, weights.double().cumsum(-1)
        self.weights = streams(seeds.runs, "weights", place)
        self.drawn = streams(seeds.runs, "pairs", place)
