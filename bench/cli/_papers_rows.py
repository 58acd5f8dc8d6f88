"""Rows of tables of published figures: which are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from bench.errors import NothingSelected


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows of tables are asked for: names and globs; none: all."""

    methods: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()

    def of(self, papers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the tables with these rows alone, without those that have none.

        Raises:
            NothingSelected: no row is left.
        """
        if not self.methods and not self.cells:
            return list(papers)
        found = [
            {**paper, "rows": rows}
            for paper in papers
            if (rows := [row for row in paper["rows"] if self._fits(row)])
        ]
        if not found:
            raise NothingSelected(
                f"no row of these tables is of {', '.join((*self.methods, *self.cells))}; 'bench "
                "paper NAME' prints the rows of a table."
            )
        return found

    def _fits(self, row: dict[str, Any]) -> bool:
        methods = [row["method"], *([row["below"]] if row["kind"] == "ordering" else [])]
        names = {name for method in methods for name in (method, method.partition("[")[0])}
        cells = {row["cell"], row.get("below_cell", row["cell"])}
        return all(
            not wanted or any(_means(pattern, name) for name in known for pattern in wanted)
            for wanted, known in ((self.methods, names), (self.cells, cells))
        )


def _means(pattern: str, name: str) -> bool:
    """Say whether a pattern is a name, brackets and all, or fits it as a glob."""
    return pattern == name or fnmatchcase(name, pattern)
