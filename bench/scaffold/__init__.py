"""Starting points for plugins (``bench new``): each runs and passes ``bench check`` as it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cards import check_name
from bench.errors import EnvironmentFault, UsageError, near
from bench.scaffold import templates

if TYPE_CHECKING:
    from bench.plugins.entries import Entry
    from bench.plugins.registry import Registry

_EMPTIED = (
    "paper",
    "bibtex",
    "claim",
    "official_code",
    "deviates",
    "tuning",
    "signal",
    "plain",
    "defaults_from",
    "trials",
)


def named(name: str) -> tuple[str, str]:
    """Return the module's and the class's name for a plugin's: ``my-method`` -> ``my_method``,
    ``MyMethod``.

    Raises:
        UsageError: the name is not kebab-case, or begins with a digit.
    """
    try:
        check_name("plugin", name)
    except ValueError as error:
        raise UsageError(f"{error}; give another.") from None
    if name[0].isdigit():
        raise UsageError(
            f"the name {name!r} begins with a digit, which no Python module may; give another."
        )
    return name.replace("-", "_"), "".join(part.title() for part in name.split("-"))


def _known(registry: Registry, track: str) -> None:
    """Raise UsageError unless there is such a track."""
    if track not in registry.tracks():
        raise UsageError(
            f"unknown track {track!r}.{near(track, registry.tracks())} The tracks: "
            f"{', '.join(registry.tracks())}."
        )


def low_of(registry: Registry, track: str) -> Entry:
    """Return the track's baseline method: what a new method starts from.

    Raises:
        UsageError: there is no such track, or it names no method as low reference.
    """
    from bench.plugins.registry import task_card

    _known(registry, track)
    known = {entry.name for entry in registry.rows("method") if entry.track == track}
    for task in registry.rows("task"):
        for reference in task_card(task).references if task.track == track else ():
            if reference.kind == "low" and reference.name in known:
                return registry.get("method", f"{track}/{reference.name}")
    raise UsageError(
        f"the track {track!r} names no method as its low reference; say with --like which method "
        "to start from."
    )


def like_of(registry: Registry, name: str, track: str | None) -> Entry:
    """Return the method called ``name``, in ``track`` where one is given; one that serves several
    tracks is one method.

    Raises:
        UsageError: there is none, or several, or none of that track, or no such track.
    """
    found = registry.select("method", name)
    if track is not None:
        _known(registry, track)
    here = [entry for entry in found if track in (None, entry.track)]
    if not here:
        raise UsageError(
            f"{name} is a method of {' and '.join(sorted({entry.track for entry in found}))}, not "
            f"of {track}, so a copy of it could not run there. {_copies(registry, str(track))}"
        )
    return here[0] if len({entry.target for entry in here}) == 1 else registry.one("method", name)


def _copies(registry: Registry, track: str) -> str:
    """Say which methods of a track can be copied."""
    entries = [entry for entry in registry.rows("method") if entry.track == track]
    names = sorted({entry.name for entry in entries if _copied(entry)})
    if not names:
        return (
            f"No method of {track} can be copied; write a class that derives from the track's, "
            "as docs/plugins.md shows."
        )
    return f"Of {track} give one of these with --like: {', '.join(names)}."


def _copied(like: Entry) -> bool:
    try:
        method_text(like.name, like, like.track)
    except (UsageError, OSError):
        return False
    return True


def tracks_of(registry: Registry, name: str) -> tuple[str, ...]:
    """Return the tracks that the method called ``name`` serves, the one of its folder first; of
    ``track/name`` that track alone.

    Raises:
        UsageError: there is none, or several.
    """
    like = like_of(registry, name, None)
    found = [entry.track for entry in registry.select("method", name)]
    home = Path(like.target.path).parent.name.replace("_", "-")
    return tuple(sorted(found, key=lambda track: track != home))


def method_text(name: str, like: Entry, *tracks: str) -> str:
    """Return the source of a method that does what ``like`` does, under another name, of some
    tracks, and without its paper; under its own name, its source.

    Raises:
        UsageError: the file of ``like`` imports files beside it, or does not hold it in the plain
            form.
    """
    _, kind = named(name)
    text = Path(like.target.path).read_text(encoding="utf-8")
    tree = ast.parse(text)
    if any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree)):
        raise UsageError(
            f"{like.identity} imports files beside its own, so it can't be copied by itself."
        )
    owner = next(
        (
            node
            for node in tree.body
            if isinstance(node, ast.ClassDef) and node.name == like.target.qualname
        ),
        None,
    )
    card = next(
        (
            node.value
            for node in (owner.body if owner else ())
            if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "card"
        ),
        None,
    )
    if owner is None or not isinstance(card, ast.Call):
        raise UsageError(f"{like.identity} has no card in the plain form to copy it by.")
    kept = [
        ast.get_source_segment(text, item)
        for item in card.keywords
        if item.arg not in (*_EMPTIED, "name", "title", "track")
    ]
    arguments = [
        f'name="{name}"',
        f'title="Say in a line what {name} does"',
        f'track="{tracks[0]}"'
        if len(tracks) == 1
        else f"track=({', '.join(f'{chr(34)}{track}{chr(34)}' for track in tracks)})",
        *kept,
    ]
    new = "MethodCard(\n" + "".join(f"        {argument},\n" for argument in arguments) + "    )"
    if name == like.name:
        return text
    lines = text.splitlines(keepends=True)
    first = tree.body[0]
    edits: list[tuple[ast.expr | ast.stmt, str]] = [(card, new)]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        said = (
            f"{kind}: say where it comes from. It does what {like.name} does until you change it."
        )
        edits.append((first, f'"""{said}"""'))
    for node, replacement in sorted(edits, key=lambda edit: -edit[0].lineno):
        _replace(lines, node, replacement)
    return re.sub(rf"\b{owner.name}\b", kind, "".join(lines))


def _replace(lines: list[str], node: ast.expr | ast.stmt, text: str) -> None:
    """Put ``text`` where ``node`` is; lines before it stay as they are."""
    start, end = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    head = lines[start].encode()[: node.col_offset].decode()
    tail = lines[end].encode()[node.end_col_offset :].decode()
    lines[start : end + 1] = [head + text + tail]


def files_for(
    kind: str,
    name: str,
    registry: Registry,
    track: str,
    like: str | None,
    others: Iterable[str] = (),
) -> dict[str, str]:
    """Return the files of a new plugin: path -> text.

    Args:
        kind: ``method``, ``task``, ``dataset`` or ``plugin`` (a package that holds a method).
        name: its name in kebab-case.
        registry: where the method to start from is looked up.
        track: of the method; of a task: the name of its own new track.
        like: the method to start from; None: the track's baseline method.
        others: more tracks of the method.
    """
    module, found = named(name)
    fill = {"name": name, "module": module, "kind": found, "track": track}
    if kind == "task":
        fresh = not registry.cards_of(track)
        parts = {
            "import": "\n    TrackCard," if fresh else "",
            "card": templates.filled(templates.TRACK, fill) if fresh else "",
        }
        return {f"{module}.py": templates.filled(templates.filled(templates.TASK, parts), fill)}
    if kind == "dataset":
        return {f"{module}.py": templates.filled(templates.DATASET, fill)}
    start = like_of(registry, like, track) if like is not None else low_of(registry, track)
    try:
        text = method_text(name, start, track, *others)
    except UsageError as error:
        raise UsageError(f"{error} {_copies(registry, track)}") from None
    if kind == "method":
        return {f"{module}.py": text}
    return {
        templates.filled(path, fill): templates.filled(content, fill)
        for path, content in templates.PLUGIN.items()
    } | {f"src/{module}/methods.py": text}


def write(folder: Path, files: dict[str, str]) -> list[Path]:
    """Write files that are not there yet, all or none.

    Raises:
        UsageError: one is there. EnvironmentFault: they can't be written.
    """
    paths = [folder / name for name in files]
    _refuse_existing(paths)
    try:
        for path, text in zip(paths, files.values(), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise EnvironmentFault(
            f"{error.filename} can't be written ({error.strerror}); name another folder with --out."
        ) from None
    return paths


def _refuse_existing(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.exists():
            raise UsageError(
                f"{path} is there already; give another name, or another folder with --out."
            )
