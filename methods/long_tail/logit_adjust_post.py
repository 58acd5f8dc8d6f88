"""Logit adjustment after training (arXiv:2007.07314)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.training.recipe import Model, Recipe, Seeds
from bench.training.stack import StackedNet

from ._priors import Shifted, log_priors


class LogitAdjustPost(Recipe):
    """Train plainly, and predict with the logits minus tau log prior."""

    card: ClassVar = MethodCard(
        name="logit-adjust-post",
        title="Logit adjustment after training",
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
        claim="A shift of the logits of a trained net is consistent for the balanced error, at no "
        "cost.",
        official_code="ok",
        deviates="Rate and schedule are the task's; tau is not tuned on held-out rows.",
        signal="labels",
        stacked=True,
        defaults_from="paper",
        tuning={"tau": (0.5, 1.0, 1.5, 2.0)},
    )
    tau: Annotated[float, Meta(ge=0)] = 1.0
    """Weight of the logarithm of the prior."""

    def start(self, seeds: Seeds) -> torch.Tensor:
        """Return the shift of the logits (K, C)."""
        return -self.tau * log_priors(seeds)

    def readout(self, state: torch.Tensor, nets: StackedNet, k: int) -> Model:
        """Return net ``k`` with shifted logits (equation 9)."""
        return Shifted(nets.member(k), state[k])
