"""Balanced averaging with label smoothing (arXiv:2309.17230)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.group_shift import Batch

from ._finetune import Averaged


class BalancedAveragingSmoothed(Averaged):
    """Fine-tune with smoothed labels, so that the fine-tuned net is not too sure to be averaged."""

    card: ClassVar = MethodCard(
        name="bang-ls",
        title="Balanced averaging (BANG) with label smoothing",
        track="group-shift",
        paper="arXiv:2309.17230",
        bibtex="""@inproceedings{lin2024spurious,
  title = {Spurious Feature Diversification Improves Out-of-distribution Generalization},
  author = {Lin, Yong and Tan, Lu and Hao, Yifan and Wong, Honam and Dong, Hanze and
    Zhang, Weizhong and Yang, Yujiu and Zhang, Tong},
  booktitle = {ICLR},
  year = {2024},
  eprint = {2309.17230},
  archivePrefix = {arXiv}
}""",
        claim="Nets that are averaged after fine-tuning with smoothed labels or mixup do better "
        "under shift than those of WiSE-FT, whose fine-tuned net is too sure of itself.",
        deviates="The strength of the smoothing was not read in the paper.",
        needs=("pretrained",),
        signal="features",
        stacked=True,
        defaults_from="here",
    )
    smoothing: Annotated[float, Meta(ge=0, lt=1)] = 0.1
    """Share of the target that all classes have alike."""

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Cross entropy with (1 - s) of the label and s / C of each class."""
        said = logits.log_softmax(-1)
        own = said.gather(-1, batch.y[..., None])[..., 0]
        return -(1 - self.smoothing) * own - self.smoothing * said.mean(-1)
