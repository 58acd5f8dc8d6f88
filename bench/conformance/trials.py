"""What can be said of a plugin by running it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.conformance.cards import static_findings
from bench.conformance.method_trials import MethodTrials
from bench.conformance.observe import hidden_seen
from bench.conformance.reach import spied
from bench.conformance.report import Finding, Report
from bench.conformance.verdicts import ended, named, ordered, repeated, test_set
from bench.plugins.entries import Entry
from bench.plugins.registry import task_card
from bench.runs.plan import Request, make_plan


class Trials(MethodTrials):
    """What can be said of methods, tasks and datasets by running them."""

    def reports(self, plugins: Sequence[Entry]) -> list[Report]:
        """Return every finding on each plugin."""
        reports = [
            Report(kind=entry.kind, name=entry.identity, findings=self._findings(entry))
            for entry in plugins
        ]
        findings = {(report.kind, report.name): report.findings for report in reports}
        for entry, finding in self.elsewhere():
            findings[entry.kind, entry.identity].append(finding)
        return reports

    def _findings(self, entry: Entry) -> list[Finding]:
        try:
            found = static_findings(entry)
        except Exception as error:
            return [
                Finding(
                    rule="card",
                    subject="",
                    outcome="failed",
                    said=f"the class can't be imported: {type(error).__name__}: {error}",
                )
            ]
        look = {"method": self.method, "task": self._task, "dataset": self._dataset}[entry.kind]
        return [*found, *look(entry)]

    def _task(self, entry: Entry) -> Iterator[Finding]:
        card = task_card(entry)
        names = [reference.name for reference in card.references]
        if "smoke" not in card.presets or not names:
            return
        plan = make_plan(
            Request(
                methods=tuple(names),
                tasks=(entry.identity,),
                preset="smoke",
                seeds="2",
                device=self.device,
            ),
            self.registry,
        )
        if not plan.cells:
            yield Finding(
                rule="references",
                subject="",
                outcome="skipped",
                said="; ".join(item.reason for item in plan.not_run),
            )
            return
        self.absent = []
        with spied() as ways, hidden_seen() as hidden:
            first = self.run(plan.cells)
        for reason in dict.fromkeys(self.absent):
            yield Finding(rule="references", subject="", outcome="skipped", said=reason)
        cells = [cell for cell in plan.cells if cell.spec.cell in first]
        yield from ended(cells, first, rule="references")
        yield named(
            "hidden",
            ways,
            "what methods are handed leads to the hidden part: {}; build problems of data alone, "
            "without the case, the task or its run",
        )
        good = [cell for cell in cells if first[cell.spec.cell].status == "ok"]
        yield from ordered(card, good, first)
        low = [cell for cell in good if cell.reference == "low"][:2]
        yield from self.seeds_differ(low, first)
        yield from test_set(card, low, hidden)
        zero = [cell for cell in good if cell.spec.seed == 0]
        again = self.run(zero)
        for cell in zero:
            yield repeated(
                "same-seed",
                cell,
                first,
                again,
                "its data or its evaluation draws from somewhere else than run's streams",
            )

    def _dataset(self, entry: Entry) -> Iterator[Finding]:
        from bench.conformance.data import loaded_twice

        yield from loaded_twice(entry, self.folder)
