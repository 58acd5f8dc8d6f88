"""Greedy k-center (arXiv:1708.00489)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch

from bench import MethodCard, Run
from bench.tracks.selection import Selectable, Selector, features_of, greedy


class KCenter(Selector):
    """Add the row farthest from those kept, class by class where classes
    are balanced; the first is the one nearest the mean.
    """

    card: ClassVar = MethodCard(
        name="k-center",
        title="Greedy k-center",
        track=("condensation", "selection"),
        paper="arXiv:1708.00489",
        bibtex="""@inproceedings{sener2018active,
  title = {Active Learning for Convolutional Neural Networks: A Core-Set Approach},
  author = {Sener, Ozan and Savarese, Silvio},
  booktitle = {ICLR},
  year = {2018},
  eprint = {1708.00489},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates="The greedy start alone, without the integer programme that improves it and sets "
        "outliers aside. Starts at the row nearest the mean instead of a random one "
        "(start=random). Features of one net trained on all rows and labels as long as the task "
        "trains; the paper's net knows the labels asked for so far.",
        defaults_from="here",
        trials=None,
        tuning={"features": ("net", "pixels"), "start": ("mean", "random")},
    )
    features: Literal["net", "pixels"] = "net"
    """Where distances are taken: in the last hidden layer of a trained net, or in pixels."""
    start: Literal["mean", "random"] = "mean"
    """The first row."""

    def scores(self, problem: Selectable, run: Run) -> torch.Tensor:
        """Return minus the place at which each row is picked."""
        generator = run.torch_generator("method", "start", device="cpu")

        def pick(features: torch.Tensor, count: int) -> torch.Tensor:
            distance = (features - features.mean(0)).square().sum(1)
            best = (
                distance.argmin()
                if self.start == "mean"
                else torch.randint(len(features), (), generator=generator).to(features.device)
            )
            return farthest(features, count, best)

        return greedy(problem, features_of(problem, run, self.features, problem.epochs), pick)


def farthest(features: torch.Tensor, count: int, first: torch.Tensor) -> torch.Tensor:
    """Return ``first`` and then, again and again, the row of the features (N, F) farthest from
    those already picked, (count,), int64.
    """
    norms = features.square().sum(1)
    nearest = torch.full_like(norms, torch.inf)
    picked = torch.empty(count, dtype=torch.int64, device=features.device)
    best = first
    for k in range(count):
        picked[k] = best
        # in place, and the factor beside the product: no pick copies all features
        distance = torch.mv(features, features[best]).mul_(2)
        torch.sub(norms, distance, out=distance).add_(norms[best])
        torch.minimum(nearest, distance, out=nearest)
        nearest[best] = -torch.inf
        best = nearest.argmax()
    return picked
