"""Uncertainty of a trained net: margin, entropy, least confidence
(selection by a proxy, arXiv:1906.11829).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch

from bench import Meta, MethodCard, Run
from bench.tracks.selection import Selectable, Selector, preferred, trained
from bench.training.fitting import outputs


class Uncertainty(Selector):
    """Keep the rows of which nets trained on all rows are least sure.

    Labels do not enter the score.
    """

    card: ClassVar = MethodCard(
        name="margin",
        title="Smallest margin of a trained net",
        track=("condensation", "selection"),
        paper="arXiv:1906.11829",
        bibtex="""@inproceedings{coleman2020selection,
  title = {Selection via Proxy: Efficient Data Selection for Deep Learning},
  author = {Coleman, Cody and Yeh, Christopher and Mussmann, Stephen and Mirzasoleiman, Baharan and
    Bailis, Peter and Liang, Percy and Leskovec, Jure and Zaharia, Matei},
  booktitle = {ICLR},
  year = {2020},
  eprint = {1906.11829},
  archivePrefix = {arXiv}
}""",
        official_code="ok",
        deviates="Ranks by the margin between the two likeliest classes; the authors' code has "
        "entropy and least confidence (measure). The proxy is the net of the task itself, trained "
        "as long as the task trains.",
        defaults_from="here",
        trials=None,
        tuning={
            "measure": ("margin", "entropy", "least-confidence"),
            "order": ("hard", "easy", "moderate"),
        },
    )
    measure: Literal["margin", "entropy", "least-confidence"] = "margin"
    """What is small where a net is sure: 1 - (p1 - p2), the entropy, or 1 - p1."""
    nets: Annotated[int, Meta(ge=1)] = 1
    """Nets whose probabilities are averaged."""
    share: Annotated[float, Meta(gt=0, le=1)] = 1.0
    """Share of a usual training after which they are asked."""
    order: Literal["hard", "easy", "moderate"] = "hard"
    """Keep the least certain, the most certain, or those nearest the median."""

    def scores(self, problem: Selectable, run: Run) -> torch.Tensor:
        """Return the uncertainty of each row; higher means less sure."""
        net, params = trained(
            problem,
            run,
            "scores",
            nets=self.nets,
            epochs=self.share * problem.epochs,
            of=problem.epochs,
        )
        run.count(forward=self.nets * len(problem.y))
        return preferred(
            uncertainty(outputs(net, params, problem.x).softmax(-1).mean(0), self.measure),
            self.order,
            0.0,
        )


def uncertainty(probabilities: torch.Tensor, measure: str) -> torch.Tensor:
    """Return how unsure probabilities (N, C) are, (N,); higher means less sure."""
    if measure == "entropy":
        return -torch.special.xlogy(probabilities, probabilities).sum(1)
    first, second = probabilities.topk(2, dim=1).values.unbind(1)
    return 1 - first if measure == "least-confidence" else 1 - (first - second)
