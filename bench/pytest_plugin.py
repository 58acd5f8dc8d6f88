"""The conformance suite in pytest: a fixture of every test suite that runs where bench is
installed.

A package's test is one line in a test: ``bench_check("my-method", quick=True)``. pytest loads this
module whether it is used or not, so it imports nothing until the fixture is called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(scope="session")
def bench_check() -> Callable[..., None]:
    """Return a function that checks plugins as :func:`bench.conformance.check` does, with its
    arguments, and fails the test with the reports of those that fail.
    """

    def run(name: str, **options: Any) -> None:
        from bench.conformance import check

        bad = [report.markdown() for report in check(name, **options) if not report.ok]
        if bad:
            pytest.fail("\n\n".join(bad), pytrace=False)

    return run
