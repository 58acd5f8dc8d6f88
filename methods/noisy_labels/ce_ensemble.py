"""Cross entropy at the cost of the best methods: several nets that predict
together (arXiv:1612.01474).
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.noisy_labels import Batch, Model, NoisyLabelMethod, Seeds, Solution, cross_entropy
from bench.training.stack import StackedNet


class Ensemble(NoisyLabelMethod):
    """Train several nets from other initial weights, and average what they find probable."""

    card: ClassVar = MethodCard(
        name="ce-ensemble",
        title="Cross entropy with three nets that predict together",
        track=("noisy-labels", "label-errors"),
        paper="arXiv:1612.01474",
        bibtex="""@inproceedings{lakshminarayanan2017simple,
  title = {Simple and Scalable Predictive Uncertainty Estimation using Deep Ensembles},
  author = {Lakshminarayanan, Balaji and Pritzel, Alexander and Blundell, Charles},
  booktitle = {NeurIPS},
  year = {2017},
  eprint = {1612.01474},
  archivePrefix = {arXiv}
}""",
        claim="The mean of a few nets is more accurate and better calibrated than one; no claim "
        "about wrong labels.",
        deviates=(
            "Three nets instead of five: as many visits of rows as elr-plus, the leader of the "
            "board in the suite 2026.2, whose two nets are followed by two "
            "averages. No adversarial examples; all nets see the batches in one order. The board "
            "ranks what they say together."
        ),
        signal="dynamics",
        stacked=True,
        plain=True,
        defaults_from="here",
    )
    members: Annotated[int, Meta(ge=1)] = 3
    """Nets of a seed."""

    @property
    def nets(self) -> int:  # type: ignore[override]
        """Nets trained side by side for each seed."""
        return self.members

    def loss(self, state: Any, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Cross entropy of each net."""
        return cross_entropy(logits, batch.y.expand(logits.shape[:-1]))

    def readout(self, state: Any, nets: StackedNet, k: int) -> Model:
        """Return all nets of member ``k`` as one classifier: the log of
        the mean of their probabilities.
        """
        seeds = nets.members // self.members
        members = [nets.member(net * seeds + k) for net in range(self.members)]
        if self.members == 1:
            found: Model = members[0]
            return found
        return lambda x: (
            torch.stack([member(x).log_softmax(-1) for member in members])
            .logsumexp(0)
            .log_softmax(-1)
        )

    def solutions(self, state: Any, seeds: Seeds) -> list[Solution]:
        """Return the nets together, once."""
        return [Solution(model=self.readout(state, seeds.nets, k)) for k in range(seeds.members)]
