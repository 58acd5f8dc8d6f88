"""Reading one source file as syntax: its classes with their cards and
parameters, its tracks' cards, its imports, its digest.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import msgspec

from bench.plugins.digest import (
    CARD_CALLS,
    RECORD_CALLS,
    code_digest,
    kinds,
    last_name,
    table_of,
    track_of,
)
from bench.plugins.types import NotStatic


class Field(msgspec.Struct, frozen=True):
    """An annotated class attribute, as written."""

    type: str
    default: Any = None
    required: bool = False
    doc: str = ""


class ClassScan(msgspec.Struct, frozen=True):
    """A class that could be a plugin, as written.

    ``card`` is None for a base class; ``dynamic`` says what can't be read.
    """

    name: str
    bases: list[str]
    fields: dict[str, Field]
    card: dict[str, Any] | None = None
    kind: str = ""
    doc: str = ""
    dynamic: str = ""


class TrackScan(msgspec.Struct, frozen=True):
    """A track's card, as written.

    ``name``: what it is assigned to; ``dynamic`` says what can't be read.
    """

    name: str
    card: dict[str, Any]
    dynamic: str = ""


class FileScan(msgspec.Struct, frozen=True):
    """What one file says.

    ``imports`` maps a local name to ``module`` or ``module:name``; ``reaches`` lists what it
    imports.

    ``own`` holds the digests of a table that ``bench tune`` wrote, by kind of device: each without
    what was measured on other kinds.
    """

    stamp: tuple[int, int]
    digest: str
    classes: list[ClassScan]
    constants: dict[str, Any]
    imports: dict[str, str]
    reaches: list[str]
    hooks: bool = False
    error: str = ""
    own: dict[str, str] = {}
    tracks: list[TrackScan] = []

    def digest_on(self, kind: str) -> str:
        """Return the digest of what the file says to a run on this kind of device."""
        return self.own.get(kind, self.digest)


def stamp(path: Path) -> tuple[int, int]:
    """Return the file's modification time in ns and its size, which
    together say whether it was touched.
    """
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def scan_file(path: Path, package: str) -> FileScan:
    """Read ``path``, whose module lives in ``package``.

    A file that does not parse gives a scan with ``error``.
    """
    mark = stamp(path)
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        return FileScan(
            mark,
            "",
            [],
            {},
            {},
            [],
            error=f"{type(error).__name__} in {path.name}{f', line {line}' if line else ''}: "
            f"{getattr(error, 'msg', error)}",
        )
    imports, reaches = _imports(tree, package)
    classes = [_class(node) for node in tree.body if isinstance(node, ast.ClassDef)]
    hooks = any(
        isinstance(node, ast.FunctionDef)
        and any("hookimpl" in ast.unparse(mark) for mark in node.decorator_list)
        for node in tree.body
    )
    constants, tracks = _constants(tree), _tracks(tree)
    digest = code_digest(tree)
    own = {kind: code_digest(table_of(kind, tree)) for kind in kinds(tree)}
    return FileScan(
        mark, digest, classes, constants, imports, reaches, hooks, own=own, tracks=tracks
    )


def _imports(tree: ast.Module, package: str) -> tuple[dict[str, str], list[str]]:
    names: dict[str, str] = {}
    reaches: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
                reaches[alias.name] = None
        elif isinstance(node, ast.ImportFrom):
            parent = (
                package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            )
            module = ".".join([*parent, *([node.module] if node.module else [])])
            reaches[module] = None
            for alias in node.names:
                names[alias.asname or alias.name] = f"{module}:{alias.name}"
                reaches[f"{module}.{alias.name}"] = None
    return names, list(reaches)


def _constants(tree: ast.Module) -> dict[str, Any]:
    constants = {}
    for node in tree.body:
        targets = (
            node.targets
            if isinstance(node, ast.Assign)
            else [node.target]
            if isinstance(node, ast.AnnAssign)
            else []
        )
        value = getattr(node, "value", None)
        if len(targets) == 1 and isinstance(targets[0], ast.Name) and value is not None:
            try:
                constants[targets[0].id] = literal(value)
            except NotStatic:
                if _is_type(value):
                    constants[targets[0].id] = {"$type": ast.unparse(value)}
    return constants


def _is_type(value: ast.expr) -> bool:
    """Say whether an expression spells a type that parameters may have."""
    if isinstance(value, ast.BinOp):
        return isinstance(value.op, ast.BitOr)
    return isinstance(value, ast.Subscript) and last_name(value.value) in ("Literal", "Annotated")


def _tracks(tree: ast.Module) -> list[TrackScan]:
    """Return the cards of tracks that the module assigns; one that stands
    elsewhere can't be read, which is said of it.
    """
    found, read = [], set()
    for name, call in filter(None, map(track_of, tree.body)):
        read.add(call)
        try:
            found.append(TrackScan(name, literal(call)))
        except NotStatic as error:
            found.append(TrackScan(name, {}, f"it holds {error}"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and last_name(node.func) == "TrackCard" and node not in read:
            found.append(
                TrackScan(f"of line {node.lineno}", {}, "it is assigned to no name of the module")
            )
    return found


def _class(node: ast.ClassDef) -> ClassScan:
    fields: dict[str, Field] = {}
    card: dict[str, Any] | None = None
    kind, dynamic, last = "", "", ""
    for item in node.body:
        match item:
            case ast.Expr(value=ast.Constant(value=str(text))) if last in fields:
                fields[last] = msgspec.structs.replace(fields[last], doc=" ".join(text.split()))
            case (
                ast.AnnAssign(target=ast.Name(id="card"), value=ast.Call() as call)
                | ast.Assign(targets=[ast.Name(id="card")], value=ast.Call() as call)
            ):
                kind = CARD_CALLS.get(last_name(call.func), "")
                try:
                    card = literal(call)
                except NotStatic as error:
                    dynamic, card = f"its card holds {error}", {}
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value) if (
                not name.startswith("_")
            ):
                text = ast.unparse(annotation)
                if "ClassVar" not in text:
                    last = name
                    try:
                        fields[name] = Field(
                            text, None if value is None else literal(value), value is None
                        )
                    except NotStatic as error:
                        dynamic = f"the default of {name} is {error}"
        if not isinstance(item, ast.AnnAssign | ast.Expr):
            last = ""
    return ClassScan(
        node.name,
        [ast.unparse(base) for base in node.bases],
        fields,
        card,
        kind,
        (ast.get_docstring(node) or ""),
        dynamic,
    )


def literal(node: ast.expr) -> Any:
    """Return the plain value of a literal expression; a card or record call becomes a dict, a bare
    name ``{"$name": name}``, what is added up or filled in ``{"$text": parts}``.

    Raises:
        NotStatic: the expression computes something.
    """
    match node:
        case ast.Constant(value=value) if value is None or isinstance(
            value, bool | int | float | str
        ):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.BinOp(
            left=ast.Constant(value=int() | float() as left),
            op=ast.Div(),
            right=ast.Constant(value=int() | float() as right),
        ) if right:
            return left / right
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            return [
                {"$spread": literal(element.value)}
                if isinstance(element, ast.Starred)
                else literal(element)
                for element in elements
            ]
        # a tuple is a list here
        case ast.Dict(keys=keys, values=values) if all(
            isinstance(key, ast.Constant | ast.UnaryOp) for key in keys
        ):
            return {
                literal(key): literal(value)
                for key, value in zip(keys, values, strict=True)
                if key is not None
            }
        case ast.Call(func=function, args=[], keywords=keywords) if last_name(
            function
        ) in RECORD_CALLS and all(keyword.arg for keyword in keywords):
            return {str(keyword.arg): literal(keyword.value) for keyword in keywords}
        case ast.Name(id=name):
            return {"$name": name}
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return {"$text": [literal(left), literal(right)]}
        case ast.JoinedStr(values=parts):
            return {"$text": [literal(part) for part in parts]}
        case ast.FormattedValue(value=ast.Name() as name, conversion=-1, format_spec=None):
            return literal(name)
    raise NotStatic(ast.unparse(node)[:60])
