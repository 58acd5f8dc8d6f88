"""What each folder of tests may take, so that the suite stays quick as it grows.

A plugin of pytest, registered by ``tests/conftest.py``.

Counted are seconds of processor time, of a test, its fixtures and the processes that it waited for,
divided by how slow this processor is at the moment: a busy or older machine does not fail what a
quick one passes. Tests that ``make test`` leaves out (slow, gpu, network) do not count.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BUDGETS: dict[str, float] = {
    "tests": 40.0,
    "tests/checks": 44.0,
    "tests/cli": 185.0,
    "tests/conformance": 95.0,
    "tests/counts": 6.0,
    "tests/datasets": 22.0,
    "tests/device": 7.0,
    "tests/docs": 175.0,
    "tests/examples": 30.0,
    "tests/executors": 32.0,
    "tests/leaderboard": 70.0,
    "tests/methods": 135.0,
    "tests/methods/accuracy_estimation": 1.0,
    "tests/methods/active_learning": 7.0,
    "tests/methods/adversarial": 5.0,
    "tests/methods/algorithmic": 3.0,
    "tests/methods/continual": 7.0,
    "tests/methods/group_shift": 12.0,
    "tests/methods/imputation": 3.0,
    "tests/methods/input_attribution": 2.0,
    "tests/methods/long_tail": 4.0,
    "tests/methods/missing_data": 4.0,
    "tests/methods/node_graphs": 6.0,
    "tests/methods/noisy_regression": 6.0,
    "tests/methods/ood_detection": 7.0,
    "tests/methods/open_ended": 3.0,
    "tests/methods/poisoning": 4.0,
    "tests/methods/recipes": 7.0,
    "tests/methods/regression": 3.0,
    "tests/methods/selective_prediction": 5.0,
    "tests/methods/synthetic_data": 4.0,
    "tests/methods/target_shift": 4.0,
    "tests/methods/weak_supervision": 6.0,
    "tests/peers": 1.0,
    "tests/plugins": 34.0,
    "tests/runs": 140.0,
    "tests/speed": 36.0,
    "tests/tasks": 170.0,
    "tests/tasks/accuracy_estimation": 1.0,
    "tests/tasks/active_learning": 8.0,
    "tests/tasks/adversarial": 6.0,
    "tests/tasks/algorithmic": 2.0,
    "tests/tasks/continual": 2.0,
    "tests/tasks/group_shift": 16.0,
    "tests/tasks/imputation": 2.0,
    "tests/tasks/input_attribution": 6.0,
    "tests/tasks/long_tail": 2.0,
    "tests/tasks/missing_data": 2.0,
    "tests/tasks/node_graphs": 4.0,
    "tests/tasks/noisy_regression": 2.0,
    "tests/tasks/ood_detection": 8.0,
    "tests/tasks/open_ended": 2.0,
    "tests/tasks/poisoning": 6.0,
    "tests/tasks/recipes": 5.0,
    "tests/tasks/regression": 2.0,
    "tests/tasks/selective_prediction": 5.0,
    "tests/tasks/synthetic_data": 5.0,
    "tests/tasks/target_shift": 3.0,
    "tests/tasks/weak_supervision": 4.0,
    "tests/tracks": 22.0,
    "tests/training": 22.0,
}
"""Folder (or file) of tests -> seconds that all its tests may take together."""
WHOLE = 1463.0
"""Seconds that all budgets may be together."""
SHOWN = 25
"""Tests that are listed at the end, the slowest first."""
SLACK = 1.4
"""How many times its budget a folder may take before it fails a run: the calibration is one kind of
work, and on another processor other kinds are up to a third slower beside it.
"""
_REFERENCE = 0.0106
"""Seconds of the calibration on the machine that the budgets were measured on."""
_AGAIN = 20.0
"""Seconds after which the speed of the processor is measured anew: other load comes and goes."""


def spent() -> float:
    """Return the processor seconds of this process and of the processes that it has waited for."""
    return sum(os.times()[:4])


def calibration() -> float:
    """Return the processor seconds of a fixed piece of work: the median of five."""
    took = []
    for _ in range(5):
        start, total = time.process_time(), 0
        for number in range(200_000):
            total += number * number % 7
        took.append(time.process_time() - start)
    return sorted(took)[2]


class Clock:
    """In the process that runs tests: gives every report of a test its ``cost``."""

    def __init__(self) -> None:
        self._since, self._slowness, self._measured = spent(), 1.0, -_AGAIN

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item):
        """Add what was spent since the report before."""
        report = (yield).get_result()
        now = spent()
        if not any(item.get_closest_marker(name) for name in ("slow", "gpu", "network")):
            # a plain number, so that it reaches xdist's controller with the report
            report.cost = (now - self._since) / self._slowness
        self._since = now

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Measure the processor's speed from time to time, at nobody's cost."""
        if time.monotonic() - self._measured >= _AGAIN:
            self._slowness, self._measured = calibration() / _REFERENCE, time.monotonic()
            self._since = spent()


class Budgets:
    """In the process that hears of all tests: adds up, lists the slowest,
    and fails a run whose folder took too long.
    """

    def __init__(self, budgets: dict[str, float]) -> None:
        self.budgets = budgets
        self.tests: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add a report's cost to its test."""
        self.tests[report.nodeid] += getattr(report, "cost", 0.0)

    def folders(self) -> dict[str, float]:
        """Return what each folder of the table took; a test counts for the
        longest entry that its path begins with.
        """
        found: dict[str, float] = defaultdict(float)
        for name, cost in self.tests.items():
            path = name.partition("::")[0]
            found[
                max(
                    (
                        folder
                        for folder in self.budgets
                        if path == folder or path.startswith(f"{folder}/")
                    ),
                    key=len,
                    default=path,
                )
            ] += cost
        return dict(found)

    def exceeded(self) -> list[str]:
        """Say in sentences which folders took longer than they may, the slack included."""
        return [
            f"{folder} took {cost:.3g} s of processor time, its budget is "
            f"{self.budgets.get(folder, 0):g} s: share fixtures, take smaller sizes, "
            "or mark as 'slow' what repeats another check (tests/budgets.py)"
            for folder, cost in sorted(self.folders().items())
            if cost > SLACK * self.budgets.get(folder, 0)
        ]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run where a budget is exceeded."""
        if self.exceeded() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List the slowest tests and each folder with its budget after a
        long run, and what exceeds one after any.
        """
        if len(self.tests) > SHOWN:
            self._list(terminalreporter)
        for said in self.exceeded():
            terminalreporter.write_line(said, red=True)

    def _list(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section(
            f"slowest {SHOWN} of {len(self.tests)} tests, seconds of processor time on the "
            "machine of the budgets"
        )
        for name, cost in sorted(self.tests.items(), key=lambda item: -item[1])[:SHOWN]:
            terminalreporter.write_line(f"{cost:7.1f}  {name}")
        terminalreporter.section("folders: seconds, and their budgets")
        for folder, cost in sorted(self.folders().items()):
            terminalreporter.write_line(
                f"{cost:7.1f}  {self.budgets.get(folder, 0):5.0f}  {folder}"
            )


def register(config: pytest.Config) -> None:
    """Count where tests run, and add up where they are heard of; without
    xdist that is one process.
    """
    if os.environ.get("BENCH_TEST_BUDGETS") == "off":
        return
    worker = hasattr(config, "workerinput")
    if worker or not config.getoption("numprocesses", None):
        config.pluginmanager.register(Clock(), "test-clock")
    if not worker:
        config.pluginmanager.register(Budgets(BUDGETS), "test-budgets")
