"""Logit adjustment in training (arXiv:2007.07314)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.training.recipe import Batch, Recipe, Seeds, cross_entropy

from ._priors import log_priors


class LogitAdjust(Recipe):
    """Train the logits plus tau log prior, and predict with the logits alone."""

    card: ClassVar = MethodCard(
        name="logit-adjust",
        title="Logit adjustment",
        track="long-tail",
        paper="arXiv:2007.07314",
        bibtex="""@inproceedings{menon2021long,
  title = {Long-Tail Learning via Logit Adjustment},
  author = {Menon, Aditya Krishna and Jayasumana, Sadeep and Rawat, Ankit Singh and Jain, Himanshu
    and Veit, Andreas and Kumar, Sanjiv},
  booktitle = {ICLR},
  year = {2021},
  eprint = {2007.07314},
  archivePrefix = {arXiv}
}""",
        claim="Consistent for the balanced error, where weights and margins are not.",
        official_code="ok",
        deviates="Rate and schedule are the task's.",
        signal="labels",
        stacked=True,
        defaults_from="paper",
        tuning={"tau": (0.5, 1.0, 1.5, 2.0)},
    )
    tau: Annotated[float, Meta(ge=0)] = 1.0
    """Weight of the logarithm of the prior."""

    def start(self, seeds: Seeds) -> torch.Tensor:
        """Return the shift of the logits (K, 1, C)."""
        return self.tau * log_priors(seeds)[:, None]

    def loss(self, state: torch.Tensor, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """CE(z + tau log pi), equation 10."""
        return cross_entropy(logits + state, batch.y)
