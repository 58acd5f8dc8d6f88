"""Large losses (the criterion of arXiv:2002.07394 and others)."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch

from bench import MethodCard
from bench.tracks.noisy_labels import Batch, NoisyLabelMethod, Seeds, cross_entropy


class _State:
    """Each row's loss: summed over the epochs, or of the last one."""

    def __init__(self, seeds: Seeds) -> None:
        self.losses = seeds.zeros(seeds.members * seeds.n_rows)


class Loss(NoisyLabelMethod):
    """Train with cross entropy, and suspect the rows whose loss is large."""

    card: ClassVar = MethodCard(
        name="loss",
        title="Loss in training, split by two Gaussians",
        track="label-errors",
        paper="arXiv:2002.07394",
        bibtex="""@inproceedings{li2020dividemix,
  title = {DivideMix: Learning with Noisy Labels as Semi-supervised Learning},
  author = {Li, Junnan and Socher, Richard and Hoi, Steven C. H.},
  booktitle = {ICLR},
  year = {2020},
  eprint = {2002.07394},
  archivePrefix = {arXiv}
}""",
        deviates="Only the paper's split of rows, after a whole training and on the mean loss of "
        "all epochs; its mixture is fitted for 10 iterations, here to the end.",
        signal="dynamics",
        libraries=("sklearn",),
        stacked=True,
        plain=True,
        defaults_from="here",
        trials=None,
    )
    over: Literal["mean", "last"] = "mean"
    """Loss of a row: mean over all epochs, each at the moment the row is
    trained on; or that of the last epoch.
    """

    def start(self, seeds: Seeds) -> _State:
        """Start the sums."""
        return _State(seeds)

    def loss(self, state: _State, batch: Batch, logits: torch.Tensor) -> torch.Tensor:
        """Cross entropy; noted."""
        losses = cross_entropy(logits, batch.y)
        if self.over == "mean":
            state.losses[batch.flat] += losses.detach()
        else:
            state.losses[batch.flat] = losses.detach()
        return losses

    def finish(self, state: _State, seeds: Seeds) -> list[dict[str, Any]]:
        """Suspicion: the loss.

        Flagged: more likely of the mixture's component with the higher mean.
        """
        losses = state.losses.view(seeds.members, -1) / (
            seeds.problem.epochs if self.over == "mean" else 1
        )
        draws = [
            int(run.numpy_generator("method", "mixture").integers(2**31)) for run in seeds.runs
        ]
        return [
            {"clean_score": -own, "kept": ~_high(own, draw)}
            for own, draw in zip(losses, draws, strict=True)
        ]


def _high(losses: torch.Tensor, seed: int) -> torch.Tensor:
    """Return which of the losses (N,), brought to [0, 1], belong to the
    higher of two Gaussians; none where all are equal.
    """
    from sklearn.mixture import GaussianMixture

    values = losses.double().cpu().numpy()[:, None]
    span = values.max() - values.min()
    if span == 0:
        return torch.zeros_like(losses, dtype=torch.bool)
    values = (values - values.min()) / span
    mixture = GaussianMixture(2, max_iter=1000, tol=1e-4, reg_covar=5e-4, random_state=seed).fit(
        values
    )
    return torch.from_numpy(mixture.predict_proba(values)[:, mixture.means_.argmax()] > 0.5).to(
        losses.device
    )
