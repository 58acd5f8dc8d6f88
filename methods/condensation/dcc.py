"""Dataset condensation with contrastive signals (arXiv:2202.02916)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.condensation_gradients import class_loss, sum_loss
from bench.tracks.condensation_matching import GradientMatching
from bench.training.convnet import Net, Params


class ContrastiveMatching(GradientMatching):
    """Match the mean of all class gradients: what classes share cancels, what tells them apart is
    matched.

    A bi-level warm-up comes first: DC's loss, until enough nets have passed or a net has seen
    enough inner steps.
    """

    card: ClassVar = MethodCard(
        name="dcc",
        title="Dataset condensation with contrastive signals",
        track="condensation",
        paper="arXiv:2202.02916",
        bibtex="""@inproceedings{lee2022dataset,
  title = {Dataset Condensation with Contrastive Signals},
  author = {Lee, Saehyung and Chun, Sanghyuk and Jung, Sangwon and Yun, Sangdoo and Yoon, Sungroh},
  booktitle = {ICML},
  year = {2022},
  eprint = {2202.02916},
  archivePrefix = {arXiv}
}""",
        claim="Matching the mean of all class gradients keeps what tells classes apart, and "
        "beats matching class by class, most where classes are alike.",
        official_code="ok",
        deviates="The warm-up is a share of the nets (the authors' 250 of 1000); loops and real "
        "batch are the task's, the same for all that match gradients: a fresh net for each change, "
        "where the authors train each net on the images between ten changes (paper-ipc1).",
        defaults_from="paper",
        tuning={"lr_img": (0.03, 0.1, 0.3, 1.0), "mom_img": (0.5, 0.9)},
    )
    settings: ClassVar[dict[str, dict[str, Any]]] = {
        "paper-ipc1": {"outer": 1000, "inner": 10, "net_epochs": 5},
        "paper-ipc10": {"outer": 1000, "inner": 10, "net_epochs": 50},
        "paper-ipc50": {"outer": 1000, "inner": 50, "net_epochs": 10},
    }

    outer_warmup: Annotated[float, Meta(ge=0, le=1)] = 0.25
    """Share of the nets after which the contrastive loss is used at every inner step."""
    inner_warmup: Annotated[int, Meta(ge=0)] = 10
    """Inner step from which it is used with earlier nets too."""

    def loss(
        self,
        net: Net,
        params: Params,
        real: torch.Tensor,
        synthetic: torch.Tensor,
        moment: tuple[float, int],
        backend: str,
    ) -> torch.Tensor:
        """Return DCC's loss after the warm-up, DC's before."""
        if moment[0] >= self.outer_warmup or moment[1] >= self.inner_warmup:
            return sum_loss(net, params, real, synthetic, self.metric)
        return class_loss(net, params, real, synthetic, backend, self.metric)
