"""Temperature scaling (arXiv:1706.04599) of nets, by the condensed set that they learned from."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from bench import MethodCard, Run
from bench.tracks.condensation import Problem, SmallSet

from .dm import DistributionMatching


class Temperature(DistributionMatching):
    """The set of distribution matching, whose nets get the temperature of least negative log
    likelihood on the set itself.

    What anyone would try first who has the set alone. Accuracy is that of ``dm`` to the bit: a
    temperature moves no prediction.
    """

    card: ClassVar = MethodCard(
        name="temperature",
        title="Temperature scaling on distribution matching, by the set",
        track="condensation-calibration",
        paper="arXiv:1706.04599",
        bibtex="""@inproceedings{guo2017calibration,
  title = {On Calibration of Modern Neural Networks},
  author = {Guo, Chuan and Pleiss, Geoff and Sun, Yu and Weinberger, Kilian Q.},
  booktitle = {ICML},
  year = {2017},
  eprint = {1706.04599},
  archivePrefix = {arXiv}
}""",
        official_code="none",
        deviates="Fitted on the images that the nets learned from, the data that mts has, not on "
        "held-out ones (temperature-real does that); found by bisection instead of L-BFGS, the "
        "loss being convex in its inverse.",
        plain=True,
        defaults_from="paper",
        tuning={"lr_img": (0.3, 1.0, 3.0, 10.0), "mom_img": (0.5, 0.9)},
    )

    def solve(self, problem: Problem, run: Run) -> SmallSet:
        """Return the set of dm with the wish for a temperature fitted on it."""
        return msgspec.structs.replace(super().solve(problem, run), temperature="set")
