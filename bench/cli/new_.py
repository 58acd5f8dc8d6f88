"""``bench new``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench.cli._options import completer, open_registry, plugins_option, tracks_completer, warn
from bench.errors import UsageError
from bench.texts import shell_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.plugins.registry import Registry

_HELP = """Write a method, task or dataset to start from: one file that runs as it is.

A plugin is a package around a method, with test, README and CI.

\b
bench new method my-method --track noisy-labels
bench new method my-elr --like elr
bench new task my-task
bench new plugin my-method --track graph-ood --out my-method
bench new plugin my-method --like my-method --plugins my_method.py
"""


@click.command("new", help=_HELP)
@click.argument("kind", type=click.Choice(("method", "task", "dataset", "plugin")))
@click.argument("name")
@click.option(
    "--track",
    shell_complete=tracks_completer,
    help="Of the method; of a task: the name of its own new track.  [default: those of --like; "
    "NAME]",
)
@click.option(
    "--like",
    metavar="METHOD",
    shell_complete=completer("method"),
    help="The method to start from.  [default: the track's baseline method]",
)
@click.option(
    "--out", metavar="DIR", help="The folder to write into.  [default: this one; of a plugin: NAME]"
)
@plugins_option
def command(
    kind: str,
    name: str,
    track: str | None,
    like: str | None,
    out: str | None,
    plugins: tuple[str, ...],
) -> None:
    """Write the files and say what to do next."""
    from bench.scaffold import files_for, tracks_of, write

    registry, others = open_registry(plugins), list[str]()
    if kind in ("method", "plugin"):
        if track is None and like is not None:
            track, *others = tracks_of(registry, like)
        if track is None:
            raise UsageError(
                f"say which track {name} is for, with --track, or which method to start from, "
                f"with --like; the tracks: {', '.join(registry.tracks())}."
            )
    if kind == "task":
        _refuse_taken(registry, track or name)
    elif kind != "plugin":  # a package may be made of a method that is there
        _refuse_name(registry, kind, name, [track, *others] if track else [""])
    folder = Path(out) if out is not None else Path(name) if kind == "plugin" else Path()
    paths = write(folder, files_for(kind, name, registry, track or name, like, others))
    for path in paths:
        click.echo(str(path))
    warn(f"next: {_next(kind, name, paths[0], folder)}")


def _refuse_taken(registry: Registry, track: str) -> None:
    """Refuse a track that has tasks: a new task brings its own problem and methods, which the
    methods and tasks of that track could not read.
    """
    taken = sorted(entry.name for entry in registry.rows("task") if entry.track == track)
    if taken:
        raise UsageError(
            f"the track {track!r} has a problem and methods of its own already, and 'bench new "
            "task' writes a new track; leave --track out or name a new one. A task that joins "
            f"{track!r} returns that track's problem: start from the file of one of its tasks, "
            f"like {taken[0]}, or from docs/tutorials/task.md."
        )


def _refuse_name(registry: Registry, kind: str, name: str, tracks: Sequence[str]) -> None:
    """Refuse a name that is taken in one of the tracks: two plugins of one name can't be run."""
    for entry in registry.rows(kind):
        if entry.name == name and entry.track in tracks:
            raise UsageError(
                f"there is a {kind} {entry.identity!r} already, of {entry.source}; give another "
                f"name, like 'my-{name}'."
            )


def _next(kind: str, name: str, path: Path, folder: Path) -> str:
    if kind == "plugin":
        return f"pip install -e {shell_word(str(folder))}, then bench check {name}"
    word = shell_word(str(path))
    methods = f"'*{name}*'" if kind == "task" else name  # a task brings several
    return f"change {word}, then bench check {word}" + (
        ""
        if kind == "dataset"
        else f", then bench run --plugins {word} --method {methods} --preset smoke"
    )
