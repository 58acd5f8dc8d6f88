"""Fine-tuning with very large dropout (arXiv:2403.00946)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.group_shift import Batch, Seeds
from bench.training.stack import StackedNet

from ._finetune import Ends, FineTuned


class _State(Ends):
    """The ends of fine-tuning, and a generator of masks a member."""

    def __init__(self, seeds: Seeds, ends: Ends) -> None:
        self.start, self.between = ends.start, ends.between
        self.generators = [run.torch_generator("method", "masks") for run in seeds.runs]


def dropped(features: torch.Tensor, rate: float, generators: list[torch.Generator]) -> torch.Tensor:
    """Return features (K, B, D) of which a share ``rate`` in [0, 1) is 0 and the others are larger
    by 1 / (1 - rate), each member's drawn from a generator of its own.
    """
    drawn = [
        torch.rand(features.shape[1:], generator=one, device=features.device) for one in generators
    ]
    return features * (torch.stack(drawn) >= rate) / (1 - rate)


class VeryLargeDropout(FineTuned):
    """Drop nine tenths of the features that the last layer reads, while all layers are trained."""

    card: ClassVar = MethodCard(
        name="very-large-dropout",
        title="Fine-tuning with very large dropout",
        track="group-shift",
        paper="arXiv:2403.00946",
        bibtex="""@article{zhang2024fine,
  title = {Fine-tuning with Very Large Dropout},
  author = {Zhang, Jianyu and Bottou, L{\\'e}on},
  journal = {arXiv preprint},
  year = {2024},
  eprint = {2403.00946},
  archivePrefix = {arXiv}
}""",
        claim="Fine-tuning with dropout of .9 on the penultimate features does better out of "
        "distribution than ensembles and averaged weights.",
        official_code="ok",
        deviates="AdamW and as many epochs as the other methods, after a probe of the head. The "
        "net has some hundred features, which were learned from few rows; the paper's large "
        "trained nets have features to spare.",
        needs=("pretrained",),
        signal="features",
        stacked=True,
        defaults_from="paper",
        tuning={"rate": (0.0, 0.5, 0.9)},
    )
    rate: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    """Share of the features that is dropped."""

    def prepared(self, seeds: Seeds, ends: Ends) -> _State:
        """Set up the private streams."""
        return _State(seeds, ends)

    def forward(self, state: Any, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return logits (K, B, C) of the features that are left."""
        return nets.head(dropped(nets.features(batch.x), self.rate, state.generators))
