"""What rows of a track reached in the unit of its metric, and how far that is from the baseline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bench.runs.record import Record

from ._render_tables import decimals, telling
from ._statistics import Paired, mean, paired
from ._text import number

Row = Mapping[str, Any]
Reached = Mapping[tuple[str, str], Mapping[int, float]]
"""(Cell, method) -> seed -> figure."""


class Raw(NamedTuple):
    """One metric of a track, over the scored cells that are judged by it."""

    name: str
    title: str
    unit: str
    direction: str
    cells: int
    baseline: str
    """The name of the low anchor; empty: the cells have several, or it is a value."""
    digits: int
    reached: dict[str, float]
    """Method -> mean over seeds of the mean over tasks; a task is the mean of its variants."""
    gained: dict[str, Paired]
    """Method -> difference to the baseline by seed; positive is better."""

    def value(self, method: str) -> str:
        """Return what a method reached with its unit, or a dash."""
        return _unit(number(self.reached.get(method), self.digits), self.unit)

    def gain(self, method: str) -> tuple[str, str]:
        """Return the difference to the baseline, and its interval; empty: there is none."""
        found = self.gained.get(method)
        if found is None:
            return "", ""
        return number(found.mean, self._digits(found), "+"), self._interval(found)

    def sentence(self, method: str) -> tuple[str, str]:
        """Say how far a method stands from the baseline, and within which interval; empty: it is
        that, or nobody knows.
        """
        found = self.gained.get(method)
        if found is None or found.same:
            return "", ""
        up = (found.mean > 0) == (self.direction != "min")
        far = number(abs(found.mean), self._digits(found))
        unit = "points" if self.unit == "%" else self.unit
        whom = self.baseline or "the baseline"
        said = f"{_unit(far, unit)} {'higher' if up else 'lower'} than {whom}"
        return said, self._interval(found, flipped=found.mean < 0)

    def _interval(self, found: Paired, flipped: bool = False) -> str:
        if found.low is None or found.high is None:
            return ""
        ends = (-found.high, -found.low) if flipped else (found.low, found.high)
        return f"[{', '.join(number(end, self._digits(found)) for end in ends)}]"

    def _digits(self, found: Paired) -> int:
        return telling(found.mean, found.low, found.high, self.digits)


def raw_figures(track: Row, board: Row, records: Mapping[str, Record]) -> list[Raw]:
    """Return the metrics of a track's scored cells, the one of most cells first.

    Args:
        track: its board.
        board: the board, for its tables.
        records: id -> record.
    """
    tables = _tables(track, board)
    groups: dict[tuple[str, ...], list[Row]] = {}
    for cell in track["cells"]:
        if cell["state"] == "scored" and cell["cell"] in tables:
            judged = tables[cell["cell"]]["primary"]
            key = (judged["name"], judged["unit"], judged["direction"], judged["title"])
            groups.setdefault(key, []).append(cell)
    reached = {
        (cell, row["method"]): _by_seed(row, table["primary"]["name"], records)
        for cell, table in tables.items()
        for row in table["rows"]
        if not row["custom"]
    }
    methods = [row["method"] for row in track["rows"]]
    found = [_raw(key, cells, methods, reached) for key, cells in groups.items()]
    return sorted(found, key=lambda one: -one.cells)


def _raw(
    key: tuple[str, ...], cells: Sequence[Row], methods: Sequence[str], reached: Reached
) -> Raw:
    name, unit, direction, title = key
    lows = {cell["low"]["name"] for cell in cells}
    means = {method: _over_tasks(cells, reached, method) for method in methods}
    shown = {method: mean(list(figures.values())) for method, figures in means.items() if figures}
    low = _over_tasks(cells, reached, None)
    gained = {
        method: difference
        for method, figures in means.items()
        if method not in lows
        and (difference := paired(figures, low, -1 if direction == "min" else 1))
    }
    four = decimals(shown.values(), unit)  # of a tiny metric two digits are enough
    digits = 1 if unit in ("%", "points") else min(four, max(3, four - 2))
    one = lows.pop() if len(lows) == 1 else ""
    return Raw(name, title, unit, direction, len(cells), one, digits, shown, gained)


def _over_tasks(cells: Sequence[Row], reached: Reached, method: str | None) -> dict[int, float]:
    """Return the mean over tasks at each seed that has all cells; None: of the baseline."""
    held = list(_held(cells, reached, method))
    seeds = sorted({seed for _, figures in held for seed in figures or ()})
    found = {}
    for seed in seeds:
        tasks: dict[str, list[float]] = {}
        for cell, figures in held:
            value = cell["low"]["value"] if figures is None else figures.get(seed)
            if value is not None:
                tasks.setdefault(cell["task"], []).append(value)
        if sum(map(len, tasks.values())) == len(cells):
            found[seed] = mean([mean(values) for values in tasks.values()])
    return found


def _held(
    cells: Sequence[Row], reached: Reached, method: str | None
) -> Iterator[tuple[Row, Mapping[int, float] | None]]:
    """Yield each cell with its figures by seed; None stands for an anchor that is a value."""
    for cell in cells:
        name = cell["low"]["name"] if method is None else method
        yield cell, reached.get((cell["cell"], name), {}) if name else None


def _tables(track: Row, board: Row) -> dict[str, Row]:
    """Return the table of each cell of a track, on the suite's device."""
    return {
        name: table
        for table in board["tables"]
        if table["track"] == track["track"]
        and not table["custom"]
        and table["device"] == board["suite"]["device"]
        for name in ["/".join(table[part] for part in ("track", "task", "preset", "variant"))]
    }


def _by_seed(row: Row, metric: str, records: Mapping[str, Record]) -> dict[int, float]:
    found = {}
    for name in row["record_ids"]:
        record = records.get(name)
        value = record.metrics.get(metric) if record and record.status == "ok" else None
        if record and value is not None:
            found[record.seed] = value
    return found


def _unit(text: str, unit: str) -> str:
    return f"{text} {unit}" if unit and text != "—" else text
