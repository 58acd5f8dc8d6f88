"""Self-distillation under label noise (arXiv:2301.13304)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.noisy_labels import Batch, NoisyLabelMethod, Seeds, cross_entropy, train
from bench.training.stack import StackedNet


class SelfDistillation(NoisyLabelMethod):
    """Train a teacher on the given labels, then a fresh net of the same kind on the teacher's
    answers, and away from the labels where xi is above 1.
    """

    card: ClassVar = MethodCard(
        name="self-distill",
        title="Self-distillation",
        track="noisy-labels",
        paper="arXiv:2301.13304",
        bibtex="""@inproceedings{das2023understanding,
  title = {Understanding Self-Distillation in the Presence of Label Noise},
  author = {Das, Rudrajit and Sanghavi, Sujay},
  booktitle = {ICML},
  year = {2023},
  eprint = {2301.13304},
  archivePrefix = {arXiv}
}""",
        claim="At 30 to 50 % corrupted labels the student is better than its teacher, and "
        "weights xi above 1 are better than those up to 1.",
        official_code="none",
        deviates="xi is fixed instead of tuned on validation data, and gradients are clipped, "
        "since the objective has no lower bound for xi above 1.",
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"xi": (0.5, 0.8, 1.0, 1.2, 1.5, 1.7, 2.0, 2.5)},
    )
    settings: ClassVar = {"imitate": {"xi": 1.0}, "beyond": {"xi": 1.5}, "far-beyond": {"xi": 2.0}}
    xi: Annotated[float, Meta(ge=0)] = 1.5
    """Weight of the teacher; the labels get 1 - xi, which may be negative. 0 is cross entropy."""
    clip: Annotated[float, Meta(gt=0)] = 5.0
    """Largest norm of a student's gradient."""

    def start(self, seeds: Seeds) -> torch.Tensor:
        """Train the teachers, with initial weights and an order of their
        own, and return their probabilities (K * N, C).
        """
        teachers = seeds.part(None, "teacher")
        teachers.nets = seeds.build(first=1)
        train(NoisyLabelMethod(), teachers, None, report=False)
        return seeds.logits(teachers.nets).softmax(-1).flatten(0, 1)

    def loss(self, state: torch.Tensor, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Xi CE(teacher) + (1 - xi) CE(label)."""
        imitation = -(state[batch.flat] * logits.log_softmax(-1)).sum(-1)
        return self.xi * imitation + (1 - self.xi) * cross_entropy(logits, batch.y)

    def before_step(self, state: Any, nets: StackedNet, batch: Batch) -> None:
        """Shorten each net's gradient to ``clip``."""
        gradients = [
            parameter.grad for parameter in nets.parameters() if parameter.grad is not None
        ]
        norm = (
            torch.stack([gradient.flatten(1).square().sum(1) for gradient in gradients])
            .sum(0)
            .sqrt()
        )
        scale = (self.clip / norm).clamp_max(1.0)
        for gradient in gradients:
            gradient.mul_(scale.view(-1, *[1] * (gradient.dim() - 1)))
