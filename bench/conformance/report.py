"""What a check found, as plain data, Markdown and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

RULES = {
    "card": "the card is complete, and is read without importing the file",
    "parameters": (
        "every parameter has a default within its bounds, and refuses what is outside them"
    ),
    "hooks": "what it overrides is spelt as its base class spells it",
    "solves": "every smoke preset of its tracks is solved",
    "solution": (
        "what it returns and reports, and every output of its models, has the shape, type and "
        "range that the track declares"
    ),
    "budget": "the task's rules and budget are kept",
    "inputs": "the problem is left as it was",
    "global-state": "random streams, settings and code of the process are left as they were",
    "same-seed": "the same seed gives the same bits",
    "other-seed": "another seed gives another result",
    "fresh-process": "a process of its own gives the same bits",
    "stack": "a seed's bits depend neither on its neighbours in a stack nor on their number",
    "counts": "no fewer visits are counted than its modules see with a gradient",
    "files": "nothing is written outside its folder",
    "network": "nothing is downloaded",
    "references": "the task's references solve it, and the high one is not below the low one",
    "test-set": (
        "another seed judges by other rows, unless the card says that the test set is "
        "official or fixed"
    ),
    "problem": (
        "its problems, hidden parts and figures have the shapes, types and ranges that the "
        "track and the card declare"
    ),
    "hidden": "nothing that methods are handed leads to the hidden part",
    "loads": "the data loads twice the same, and is what its card pins",
    "rows": "the data has rows, finite figures, and labels that differ",
}
"""Rule -> what it asks for."""
ORDER = ("failed", "skipped", "passed")
"""Outcomes, those that are read first before others."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule found on one subject."""

    rule: str
    """A key of ``RULES``."""
    subject: str
    """On what it was looked at, e.g. ``noisy-digits sym40 seed 0``; empty: on the plugin itself."""
    outcome: Literal["passed", "failed", "skipped"]
    """``skipped``: the rule says nothing of this plugin; ``said`` has the reason."""
    said: str = ""
    """What is wrong and what to do, why it was skipped, or what there is to know of what passed."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of one plugin.

    Attributes:
        kind: ``method``, ``task`` or ``dataset``.
        name: ``track/name``, of a dataset its name.
        findings: one a rule and subject, in the order of the trials.
    """

    kind: str
    name: str
    findings: list[Finding]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not any(finding.outcome == "failed" for finding in self.findings)

    def failed(self) -> list[Finding]:
        """Return what failed."""
        return [finding for finding in self.findings if finding.outcome == "failed"]

    def markdown(self) -> str:
        """Return the report as Markdown: a line a rule, and the reasons, of what failed first."""
        rows = [("rule", "asks that", "outcome")]
        for rule, asks in RULES.items():
            mine = [finding for finding in self.findings if finding.rule == rule]
            if mine:
                bad = sum(finding.outcome == "failed" for finding in mine)
                good = sum(finding.outcome == "passed" for finding in mine)
                outcome = "passed" if good else "skipped"
                if bad:
                    outcome = f"**failed** ({bad} of {len(mine)})"
                rows.append((rule, asks, outcome))
        lines = [f"## {self.kind} {self.name}: {'passes' if self.ok else 'fails'}", ""]
        lines += _table(rows)
        for finding in sorted(self.findings, key=lambda finding: ORDER.index(finding.outcome)):
            if finding.outcome != "passed" or finding.said:
                where = f" on {finding.subject}" if finding.subject else ""
                lines += ["", f"- {finding.rule}{where}, {finding.outcome}: {_line(finding.said)}"]
        return "\n".join(lines)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out a table in Markdown whose columns stand below one another; the first row heads it."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "| " + " | ".join(map(str.ljust, row, widths)) + " |"
        for row in (rows[0], ["-" * width for width in widths], *rows[1:])
    ]


def _line(text: str) -> str:
    return " ".join(
        "".join(character if character.isprintable() else " " for character in text).split()
    ).replace("<", "&lt;")[:1000]
