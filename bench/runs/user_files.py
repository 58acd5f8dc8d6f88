"""Files of the user's that a task or a method opens itself, not by way of
a dataset: their bytes are part of the key too.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.plugins.source import Target
from bench.runs.data_calls import FILE
from bench.runs.data_index import DataIndex
from bench.runs.inputs import LIBRARIES, data_root
from bench.runs.paths import within
from bench.texts import escaped

_DATA = "$BENCH_DATA"


def kept_by_user(
    paths: Iterable[str], scratch: Sequence[str], cache: str, began: float
) -> list[str]:
    """Return those of the opened files that a user keeps: none of a library, none of code, none
    hidden in the home folder, none that the run made itself.

    Args:
        paths: opened files.
        scratch: folders of the run itself.
        cache: the cache folder; of what lies in it, plugins that came from another machine count.
        began: when the run began, in seconds.
    """
    home, temporary = os.path.expanduser("~"), os.path.realpath(tempfile.gettempdir())
    found = []
    for path in paths:
        if path.endswith(".py") or within(path, (*LIBRARIES, *scratch)):
            continue
        if within(path, (cache,)) and not within(path, (os.path.join(cache, "plugins"),)):
            continue
        if path.startswith(home + os.sep) and any(
            part.startswith(".") for part in Path(path).relative_to(home).parts
        ):
            continue
        try:
            made = within(path, (temporary,)) and os.stat(path).st_ctime >= began
        except OSError:
            continue
        if not made:
            found.append(path)
    return found


def digests(
    paths: Iterable[str], targets: Sequence[Target], index: DataIndex
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the digest of each file by what records call it, and its path by the same.

    What ``index`` knows of a file saves reading a large one at every run.
    """
    data, places = {}, {}
    for path in sorted(set(paths)):
        found = index.content(path)
        if not found:
            continue
        name = label(path, targets)
        while name in data:
            name += "'"
        data[name], places[name] = found, path
    return data, places


def label(path: str, targets: Sequence[Target]) -> str:
    """Return what a record calls a file: its place in the plugin or in the
    folder of local data, else its name alone.
    """
    for name, folder in roots(targets):
        if within(path, (folder,)):
            return escaped(f"{FILE}{name}{Path(path).relative_to(folder).as_posix()}")
    return escaped(f"{FILE}{Path(path).name}")


def place(name: str, targets: Sequence[Target]) -> str:
    """Return where a file must lie that :func:`label` named; empty where only the index knows."""
    text = name.removeprefix(FILE)
    for start, folder in roots(targets):
        path = os.path.join(folder, text.removeprefix(start))
        if text.startswith(start) and os.path.isfile(path):
            return path
    return ""


def roots(targets: Sequence[Target]) -> list[tuple[str, str]]:
    """Return the folders from which files are named, with what their names begin with."""
    return [
        (f"{_DATA}/", str(data_root().absolute())),
        *(("", target.root or str(Path(target.path).parent)) for target in targets),
    ]


def file_targets(task: Target, method: Target | None) -> list[Target]:
    """Return the classes whose files are looked for: the task's and the method's."""
    return [task] if method is None else [task, method]


def index_name(targets: Sequence[Target]) -> str:
    """Return the name under which the index keeps where their files lie."""
    return "|".join(target.path for target in targets)
