"""Maximum likelihood label shift with calibrated probabilities (arXiv:1901.06852)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, Method, MethodCard, Run
from bench.tracks.target_shift import Problem, Solution, classes_of
from bench.tracks.target_shift_classes import Calibration, calibrated

from ._em import shares


class CalibratedEM(Method):
    """Calibrate the net, then find the shares of classes under which target rows are likeliest."""

    card: ClassVar = MethodCard(
        name="em",
        title="EM on calibrated probabilities (MLLS)",
        track="target-shift",
        paper="arXiv:1901.06852",
        bibtex="""@inproceedings{alexandari2020maximum,
  title = {Maximum Likelihood with Bias-Corrected Calibration is Hard-To-Beat at Label Shift
    Adaptation},
  author = {Alexandari, Amr M. and Kundaje, Anshul and Shrikumar, Avanti},
  booktitle = {International Conference on Machine Learning},
  year = {2020},
  eprint = {1901.06852},
  archivePrefix = {arXiv}
}""",
        claim="With biases in the calibration, EM estimates weights better than BBSE and RLLS.",
        deviates="formula and calibration checked against the authors' package abstention 0.1.3.1 "
        "(EMImbalanceAdapter, TempScaling), given calibrated probabilities: its own option "
        "iterates on uncalibrated ones; calibration is fitted by Newton's steps, and EM ends at a "
        "change of 1e-8 instead of 1e-6 or 100 rounds",
        signal="held-out",
        needs=("classes",),
        defaults_from="paper",
    )
    settings: ClassVar = {
        "none": {"calibration": "none"},
        "ts": {"calibration": "ts"},
    }
    calibration: Calibration = "bcts"
    """``none``; ``ts``: a temperature; ``bcts``: a temperature and a bias a class."""
    tolerance: Annotated[float, Meta(gt=0, lt=1)] = 1e-8
    """Largest change of a share at which the search ends."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Return q / pi, where pi is the mean probability on source rows, so that no shift is found
        where there is none.
        """
        p = calibrated(classes_of(problem), self.calibration)
        prior = p.val.mean(0)
        return Solution(weights=shares(p.target, prior, self.tolerance) / prior)
