"""Product of experts with a weak learner (arXiv:2012.01300)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.group_shift import Batch, GroupMethod, Seeds, cross_entropy, train
from bench.training.stack import StackedMLP


class ProductOfExperts(GroupMethod):
    """Train beside a weak model that is fixed, so that nothing is left to learn where it is
    right.
    """

    card: ClassVar = MethodCard(
        name="poe",
        title="Product of experts with a weak learner",
        track="group-shift",
        paper="arXiv:2012.01300",
        bibtex="""@inproceedings{sanh2021poe,
  title = {Learning from others' mistakes: Avoiding dataset biases without modeling them},
  author = {Sanh, Victor and Wolf, Thomas and Belinkov, Yonatan and Rush, Alexander M.},
  booktitle = {ICLR},
  year = {2021},
  eprint = {2012.01300},
  archivePrefix = {arXiv}
}""",
        claim="A model trained with a weak one is more accurate out of distribution, without "
        "knowing the biases.",
        deviates="The weak model is a linear softmax on the inputs; the paper's is a small "
        "language model.",
        signal="early-errors",
        stacked=True,
        defaults_from="here",
        tuning={"weak_epochs": (1, 3, 10)},
    )
    weak_epochs: Annotated[int, Meta(ge=0)] = 3
    """Epochs of the weak model; 0: it is not trained, and says the same of every class."""

    def start(self, seeds: Seeds) -> torch.Tensor:
        """Train the weak model and return the logarithm of what it finds probable (K * N, C)."""
        shape = (seeds.members * seeds.n_rows, seeds.problem.n_classes)
        if not self.weak_epochs:
            return seeds.zeros(*shape)
        stage = seeds.stage(self.weak_epochs, "weak")
        sizes = (seeds.problem.x[0].numel(), seeds.problem.n_classes)
        stage.nets = StackedMLP(
            sizes, [run.seeded("init", "weak") for run in seeds.runs], seeds.device
        )
        train(GroupMethod(), stage, None, report=False)
        return stage.logits(stage.nets).log_softmax(-1).view(shape)

    def loss(self, state: torch.Tensor, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Cross entropy of softmax(log p + log p_weak) (equation 1)."""
        return cross_entropy(logits.log_softmax(-1) + state[batch.flat], batch.y)
