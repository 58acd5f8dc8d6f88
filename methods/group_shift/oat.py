"""Training beside pictures of nothing (arXiv:2101.06639)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import torch

from bench import InvalidRun, Meta, MethodCard
from bench.tracks.group_shift import Batch, GroupMethod, Seeds, cross_entropy
from bench.training.rows import beside


class _State:
    """Other pictures (K, m, ...) and which of them stand in the steps of the epoch at hand."""

    def __init__(self, seeds: Seeds) -> None:
        others = [problem.other_pictures for problem in seeds.problems]
        if any(one is None for one in others):
            raise InvalidRun(
                "the method trains beside other pictures, and the problem has other_pictures "
                "None; run it on a task that offers 'other-pictures'"
            )
        self.x = torch.stack(others).to(seeds.device)
        self.seeds = seeds
        self._generators = [run.numpy_generator("method", "others") for run in seeds.runs]
        self.draw()

    def draw(self) -> None:
        """Draw as many other pictures as an epoch has rows."""
        count, many = self.seeds.n_rows, self.x.shape[1]
        rows = np.stack([one.integers(0, many, count) for one in self._generators])
        size = self.seeds.problem.batch_size
        self.rows = torch.from_numpy(rows).to(self.seeds.device).split(size, 1)


class OutOfDistributionTraining(GroupMethod):
    """Teach the net to say nothing of pictures that hold no class of the task."""

    card: ClassVar = MethodCard(
        name="oat",
        title="Out-of-distribution data augmented training",
        track="group-shift",
        paper="arXiv:2101.06639",
        bibtex="""@inproceedings{lee2021removing,
  title = {Removing Undesirable Feature Contributions Using Out-of-Distribution Data},
  author = {Lee, Saehyung and Park, Changhwa and Lee, Hyungyu and Yi, Jihun and Lee, Jonghyun and
    Yoon, Sungroh},
  booktitle = {ICLR},
  year = {2021},
  eprint = {2101.06639},
  archivePrefix = {arXiv}
}""",
        claim="Pictures without a class, with the uniform distribution as target, remove features "
        "that mislead and make training and adversarial training generalise better.",
        official_code="ok",
        deviates="The version without attacks. A batch holds as many other pictures beside the "
        "task's rows, so that it sees these as often as other methods do; the official batch is "
        "half of each.",
        needs=("other-pictures",),
        signal="none",
        stacked=True,
        defaults_from="paper",
        tuning={"alpha": (0.1, 1.0, 3.0)},
    )
    alpha: Annotated[float, Meta(ge=0)] = 1.0
    """Weight of the other pictures' loss."""

    def start(self, seeds: Any) -> _State:
        """Set up the private stream."""
        return _State(seeds)

    def inputs(self, state: _State, batch: Batch) -> torch.Tensor:
        """Return the rows of the batch, and as many other pictures (K, 2 B, ...)."""
        count = batch.x.shape[1]
        state.seeds.count(forward=count, backward=count)
        return torch.cat([batch.x, beside(state.x, state.rows[batch.step])], 1)

    def loss(self, state: _State, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """CE(y) + alpha CE(1 / C), the latter of the other pictures."""
        own, other = logits.chunk(2, 1)
        return cross_entropy(own, batch.y) - self.alpha * other.log_softmax(-1).mean(-1)

    def after_epoch(self, state: Any, epoch: int) -> None:
        """Draw the other pictures of the next epoch."""
        state.draw()
