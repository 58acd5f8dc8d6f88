"""Co-teaching (arXiv:1804.06872)."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.noisy_labels import Batch, NoisyLabelMethod, Seeds, cross_entropy


class _State:
    """The share forgotten at each moment, and which rows the first net was last trained on."""

    def __init__(self, seeds: Seeds) -> None:
        assert seeds.noise_rate is not None, "the card asks for the noise rate"
        self.rate = seeds.noise_rate
        self.kept = seeds.zeros(seeds.members * seeds.n_rows, dtype=torch.bool)


class CoTeaching(NoisyLabelMethod):
    """Two nets; each learns from the rows on which the other's loss is smallest."""

    card: ClassVar = MethodCard(
        name="coteaching",
        title="Co-teaching",
        track=("noisy-labels", "label-errors"),
        paper="arXiv:1804.06872",
        bibtex="""@inproceedings{han2018coteaching,
  title = {Co-teaching: Robust Training of Deep Neural Networks with Extremely Noisy Labels},
  author = {Han, Bo and Yao, Quanming and Yu, Xingrui and Niu, Gang and Xu, Miao and Hu, Weihua and
    Tsang, Ivor and Sugiyama, Masashi},
  booktitle = {NeurIPS},
  year = {2018},
  eprint = {1804.06872},
  archivePrefix = {arXiv}
}""",
        claim="Far fewer wrong labels are learned than by training on all rows, most of all "
        "where nearly half of them are wrong.",
        official_code="flawed",
        deviates="SGD and schedule of the task instead of Adam. The official code divides a mean "
        "by the kept count once more; here the mean is taken once. In the first epoch nothing is "
        "forgotten; the official code starts one step further up its ramp, the paper too. The true "
        "rate of wrong labels is told, where the authors tell the nominal one. The last epoch is "
        "judged, and not the mean of the last ten.",
        needs=("noise-rate",),
        signal="dynamics",
        stacked=True,
        defaults_from="paper",
        tuning={"ramp": (1, 2, 5, 10, 15, 20, 30, 40)},
    )
    nets: ClassVar[int] = 2
    ramp: Annotated[int, Meta(ge=1)] = 10
    """Epochs over which the forgotten share rises linearly to the noise rate (the paper's T_k)."""

    def start(self, seeds: Seeds) -> _State:
        """Remember the rate."""
        return _State(seeds)

    def loss(self, state: _State, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Mean cross entropy of each net over the rows the other one ranks lowest (of equals the
        earlier): int((1 - R) B) of them, at least one.
        """
        losses = cross_entropy(logits, batch.y.expand(2, -1, -1))
        progress = min(1.0, batch.epoch / (self.ramp - 1)) if self.ramp > 1 else 1.0
        count = ((1 - state.rate * progress) * batch.y.shape[1]).long().clamp_min(1)
        chosen = losses.detach().flip(0).argsort(dim=-1, stable=True).argsort(-1) < count[:, None]
        state.kept[batch.flat] = chosen[0]
        return ((losses * chosen).sum(-1) / count)[..., None]

    def finish(self, state: _State, seeds: Seeds) -> list[dict[str, Any]]:
        """Say which rows the first net was trained on in the last epoch."""
        return [{"kept": state.kept.view(seeds.members, -1)[k]} for k in range(seeds.members)]
