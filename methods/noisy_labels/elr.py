"""Early-learning regularisation (arXiv:2007.00151)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.noisy_labels import Batch, NoisyLabelMethod, Seeds, cross_entropy
from bench.training.rows import taken


class EarlyLearningRegularisation(NoisyLabelMethod):
    """Pull each prediction towards a running average of the net's own
    earlier predictions for that row.
    """

    card: ClassVar = MethodCard(
        name="elr",
        title="Early-learning regularisation",
        track=("noisy-labels", "label-errors"),
        paper="arXiv:2007.00151",
        bibtex="""@inproceedings{liu2020early,
  title = {Early-Learning Regularization Prevents Memorization of Noisy Labels},
  author = {Liu, Sheng and Niles-Weed, Jonathan and Razavian, Narges and Fernandez-Granda, Carlos},
  booktitle = {NeurIPS},
  year = {2020},
  eprint = {2007.00151},
  archivePrefix = {arXiv}
}""",
        claim="Stops wrong labels from being memorised and ends far above cross entropy, at "
        "every rate of symmetric and asymmetric noise.",
        official_code="ok",
        deviates="Defaults are this project's small-data values, beta .7 and lam 3 for every kind "
        "of noise; the paper's are in 'settings'. The last epoch is judged; the authors' code "
        "keeps the one that is best on held-out rows with noisy labels.",
        signal="dynamics",
        stacked=True,
        tuning={"lam": (1.0, 3.0, 7.0), "beta": (0.5, 0.7, 0.9)},
        defaults_from="here",
        trials=2,
    )
    settings: ClassVar = {
        "cifar10-sym": {"beta": 0.7, "lam": 3.0},
        "cifar10-asym": {"beta": 0.9, "lam": 1.0},
        "cifar100": {"beta": 0.9, "lam": 7.0},
    }
    lam: Annotated[float, Meta(ge=0)] = 3.0
    """Weight of the regulariser; the sensitive knob. 0 is cross entropy."""
    beta: Annotated[float, Meta(ge=0, lt=1)] = 0.7
    """Memory of the targets."""

    def start(self, seeds: Seeds) -> torch.Tensor:
        """Return the targets t, (K * N, C), zero at first."""
        return seeds.zeros(seeds.members * seeds.n_rows, seeds.problem.n_classes)

    def loss(self, state: torch.Tensor, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """CE + lam log(1 - <p, t>), eq. 6; t moves before the loss reads it."""
        p = logits.softmax(-1).clamp(1e-4, 1 - 1e-4)
        now = p.detach()
        target = self.beta * taken(state, batch.flat) + (1 - self.beta) * now / now.sum(
            -1, keepdim=True
        )
        state[batch.flat] = target
        return cross_entropy(logits, batch.y) + self.lam * (1 - (target * p).sum(-1)).log()

    def finish(self, state: torch.Tensor, seeds: Seeds) -> list[dict[str, Any]]:
        """Read corrections and scores off the targets; a row never visited keeps its label."""
        targets = state.view(seeds.members, seeds.n_rows, -1)
        labels = torch.where(targets.sum(-1) > 0, targets.argmax(-1), seeds.y)
        scores = targets.gather(-1, seeds.y[..., None])[..., 0]
        return [{"labels": labels[k], "clean_score": scores[k]} for k in range(seeds.members)]
