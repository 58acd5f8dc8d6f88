"""EM on the net's own probabilities (doi:10.1162/089976602753284446)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from bench import Meta, Method, MethodCard, Run
from bench.tracks.target_shift import Problem, Solution, classes_of

from ._em import shares


class PlainEM(Method):
    """Find the shares of classes under which target rows are likeliest, if the net's probabilities
    are right.
    """

    card: ClassVar = MethodCard(
        name="em-saerens",
        title="EM on the net's probabilities",
        track="target-shift",
        paper="doi:10.1162/089976602753284446",
        bibtex="""@article{saerens2002adjusting,
  title = {Adjusting the Outputs of a Classifier to New a Priori Probabilities: A Simple Procedure},
  author = {Saerens, Marco and Latinne, Patrice and Decaestecker, Christine},
  journal = {Neural Computation},
  volume = {14},
  number = {1},
  pages = {21--41},
  year = {2002}
}""",
        claim="The shares of classes in new data can be found by EM from a classifier's "
        "probabilities, and correcting by them raises accuracy.",
        deviates="EM ends at a change of 1e-8",
        signal="held-out",
        needs=("classes",),
        defaults_from="paper",
    )
    tolerance: Annotated[float, Meta(gt=0, lt=1)] = 1e-8
    """Largest change of a share at which the search ends."""

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Return q / pi, where pi are the shares of classes among labelled rows (equation 2.9)."""
        classes = classes_of(problem)
        return Solution(
            weights=shares(classes.p_target, classes.shares, self.tolerance) / classes.shares
        )
