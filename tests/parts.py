"""A part of the tests at a time, so that several machines share what takes hours.

A plugin of pytest, registered by ``tests/conftest.py``. ``BENCH_TEST_PART=2/8`` keeps the second of
every eight files that are selected, in the order of their paths; the tests of a file stay together,
since they share fixtures.
"""

from __future__ import annotations

import os
import re

import pytest


def part_of(text: str) -> tuple[int, int]:
    """Return which part is meant, from 1 on, of how many.

    Raises:
        ValueError: the text names no part.
    """
    match = re.fullmatch(r"([1-9]\d*)/([1-9]\d*)", text)
    if match is None or int(match[1]) > int(match[2]):
        raise ValueError(f"BENCH_TEST_PART={text!r} names no part; give one like 2/8.")
    return int(match[1]), int(match[2])


@pytest.hookimpl(trylast=True)  # after markers and names have chosen
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the files of the other parts."""
    if not (text := os.environ.get("BENCH_TEST_PART")):
        return
    part, count = part_of(text)
    mine = set(sorted({item.path for item in items})[part - 1 :: count])
    config.hook.pytest_deselected(items=[item for item in items if item.path not in mine])
    items[:] = [item for item in items if item.path in mine]
