"""EL2N scores (arXiv:2107.07075)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from torch.nn import functional as F

from bench import Meta, MethodCard, Run
from bench.tracks.selection import Selectable, Selector, preferred, starts, trained
from bench.training.convnet import Net, Params
from bench.training.fitting import outputs

DIET = """@inproceedings{paul2021deep,
  title = {Deep Learning on a Data Diet: Finding Important Examples Early in Training},
  author = {Paul, Mansheej and Ganguli, Surya and Dziugaite, Gintare Karolina},
  booktitle = {NeurIPS},
  year = {2021},
  eprint = {2107.07075},
  archivePrefix = {arXiv}
}"""
TUNING = {"order": ("hard", "easy", "moderate"), "share": (0.05, 0.1, 0.3)}


class ErrorNorm(Selector):
    """Keep the rows whose class probabilities are farthest from their
    label early in training, by several nets.
    """

    card: ClassVar = MethodCard(
        name="el2n",
        title="EL2N: norm of the error early in training",
        track=("condensation", "selection"),
        paper="arXiv:2107.07075",
        bibtex=DIET,
        official_code="ok",
        deviates="Scored after a tenth of the training, as at epoch 20 of 200: here after one and "
        "a half epochs. The rate falls along a cosine instead of in steps; no augmentation.",
        defaults_from="paper",
        tuning=TUNING,
    )
    nets: Annotated[int, Meta(ge=1)] = 10
    """Nets whose scores are averaged."""
    share: Annotated[float, Meta(ge=0, le=1)] = 0.1
    """Share of a usual training after which they are scored; 0: at the initial weights."""
    order: Literal["hard", "easy", "moderate"] = "hard"
    """Keep the highest scores, the lowest, or those nearest the median."""
    offset: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of the rows with the highest scores that is dropped first:
    they may be wrongly labelled.
    """

    def scores(self, problem: Selectable, run: Run) -> torch.Tensor:
        """Return the mean over early nets of each row's score, in the chosen order."""
        if self.share:
            net, params = trained(
                problem,
                run,
                "scores",
                nets=self.nets,
                epochs=self.share * problem.epochs,
                of=problem.epochs,
            )
        else:
            net, params = problem.net(), starts(problem, run, "scores", self.nets)
        return preferred(self.early(net, params, problem, run).mean(0), self.order, self.offset)

    def early(self, net: Net, params: Params, problem: Selectable, run: Run) -> torch.Tensor:
        """Return each net's || softmax f(x) - onehot(y) ||_2 of every row
        (definition 2.3), (K, N).
        """
        run.count(forward=self.nets * len(problem.y))
        return (
            outputs(net, params, problem.x).softmax(-1) - F.one_hot(problem.y, problem.n_classes)
        ).norm(dim=-1)
