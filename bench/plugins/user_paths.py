"""The plugins that a user names: on the command line, in the environment, in pyproject.toml."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable
from pathlib import Path

from bench.errors import UsageError


def user_paths(paths: Iterable[str]) -> list[Path]:
    """Return the paths of plugins that the user gave, in a command or a setting."""
    given = [
        *paths,
        *filter(None, os.environ.get("BENCH_PLUGINS", "").split(os.pathsep)),
        *_configured(),
    ]
    resolved = []
    for text in dict.fromkeys(given):
        try:
            path = Path(text).expanduser().resolve()
            there = path.exists()
        # no such home folder, a NUL in a name, a name that is too long
        except (RuntimeError, ValueError, OSError) as error:
            raise UsageError(
                f"no plugin at {text!r} ({error}); give a Python file, or a folder with rooms "
                "methods/, tasks/ or datasets/."
            ) from None
        if not there:
            raise UsageError(
                f"no plugin at {text!r}; give a Python file, or a folder with rooms methods/, "
                "tasks/ or datasets/."
            )
        resolved.append(path)
    return list(dict.fromkeys(resolved))


def _configured() -> list[str]:
    """Return ``[tool.bench] plugins`` of the nearest pyproject.toml, as absolute paths."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        file = folder / "pyproject.toml"
        if not file.is_file():
            continue
        try:
            table = tomllib.loads(file.read_text("utf-8")).get("tool", {}).get("bench", {})
        except (tomllib.TOMLDecodeError, OSError):
            return []
        plugins = table.get("plugins", [])
        if unknown := set(table) - {"plugins"}:
            raise UsageError(
                f"{file} sets tool.bench.{sorted(unknown)[0]}, which bench does not know; the "
                "only key is 'plugins'."
            )
        if not isinstance(plugins, list) or not all(isinstance(item, str) for item in plugins):
            raise UsageError(
                f"{file} sets tool.bench.plugins to {plugins!r}; give a list of paths."
            )
        return [str(folder / item) for item in plugins]
    return []
