"""Rows whose gradients are large and differ (arXiv:1906.03671)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch.nn import functional as F

from bench import MethodCard
from bench.tracks.active_learning import ActiveMethod, View

from ._geometry import Distances, k_means_plus_plus


class Badge(ActiveMethod):
    """Choose by k-means++ among gradients of the last layer, taken at the predicted labels."""

    card: ClassVar = MethodCard(
        name="badge",
        title="Diverse gradient embeddings (BADGE)",
        track="active-learning",
        paper="arXiv:1906.03671",
        bibtex="""@inproceedings{ash2020deep,
  title = {Deep Batch Active Learning by Diverse, Uncertain Gradient Lower Bounds},
  author = {Ash, Jordan T. and Zhang, Chicheng and Krishnamurthy, Akshay and Langford, John and
    Agarwal, Alekh},
  booktitle = {ICLR},
  year = {2020},
  eprint = {1906.03671},
  archivePrefix = {arXiv}
}""",
        claim="Whatever the batch and the net, it is as good as or better than uncertainty or "
        "diversity alone.",
        deviates="The first row is the one of the largest gradient, not one drawn at random.",
        needs=("classes",),
        stacked=True,
        defaults_from="paper",
    )

    def ask(self, state: None, view: View) -> torch.Tensor:
        """Return the open rows (count,) of algorithm 1, the first that of the largest gradient."""
        errors = view.p - F.one_hot(view.logits.argmax(1), view.problem.n_outputs)
        return view.open[diverse(errors, view.hidden, view.count, view.generator("centres"))]


def diverse(
    errors: torch.Tensor, hidden: torch.Tensor, count: int, drawn: torch.Generator
) -> torch.Tensor:
    """Return the places (count,) of the outer products of errors (m, C) and hidden layers (m, D)
    that k-means++ chooses: the longest, then each by its squared distance from those before it.
    """
    lengths = errors.square().sum(1) * hidden.square().sum(1)
    return k_means_plus_plus(
        gradients_apart(errors, hidden),
        torch.full_like(lengths, torch.inf),  # there is no centre yet
        count,
        drawn,
        first=int(lengths.argmax()),
    )


def gradients_apart(errors: torch.Tensor, hidden: torch.Tensor) -> Distances:
    """Return squared distances between the outer products of errors (m, C) and hidden layers (m,
    D), without making one: <a h, b g> = <a, b> <h, g>.
    """
    lengths = errors.square().sum(1) * hidden.square().sum(1)

    def distances(place: int) -> torch.Tensor:
        inner = (errors @ errors[place]) * (hidden @ hidden[place])
        return (lengths + lengths[place] - 2 * inner).clamp_min_(0)

    return distances
