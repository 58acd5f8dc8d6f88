"""Fixtures of the tests of datasets; a file may have a home of its own kind."""

import pytest


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty folder of local datasets, and no network."""
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("BENCH_HUB", raising=False)
    (tmp_path / "data").mkdir()
    return tmp_path / "data"
