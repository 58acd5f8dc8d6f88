"""One threshold on the loss for all rows (arXiv:1709.01604): the null attack of the audit."""

from __future__ import annotations

from typing import ClassVar

from bench import Method, MethodCard, Run
from bench.tracks.privacy_audit import Problem, Solution, confidences


class AuditLoss(Method):
    """Call a row trained on where the target is confident of its label, however easy the row is."""

    card: ClassVar = MethodCard(
        name="audit-loss",
        title="Threshold on the confidence of the label",
        track="privacy-audit",
        paper="arXiv:1709.01604",
        deviates="The log odds of the label instead of its loss, which orders rows of two classes "
        "the same and of more classes nearly so.",
        plain=True,
        defaults_from="here",
    )

    def solve(self, problem: Problem, run: Run) -> Solution:
        """Return the log odds of the labels."""
        run.count(forward=len(problem.y))
        return Solution(scores=confidences(problem, [problem.weights])[0])
