"""The hooks a plugin may implement. Built-in rooms use the same ones.

``register`` takes a class, the text ``"package.module:Class"`` or ``"package.module"``, or the path
of a file. Text and paths are better than classes: the plugin is then imported by the runs that use
it, not by ``bench list``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from bench.runs.record import Record

hookspec = pluggy.HookspecMarker("bench")
hookimpl = pluggy.HookimplMarker("bench")

Register = Callable[[type | str | Path], None]


@hookspec
def bench_tracks(register: Register) -> None:
    """Call ``register`` once for each module that holds the card of a
    track and nothing that is registered otherwise.
    """


@hookspec
def bench_methods(register: Register) -> None:
    """Call ``register`` once for each method, or for each module that holds methods."""


@hookspec
def bench_tasks(register: Register) -> None:
    """Call ``register`` once for each task, or for each module that holds tasks."""


@hookspec
def bench_datasets(register: Register) -> None:
    """Call ``register`` once for each dataset, or for each module that holds datasets."""


@hookspec(firstresult=True)
def bench_board(
    records: Sequence[Record], tasks: dict[str, Any], options: dict[str, Any]
) -> dict[str, Any] | None:
    """Return the board of ``records`` as plain data (``bench leaderboard``).

    ``tasks`` maps ``track/name`` to the task's card; ``options`` holds what the command line chose,
    ``cards`` of methods and ``tracks``, the cards of tracks by name.
    """


@hookspec(firstresult=True)
def bench_render(board: dict[str, Any], format: str) -> str | None:
    """Write a board or a comparison as ``md``, ``json`` or ``csv``, a board's tracks as ``latex``,
    tables of published figures as ``md``, ``json`` or a ``page``; ``None`` for a format this plugin
    does not write.
    """


@hookspec(firstresult=True)
def bench_publish(
    board: dict[str, Any], records: Sequence[Record], folder: Path, options: dict[str, Any]
) -> list[str] | None:
    """Write the files of a board into ``folder`` and return what there is to say (``bench
    leaderboard --out``).

    ``options`` holds ``tasks`` and ``cards`` (``track/name`` -> card), ``tracks`` and ``datasets``
    (name -> card), ``sources`` (``track/name`` -> a method's file in the repository),
    ``load(ids)``, which yields whole records, ``picture(record, name)``, which returns a picture's
    bytes or ``None``, ``history``, a file of earlier nights, and ``page``.
    """


@hookspec(firstresult=True)
def bench_freeze(
    records: Sequence[Record], tasks: dict[str, Any], options: dict[str, Any]
) -> list[str] | None:
    """Freeze the anchors of a suite that the records hold whole, and
    return what there is to say (``bench leaderboard --freeze``).
    """


@hookspec(firstresult=True)
def bench_compare(
    records: Sequence[Record], tasks: dict[str, Any], a: str, b: str, options: dict[str, Any]
) -> dict[str, Any] | None:
    """Return the paired comparison of two methods as plain data (``bench compare A B``)."""


@hookspec(firstresult=True)
def bench_suite(options: dict[str, Any]) -> dict[str, Any] | None:
    """Return what a suite declares to run as plain data (``bench run --suite``).

    ``options`` holds ``suite``, its name or file, and ``suite_folders``, where else suites may lie.
    """


@hookspec(firstresult=True)
def bench_papers(options: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return tables of published figures as plain data (``bench paper``).

    ``options`` holds ``names`` and ``folders``, where else such tables may lie.
    """


@hookspec(firstresult=True)
def bench_published(
    papers: list[dict[str, Any]],
    records: Sequence[Record],
    tasks: dict[str, Any],
    options: dict[str, Any],
) -> dict[str, Any] | None:
    """Return tables of published figures with what records say of every row (``bench paper``).

    ``options`` holds ``planned`` (what runs each row) and ``stale``, the ids of stale records.
    """
