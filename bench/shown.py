"""What the harness returns in Python: results, the preview of a dry run, a plugin.

Each is shown as a board, a table or a card.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from bench.cli._session import Prepared
    from bench.plugins.entries import Entry
    from bench.plugins.registry import Registry
    from bench.runs.limits import Limits
    from bench.runs.plan import NotRun
    from bench.runs.record import Record


class Results(Sequence["Record"]):
    """Records, and the board of them. A notebook shows the board; so does ``print``.

    Attributes:
        not_run: pairs that were asked for and not run, with the reason.
    """

    def __init__(
        self, records: Iterable[Record], not_run: Iterable[Any] = (), *, registry: Registry
    ) -> None:
        self._records, self._registry, self.not_run = list(records), registry, list(not_run)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Results: ...
    def __getitem__(self, index: int | slice) -> Record | Results:
        """Return a record, or the results of a slice."""
        return (
            Results(self._records[index], registry=self._registry)
            if isinstance(index, slice)
            else self._records[index]
        )

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._records)

    def where(self, chosen: Callable[[Record], bool]) -> Results:
        """Return the results for which ``chosen(record)`` holds."""
        return Results(filter(chosen, self._records), registry=self._registry)

    def board(self, format: str = "md") -> str:
        """Return the board as ``md``, ``json`` or ``csv``.

        Raises:
            UsageError: there is no such format.
        """
        from bench.cli._board import board_text

        return board_text(self._registry, self._records, {}, format)

    def rows(self) -> list[dict[str, Any]]:
        """Return a plain row for each record: what it is of, its status, its metrics, and its cost
        under ``cost.``; ``pandas.DataFrame`` takes it.
        """
        names = ("track", "method", "task", "preset", "variant", "seed", "device", "status")
        return [
            {name: getattr(record, name) for name in names}
            | {"params": dict(record.params)}
            | dict(record.metrics)
            | {f"cost.{name}": value for name, value in record.cost.items()}
            for record in self._records
        ]

    def __repr__(self) -> str:
        """Return the board as text."""
        return self.board() if self._records else "no results"

    def _repr_markdown_(self) -> str:
        return repr(self)


class Preview:
    """What ``bench.run(..., dry_run=True)`` would do.

    A notebook shows the table that ``bench run --dry-run`` prints; so does ``print``.

    Attributes:
        recorded: how many runs are recorded already.
        to_run: how many would run.
        not_run: pairs that were asked for and would not run, with the reason.
    """

    def __init__(self, prepared: Prepared, limits: Limits) -> None:
        self._prepared, self._limits = prepared, limits
        self.recorded, self.to_run = len(prepared.done), len(prepared.todo)
        self.not_run: list[NotRun] = list(prepared.plan.not_run)

    def __len__(self) -> int:
        """Return the number of runs asked for, those that are recorded included."""
        return len(self._prepared.plan.cells)

    def rows(self) -> list[dict[str, Any]]:
        """Return a plain row for each row of the board: what it is of, its seeds and limits, and
        how many of its runs are recorded and would run.
        """
        from bench.cli._preview import rows

        return rows(self._prepared, self._limits)

    def __repr__(self) -> str:
        """Return the table as text."""
        from bench.cli._preview import text

        return text(self._prepared, self._limits)

    def _repr_markdown_(self) -> str:
        from bench.cli._preview import text

        return text(self._prepared, self._limits, "github")


class Plugin:
    """A method, task or dataset: its card, and its class once asked for.

    A notebook shows what ``bench show`` prints.

    Attributes:
        card: what is known of it.
        params: its parameters by name, each with type, default and help.
    """

    def __init__(self, entry: Entry) -> None:
        self._entry, self.card, self.params = entry, entry.card, entry.params

    def load(self) -> type[Any]:
        """Import and return its class."""
        from bench.plugins.source import import_target

        return import_target(self._entry.target)

    def __call__(self, **params: Any) -> Any:
        """Return it with these parameters, checked.

        Raises:
            ParameterError: a parameter is unknown or its value wrong.
        """
        from bench.params import resolve

        return self.load().make(resolve(self._entry.name, self.params, params))

    def __repr__(self) -> str:
        """Return what ``bench show`` prints."""
        from bench.cli._cards import card_text

        return card_text([self._entry])
