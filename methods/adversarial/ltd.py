"""Low temperature distillation (arXiv:2111.02331)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.adversarial import Attacks, Batch, Seeds, divergence
from bench.training.recipe import Recipe, fit, train
from bench.training.state import evaluating

from .trades import Trades


class _State(Attacks):
    """The attacks, and the teacher's logits of all rows (K, N, C)."""

    def __init__(self, seeds: Seeds) -> None:
        super().__init__(seeds, "normal")
        teacher = seeds.part(None, "teacher")
        teacher.nets = seeds.build(first=1)
        train(Recipe(), teacher, None, report=False)
        with evaluating(teacher.nets):
            self.logits = seeds.logits(teacher.nets)


class LowTemperature(Trades):
    """TRADES with the probabilities of a teacher, a plain net of a low temperature, in place of the
    labels (equation 7).
    """

    card: ClassVar = MethodCard(
        name="ltd",
        title="Low temperature distillation",
        track="adversarial",
        paper="arXiv:2111.02331",
        bibtex="""@article{chen2021ltd,
  title = {LTD: Low Temperature Distillation for Robust Adversarial Training},
  author = {Chen, Erh-Chung and Lee, Che-Rung},
  journal = {arXiv preprint},
  year = {2021},
  eprint = {2111.02331},
  archivePrefix = {arXiv}
}""",
        claim="Soft labels of a teacher, with a low temperature and none of the student's, make "
        "nets more robust without masked gradients.",
        official_code="none",
        deviates="The abstract was read. The temperature is ours, the teacher a net of the same "
        "form, trained on the clean rows; its training costs a pass more.",
        stacked=True,
        defaults_from="here",
        trials=3,
        tuning={"temperature": (1.0, 2.0, 5.0), "beta": (1.0, 3.0, 6.0)},
    )
    temperature: Annotated[float, Meta(gt=0)] = 2.0
    """What the teacher's logits are divided by; the student's are not."""

    def start(self, seeds: Seeds) -> _State:
        """Train the teacher."""
        return _State(seeds)

    def targets(self, state: Attacks, batch: Batch) -> torch.Tensor:
        """Return the teacher's probabilities (K, B, C)."""
        assert isinstance(state, _State)
        rows = batch.rows[..., None].expand(-1, -1, state.logits.shape[-1])
        return (state.logits.gather(1, rows) / self.temperature).softmax(-1)

    def loss(self, state: Attacks, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """CE(z, teacher) + beta KL(p || p_adv)."""
        soft = fit(logits[0], self.targets(state, batch))
        return soft + self.beta * divergence(logits[0], logits[1])
