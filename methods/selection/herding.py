"""Herding (arXiv:1206.6472, in the greedy form of iCaRL, arXiv:1611.07725)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch

from bench import MethodCard, Run
from bench.tracks.selection import Selectable, Selector, features_of, greedy


class Herding(Selector):
    """Add the row that brings the mean feature of those kept nearest to
    the mean of all, class by class where classes are balanced.
    """

    card: ClassVar = MethodCard(
        name="herding",
        title="Herding",
        track=("condensation", "selection"),
        paper="arXiv:1611.07725",
        bibtex="""@inproceedings{rebuffi2017icarl,
  title = {iCaRL: Incremental Classifier and Representation Learning},
  author = {Rebuffi, Sylvestre-Alvise and Kolesnikov, Alexander and Sperl, Georg and Lampert,
    Christoph H.},
  booktitle = {CVPR},
  year = {2017},
  eprint = {1611.07725},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates="Features are not scaled to unit length; they are of one net trained on all rows "
        "as long as the task trains. Where a task asks for no balance the rows are taken from all "
        "classes together.",
        defaults_from="paper",
        tuning={"features": ("net", "pixels")},
    )
    features: Literal["net", "pixels"] = "net"
    """Where means are taken: in the last hidden layer of a trained net, or in pixels."""

    def scores(self, problem: Selectable, run: Run) -> torch.Tensor:
        """Return minus the place at which each row is picked: argmin_i
        ||(k + 1) mu - sum of the picked - f_i||.
        """

        def pick(features: torch.Tensor, count: int) -> torch.Tensor:
            mean, total = features.mean(0), torch.zeros_like(features[0])
            norms, free = (
                features.square().sum(1),
                torch.zeros(len(features), device=features.device),
            )
            picked = torch.empty(count, dtype=torch.int64, device=features.device)
            for k in range(count):
                best = (norms - 2 * features @ ((k + 1) * mean - total) + free).argmin()
                picked[k], free[best] = best, torch.inf
                total = total + features[best]
            return picked

        return greedy(problem, features_of(problem, run, self.features, problem.epochs), pick)
