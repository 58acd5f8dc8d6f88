"""Dropout (arXiv:1207.0580), on data that a rule makes."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch

from bench import Meta, MethodCard
from bench.tracks.algorithmic import AlgorithmicMethod, Batch, Members


class _State:
    """A generator a member."""

    def __init__(self, members: Members) -> None:
        self.draws = [run.torch_generator("method", "dropout") for run in members.runs]


class Dropout(AlgorithmicMethod):
    """Leave out units of the last hidden layer at random, for each row anew."""

    card: ClassVar = MethodCard(
        name="dropout",
        title="Dropout of the last hidden layer",
        track="algorithmic",
        paper="arXiv:1207.0580",
        bibtex="""@article{hinton2012improving,
  title = {Improving neural networks by preventing co-adaptation of feature detectors},
  author = {Hinton, Geoffrey E. and Srivastava, Nitish and Krizhevsky, Alex and Sutskever, Ilya and
            Salakhutdinov, Ruslan R.},
  journal = {arXiv preprint},
  year = {2012},
  eprint = {1207.0580},
  archivePrefix = {arXiv}
}""",
        claim="On corrupted tables dropout corrects wrong labels and finds the rule "
        "(arXiv:2310.13061).",
        deviates="Units are left out after the square, in the last hidden layer alone.",
        signal="none",
        stacked=True,
        defaults_from="here",
        trials=None,
        tuning={"rate": (0.2, 0.5)},
    )
    rate: Annotated[float, Meta(ge=0, lt=1)] = 0.5
    """Share of units that is left out."""

    def start(self, members: Members) -> _State:
        """Set up the streams."""
        return _State(members)

    def forward(self, state: _State, members: Members, batch: Batch) -> torch.Tensor:
        """Return outputs (K, B, C) of what is left of the layer."""
        features = members.nets.features(batch.x)
        if self.rate:
            drawn = [
                torch.rand(features.shape[1:], generator=g, device=features.device)
                for g in state.draws
            ]
            features = features * (torch.stack(drawn) >= self.rate) / (1 - self.rate)
        return members.nets.head(features)
