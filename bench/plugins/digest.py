"""Digests of code: what a file does, whatever it says of itself."""

from __future__ import annotations

import ast
import copy
import hashlib

CARD_CALLS = {"MethodCard": "method", "TaskCard": "task", "DatasetCard": "dataset"}
RECORD_CALLS = {*CARD_CALLS, "TrackCard", "Metric", "Preset", "Reference"}
_DESCRIPTIVE = frozenset(
    # no number depends on them
    (
        "title paper bibtex claim official_code deviates licence signal plain defaults_from trials "
        "source size get budget unit clock_arrays inputs column limits warns methods"
    ).split()
)


def code_digest(tree: ast.Module) -> str:
    """Digest what the code does: the syntax tree without comments, positions, docstrings and what
    cards only tell their readers.

    Changes ``tree``.
    """
    tree.body = [node for node in tree.body if track_of(node) is None]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and last_name(node.func) in RECORD_CALLS:
            node.keywords = [
                keyword for keyword in node.keywords if keyword.arg not in _DESCRIPTIVE
            ]
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [
                item
                for item in body
                if not (
                    isinstance(item, ast.Expr)
                    and isinstance(item.value, ast.Constant)
                    and isinstance(item.value.value, str)
                )
            ]
            node.body = kept or [ast.Pass()]  # type: ignore[attr-defined]
    return hashlib.blake2b(
        ast.dump(tree, annotate_fields=False).encode(), digest_size=16
    ).hexdigest()


def kinds(tree: ast.Module) -> tuple[str, ...]:
    """Return the kinds of device that a file may say different things to: those of a table that
    ``bench tune`` writes, none for other files.
    """
    match [node for node in tree.body if not isinstance(node, ast.ImportFrom)]:
        case [ast.AnnAssign(target=ast.Name(id="TABLE"), value=ast.Dict(values=rows))] if all(
            isinstance(row, ast.Dict) for row in rows
        ):
            return ("cpu", "cuda")
    return ()


def table_of(kind: str, tree: ast.Module) -> ast.Module:
    """Return a tuned table without what was measured on other kinds of
    device, and without the choices of which nothing is left.
    """
    table = copy.deepcopy(tree)
    whole = next(node.value for node in table.body if isinstance(node, ast.AnnAssign))
    assert isinstance(whole, ast.Dict)
    left: list[tuple[ast.expr | None, ast.expr]] = []
    for name, row in zip(whole.keys, whole.values, strict=True):
        assert isinstance(row, ast.Dict)
        kept = [
            (key, value)
            for key, value in zip(row.keys, row.values, strict=True)
            if isinstance(key, ast.Constant) and key.value == kind
        ]
        row.keys, row.values = [key for key, _ in kept], [value for _, value in kept]
        left += [(name, row)] if kept else []
    whole.keys, whole.values = [name for name, _ in left], [row for _, row in left]
    return table


def track_of(node: ast.stmt) -> tuple[str, ast.Call] | None:
    """Return name and call of a statement ``NAME = TrackCard(...)``; None of another."""
    match node:
        case (
            ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call)
            | ast.AnnAssign(target=ast.Name(id=name), value=ast.Call() as call)
        ):
            return (name, call) if last_name(call.func) == "TrackCard" else None
    return None


def last_name(node: ast.expr) -> str:
    """Return the last part of a name with dots; empty for anything else."""
    return (
        node.attr
        if isinstance(node, ast.Attribute)
        else node.id
        if isinstance(node, ast.Name)
        else ""
    )
