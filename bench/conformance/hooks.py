"""Whether a plugin overrides what it means to override."""

from __future__ import annotations

import ast
import difflib
import inspect
from collections.abc import Iterator

from bench.conformance.report import Finding

ALIKE = 0.8
"""Likeness of two names, as ``difflib`` has it, from which one is taken for a slip of the other."""


def misspelt(found: type) -> Iterator[tuple[str, str]]:
    """Yield functions of a class that nothing calls and whose names are nearly those of functions
    that its bases have and it does not override, with these.
    """
    for owner in found.__mro__:
        if not _is_plugins(owner):
            continue
        bases = [base for base in owner.__mro__[1:] if base is not object]
        inherited = {name for base in bases for name in _functions(base)}
        own = _functions(owner)
        for name in own - inherited - _mentioned(owner):
            for near in difflib.get_close_matches(name, inherited - own, n=1, cutoff=ALIKE):
                yield name, near


def spelling(found: object) -> Finding:
    """Return what is to be said of the names of a plugin's functions."""
    slips = [
        f"nothing calls {name}(), and its base class has {near}(); rename it to {near} if it is "
        f"meant to override that, or call it"
        for name, near in (misspelt(found) if isinstance(found, type) else ())
    ]
    return Finding(
        rule="hooks", subject="", outcome="failed" if slips else "passed", said="; ".join(slips)
    )


def _is_plugins(owner: type) -> bool:
    """Tell a class that a plugin defines from those of the package and of libraries."""
    module = owner.__module__
    return module.startswith("bench.builtin.") or module.split(".")[0] not in (
        "bench",
        "builtins",
        "msgspec",
        "torch",
    )


def _functions(owner: type) -> set[str]:
    kinds = (classmethod, staticmethod, property)
    return {
        name
        for name, value in vars(owner).items()
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, kinds))
    }


def _mentioned(owner: type) -> set[str]:
    """Return the names that the file of a class mentions anywhere, texts included."""
    try:
        source = inspect.getsource(inspect.getmodule(owner) or owner)
    except (OSError, TypeError):  # it has no file
        return _functions(owner)
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(attr=name) | ast.Name(id=name) | ast.keyword(arg=str(name)):
                found.add(name)
            case ast.Constant(value=str(name)):
                found.add(name)
    return found
