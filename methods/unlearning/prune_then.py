"""Prune first, then unlearn (arXiv:2304.04934)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch

from bench import Meta, MethodCard
from bench.tracks.unlearning import (
    Group,
    Nets,
    Solution,
    UnlearningMethod,
    restrict,
    solutions,
    train,
)

from .ft import FineTune
from .ga import GradientAscent
from .neggrad_plus import NegGradPlus

THEN: dict[str, type[UnlearningMethod]] = {
    "ft": FineTune,
    "ga": GradientAscent,
    "neggrad-plus": NegGradPlus,
}


class PruneThen(UnlearningMethod):
    """Prune the original by magnitude and train it on all rows, before any
    request; then unlearn with the mask fixed.
    """

    card: ClassVar = MethodCard(
        name="prune-then",
        title="Prune, then unlearn",
        track=("unlearning-privacy", "unlearning-correction"),
        paper="arXiv:2304.04934",
        bibtex="""@inproceedings{jia2023model,
  title = {Model Sparsity Can Simplify Machine Unlearning},
  author = {Jia, Jinghan and Liu, Jiancheng and Ram, Parikshit and Yao, Yuguang and Liu, Gaowen and
    Liu, Yang and Sharma, Pranay and Liu, Sijia},
  booktitle = {NeurIPS},
  year = {2023},
  eprint = {2304.04934},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates=(
            "The paper rewinds to the weights of epoch 8 before it trains the pruned model again; "
            "a problem holds the final weights alone, so training continues from them at the "
            "recipe's epoch 'rewind', here 16 of 20. That part comes before the request: its "
            "passes are in 'precompute', its seconds in the run's."
        ),
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"sparsity": (0.5, 0.8, 0.9, 0.95), "rewind": (12, 16)},
    )
    settings: ClassVar = {"cifar10": {"sparsity": 0.95, "rewind": 8}}
    sparsity: Annotated[float, Meta(ge=0, lt=1)] = 0.8
    """Share of the weights set to 0."""
    rewind: Annotated[int, Meta(ge=0)] = 16
    """Epoch of the recipe from which the pruned model is trained on."""
    then: Literal["ft", "ga", "neggrad-plus"] = "ft"
    """What unlearns, with its defaults."""

    def unlearn(self, group: Group) -> list[Solution]:
        """Prune, train, unlearn."""
        nets = group.originals()
        masks = self.masks(nets)
        with torch.no_grad():
            for parameter, mask in zip(nets.parameters(), masks, strict=True):
                parameter *= mask
        restrict(nets, masks)
        first = min(self.rewind, group.problem.epochs)
        train(group, nets, group.rows(group.everything, "everything"), first=first)
        group.begin_with(nets, masks)
        unlearned = THEN[self.then]().unlearn(group)
        assert isinstance(unlearned, Nets), "the methods named in 'then' return nets"
        precompute = 2 * (group.problem.epochs - first) * group.everything.shape[1]
        return solutions(unlearned, precompute=precompute)

    def masks(self, nets: Nets) -> list[torch.Tensor]:
        """Return 1 for each weight of a linear or convolutional layer among a member's largest, and
        for everything else there is; else 0.
        """
        matrices = nets.matrices()
        sizes = torch.cat([weight.detach().abs().flatten(1) for weight in matrices], 1)
        count = max(1, round((1 - self.sparsity) * sizes.shape[1]))
        kept = torch.zeros_like(sizes).scatter_(1, sizes.topk(count, dim=1).indices, 1.0)
        parts = kept.split([weight[0].numel() for weight in matrices], 1)
        of_matrix = {
            id(weight): part.reshape(weight.shape)
            for part, weight in zip(parts, matrices, strict=True)
        }
        return [
            of_matrix.get(id(parameter), torch.ones_like(parameter))
            for parameter in nets.parameters()
        ]
