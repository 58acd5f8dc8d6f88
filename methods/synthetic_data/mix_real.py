"""Least squares on each generation and some rows with real answers (arXiv:2402.07712)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.synthetic_data import Chain, ChainMethod, Generation, Rows, ridge


class MixReal(ChainMethod):
    """Fit every generation on its own rows, of which as many as there are fresh rows with real
    answers give way to these.
    """

    card: ClassVar = MethodCard(
        name="mix-real",
        title="Least squares on each generation, a part of it real",
        track="synthetic-data",
        paper="arXiv:2402.07712",
        bibtex="""@article{dohmatob2024model,
  title = {Model Collapse Demystified: The Case of Regression},
  author = {Dohmatob, Elvis and Feng, Yunzhen and Kempe, Julia},
  journal = {NeurIPS},
  year = {2024},
  eprint = {2402.07712},
  archivePrefix = {arXiv}
}""",
        claim="Real rows in the mixture slow the collapse down and do not stop it.",
        deviates="The share of real rows is the task's, in every generation.",
        needs=("noise", "real"),
        defaults_from="here",
    )

    def fit(self, problem: Chain, at: Generation) -> torch.Tensor:
        """Return the weights (d,)."""
        assert at.real is not None, "the card needs it"
        kept = max(0, len(at.rows.y) - len(at.real.y))
        x = torch.cat([at.rows.x[:kept], at.real.x])
        return ridge(Rows(x=x, y=torch.cat([at.rows.y[:kept], at.real.y])), 0.0)
