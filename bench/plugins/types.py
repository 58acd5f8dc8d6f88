"""Parameter types as text and back, so that the index can hold them and
nothing is imported or evaluated.
"""

from __future__ import annotations

import ast
import functools
import operator
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal

from msgspec import Meta

_PLAIN: dict[str, Any] = {
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "None": None,
    "Any": Any,
}
_KNOWN = frozenset((*_PLAIN, "Literal", "Annotated", "Optional", "Meta", "tuple"))
_BOUNDS = ("ge", "gt", "le", "lt")


class NotStatic(ValueError):
    """The text is not of the kind that can be read without importing."""


@functools.cache
def type_from_text(text: str) -> Any:
    """Build the type that the annotation ``text`` names.

    Raises:
        NotStatic: it uses a name other than the plain types, ``Literal``, ``Annotated``, ``Meta``,
            ``tuple`` and ``|``.
    """
    return _build(ast.parse(text, mode="eval").body)


def spelled(text: str, meaning: Callable[[str], str | None]) -> str:
    """Return an annotation with what names stand for in their places.

    Args:
        text: the annotation.
        meaning: returns what a name stands for, None where it stands for itself.
    """

    class Spell(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            found = None if node.id in _KNOWN else meaning(node.id)
            return node if found is None else ast.parse(spelled(found, meaning), mode="eval").body

    return ast.unparse(Spell().visit(ast.parse(text, mode="eval")))


def _build(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=None):
            return None
        case ast.Constant(value=str(text)):
            return type_from_text(text)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return functools.reduce(
                operator.or_,
                (
                    types.NoneType if part is None else part
                    for part in (_build(left), _build(right))
                ),
            )
        case ast.Subscript(value=base, slice=inner):
            return _subscript(_last(base), inner)
        case ast.Name() | ast.Attribute() if _last(node) in _PLAIN:
            return _PLAIN[_last(node)]
    raise NotStatic(ast.unparse(node))


def _subscript(name: str, inner: ast.expr) -> Any:
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    match name:
        case "Literal":
            return Literal[tuple(ast.literal_eval(part) for part in parts)]
        case "Annotated":
            return Annotated[(_build(parts[0]), *(_meta(part) for part in parts[1:]))]
        case "Optional":
            return _build(parts[0]) | None
        case "tuple" if len(parts) == 2 and ast.unparse(parts[1]) == "...":
            return tuple[_build(parts[0]), ...]  # type: ignore[misc]
    raise NotStatic(name)


def _meta(node: ast.expr) -> Meta:
    if (
        isinstance(node, ast.Call)
        and _last(node.func) == "Meta"
        and all(keyword.arg in _BOUNDS for keyword in node.keywords)
    ):
        return Meta(
            **{str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords}
        )
    raise NotStatic(ast.unparse(node))


def _last(node: ast.expr) -> str:
    return (
        node.attr
        if isinstance(node, ast.Attribute)
        else node.id
        if isinstance(node, ast.Name)
        else ""
    )


def type_to_text(kind: Any) -> str:
    """Write a parameter type as an annotation that :func:`type_from_text` reads back."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is None or kind is types.NoneType:
        return "None"
    if origin is Annotated:
        bounds = (
            ", ".join(
                f"{bound}={getattr(meta, bound)!r}"
                for bound in _BOUNDS
                if getattr(meta, bound) is not None
            )
            for meta in arguments[1:]
        )
        return (
            f"Annotated[{type_to_text(arguments[0])}, "
            f"{', '.join(f'Meta({inner})' for inner in bounds)}]"
        )
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if origin is tuple:
        return f"tuple[{type_to_text(arguments[0])}, ...]"
    if arguments:
        return " | ".join(type_to_text(argument) for argument in arguments)
    return getattr(kind, "__name__", str(kind))
