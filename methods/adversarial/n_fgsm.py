"""Training on single steps from more noise, without projection (arXiv:2202.01181)."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.adversarial import AdversarialMethod, Attacks, Batch
from bench.training import attacks
from bench.training.nets import StackedNet


class NoisyFgsm(AdversarialMethod):
    """Minimise the cross entropy after one step from x + noise, which may end outside the ball
    (equation 4).
    """

    card: ClassVar = MethodCard(
        name="n-fgsm",
        title="Training on FGSM attacks from strong noise",
        track="adversarial",
        paper="arXiv:2202.01181",
        bibtex="""@inproceedings{dejorge2022make,
  title = {Make Some Noise: Reliable and Efficient Single-Step Adversarial Training},
  author = {de Jorge, Pau and Bibi, Adel and Volpi, Riccardo and Sanyal, Amartya and Torr, Philip H.
    S. and Rogez, Gregory and Dokania, Puneet K.},
  booktitle = {NeurIPS},
  year = {2022},
  eprint = {2202.01181},
  archivePrefix = {arXiv}
}""",
        claim="Noise of twice the radius around the clean row, and no projection, keeps "
        "single-step training from collapsing at radii where others do.",
        official_code="ok",
        deviates="Starting points and attacked rows are put into the unit cube.",
        stacked=True,
        defaults_from="paper",
        tuning={"noise": (0.5, 1.0, 2.0, 3.0)},
    )
    noise: Annotated[float, Meta(ge=0)] = 2.0
    """Half of the range of the noise, in radii."""

    def attack(self, state: Attacks, nets: StackedNet, batch: Batch) -> torch.Tensor:
        """Return the noisy rows after one step of the radius."""
        start = state.start(batch, self.noise * state.ball.eps)
        # around the noisy row, so that nothing is projected but into the cube
        return state.ascend(
            nets, attacks.cross_entropy(batch.y), start, steps=1, step=state.ball.eps
        )
