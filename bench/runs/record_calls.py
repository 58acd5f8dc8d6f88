"""What is wrong with a call that builds a record, like a solution: its type takes other fields."""

from __future__ import annotations

import ast
import linecache
import re
from types import FrameType, TracebackType
from typing import Any

import msgspec

from bench.errors import listed, type_name

_SAID = re.compile(
    r"Missing required argument '(?P<lacks>\w+)'|Unexpected keyword argument '(?P<odd>\w+)'"
    r"|Extra positional arguments provided"
)
_PAGES = {
    "fixed-model": "ood-detection",
    "privacy-audit": "unlearning",
    "supervised": "recipes",
    "synthetic-diffusion": "synthetic-data",
}
"""Module of a track's types -> the page that describes them, where its name is another."""


def wrong_call(error: BaseException) -> str:
    """Say in a sentence what a call that raised lacks or has too much, what would be right and
    where that is described; empty: the error is none of a record's.
    """
    said = _SAID.fullmatch(str(error)) if type(error) is TypeError else None
    kind = _called(error.__traceback__) if said else None
    if said is None or kind is None:
        return ""
    fields = msgspec.structs.fields(kind)
    needed = [field.name for field in fields if field.required]
    free = [field.name for field in fields if not field.required]
    wrong = (
        f"lacks {said['lacks']!r}"
        if said["lacks"]
        else f"has no field {said['odd']!r}"
        if said["odd"]
        else "got values without names"
    )
    may = f", and may have {listed(free)}" if free else ""
    must = f"has to have {listed(needed)}" if needed else "needs no field"
    return f"{type_name(kind)} {wrong}; it {must}{may}, each by its name; see {page_of(kind)}"


def page_of(kind: type) -> str:
    """Return the page of the docs that describes a record type."""
    first, second, third = (*kind.__module__.split("."), "", "")[:3]
    if (first, second) != ("bench", "tracks"):
        return "docs/plugins.md"
    track = third.removesuffix("_problem").replace("_", "-")
    return f"docs/tracks/{_PAGES.get(track, track)}.md"


def _called(trace: TracebackType | None) -> Any:
    """Return the record type that the innermost line of Python called; None: it called none."""
    if trace is None:
        return None
    while trace.tb_next is not None:
        trace = trace.tb_next
    frame = trace.tb_frame
    first, last, left, right = list(frame.f_code.co_positions())[trace.tb_lasti // 2]
    try:
        tree = ast.parse("".join(linecache.getlines(frame.f_code.co_filename)))
    except (SyntaxError, ValueError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (
            (node.lineno, node.end_lineno, node.col_offset, node.end_col_offset)
            == (first, last, left, right)
        ):
            found = _value(node.func, frame)
            is_record = isinstance(found, type) and issubclass(found, msgspec.Struct)
            return found if is_record else None
    return None


def _value(node: ast.expr, frame: FrameType) -> Any:
    """Return what a name, or an attribute of one, stands for; None: nothing, or it is neither."""
    if isinstance(node, ast.Name):
        return frame.f_locals.get(node.id, frame.f_globals.get(node.id))
    if isinstance(node, ast.Attribute):
        # not getattr, which may run code
        return getattr(_value(node.value, frame), "__dict__", {}).get(node.attr)
    return None
