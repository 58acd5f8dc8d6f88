"""What a task is handed in a test: one dataset, whatever it asks for."""

from __future__ import annotations

from bench.runs.tools import Tools


class Serving(Tools):
    """Answers every call of a dataset with ``data``."""

    def __init__(self, data):
        self.data = data

    def dataset(self, run, name, params):
        """Return the data."""
        return self.data
