"""Learning from a random teacher first (arXiv:2302.12091)."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.training.recipe import Batch, Recipe, Seeds, fit, train


class _Imitation(Recipe):
    """Match shares of the classes (K * N, C), without labels."""

    def targets(self, state: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return the teacher's shares of the batch's rows."""
        return state[batch.flat]

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Return the cross entropy with them."""
        return fit(logits, self.targets(state, batch))


class RandomTeacher(Recipe):
    """Match a random net's answers, starting near its weights; then train on the labels."""

    card: ClassVar = MethodCard(
        name="random-teacher",
        title="A random teacher first",
        track="recipes",
        paper="arXiv:2302.12091",
        bibtex="""@inproceedings{sarnthein2023random,
  title = {Random Teachers are Good Teachers},
  author = {Sarnthein, Felix and Bachmann, Gregor and Anagnostidis, Sotiris and Hofmann, Thomas},
  booktitle = {ICML},
  year = {2023},
  eprint = {2302.12091},
  archivePrefix = {arXiv}
}""",
        claim="A student of an untrained teacher has better features than the teacher, most so if "
        "it starts near the teacher's weights.",
        deviates="The abstract alone was read: the distance of the start is recalled, and the "
        "first stage has as many epochs as the second and the same schedule. Here the second "
        "stage trains all layers on the same rows.",
        signal="none",
        stacked=True,
        defaults_from="here",
        trials=4,
        tuning={"alpha": (0.1, 0.2, 0.5, 1.0)},
    )
    alpha: Annotated[float, Meta(ge=0)] = 0.2
    """Weight of weights of the student's own at the start, beside the teacher's with weight 1."""

    def start(self, seeds: Seeds) -> None:
        """Take the first stage."""
        teacher = seeds.build(first=1)
        scale = math.sqrt(1 + self.alpha**2)
        with torch.no_grad():
            for mine, other in zip(seeds.nets.parameters(), teacher.parameters(), strict=True):
                mine.copy_((other + self.alpha * mine) / scale)
        part = seeds.part(None, "imitation")
        taught = seeds.logits(teacher).softmax(-1).flatten(0, 1)
        train(_Imitation(), part, taught, report=False)
