"""Learning without forgetting (arXiv:1606.09282)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.continual import Chunk

from ._teacher import Distiller, Teacher, softened


class LearningWithoutForgetting(Distiller):
    """Add alpha T^2 KL(softmax(z_old / T) || softmax(z / T)) over the earlier classes, on the new
    rows (equations 2 and 3).
    """

    card: ClassVar = MethodCard(
        name="lwf",
        title="Learning without forgetting",
        track="continual",
        paper="arXiv:1606.09282",
        bibtex="""@inproceedings{li2016learning,
  title = {Learning without Forgetting},
  author = {Li, Zhizhong and Hoiem, Derek},
  booktitle = {ECCV},
  year = {2016},
  eprint = {1606.09282},
  archivePrefix = {arXiv}
}""",
        claim="Preserving the net's outputs on new data preserves earlier tasks without their "
        "data.",
        deviates="One head for all classes, as the track has it: the paper has a head a task and "
        "is told the task at test time. The head of a new task is not trained alone first. The "
        "factor T^2 and the weight were set here.",
        signal="dynamics",
        needs=("task-id",),
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"alpha": (1.0, 3.0, 10.0)},
    )
    alpha: Annotated[float, Meta(ge=0)] = 3.0
    """Weight of the distance."""
    temperature: Annotated[float, Meta(ge=0.01, le=1000)] = 2.0
    """Temperature T of both softmaxes."""

    def distil(
        self, state: Teacher, batch: Chunk, logits: torch.Tensor, features: torch.Tensor
    ) -> torch.Tensor:
        """Return alpha T^2 KL (K, B)."""
        assert state.nets is not None
        old = state.old(batch.t)
        said = softened(state.nets.head(features), old, self.temperature)
        now = softened(logits, old, self.temperature)
        apart = (said.exp() * (said - now)).masked_fill(~old, 0.0).sum(2)
        return self.alpha * self.temperature**2 * apart
