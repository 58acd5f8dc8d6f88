"""The named parameter sets of a method (``settings``), as ``bench show`` gives them."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from bench.cli._options import table
from bench.params import render_call
from bench.plugins.entries import Entry


def settings_of(entry: Entry) -> dict[str, dict[str, Any]]:
    """Return the parameter sets of papers by name; none where the class can't be imported.

    Most are literals of the file: to import it, and torch with it, takes longer than all else.
    """
    if entry.kind != "method":
        return {}
    tree = ast.parse(Path(entry.target.path).read_bytes())
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == entry.target.qualname:
            own = _own(node)
            if own is None and _bases(node) <= _of_bench(tree):
                return {}
            try:
                found: dict[str, dict[str, Any]] = ast.literal_eval(own) if own else {}
            except ValueError:
                found = {}
            return found or _imported(entry)
    return {}


def settings_table(entry: Entry) -> list[str]:
    """Return a table of the sets, each as ``--method`` takes it; nothing where there are none."""
    rows = [[name, render_call(entry.name, given)] for name, given in settings_of(entry).items()]
    return ["", table(rows, ["setting", "run it by --method"])] if rows else []


def _imported(entry: Entry) -> dict[str, dict[str, Any]]:
    from bench.plugins.source import import_target

    try:
        settings = getattr(import_target(entry.target), "settings", {})
        return {name: dict(given) for name, given in settings.items()}
    except Exception:  # a library that it imports is missing: the card is shown without
        return {}


def _own(node: ast.ClassDef) -> ast.expr | None:
    """Return what a class assigns to ``settings`` itself."""
    for part in node.body:
        match part:
            case ast.AnnAssign(target=ast.Name(id="settings")):
                return part.value
            case ast.Assign(targets=[ast.Name(id="settings")]):
                return part.value
    return None


def _bases(node: ast.ClassDef) -> set[str]:
    return {ast.unparse(base).partition(".")[0].partition("[")[0] for base in node.bases}


def _of_bench(tree: ast.Module) -> set[str]:
    """Return the names that a file imports from ``bench``, where no class has settings."""
    return {
        alias.asname or alias.name
        for part in tree.body
        if isinstance(part, ast.ImportFrom) and (part.module or "").partition(".")[0] == "bench"
        for alias in part.names
    }
