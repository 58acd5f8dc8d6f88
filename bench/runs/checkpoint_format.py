"""A checkpoint's nested state as a page of plain data beside named tensors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from bench.errors import InvalidRun
from bench.runs.guard import no_plain


def flatten(value: Any, tensors: dict[str, Any], path: str = "") -> Any:
    """Return a state as plain data, its tensors moved to ``tensors`` under names of their own.

    Raises:
        InvalidRun: it is no state, or a part of it can't be kept.
    """
    if isinstance(value, Mapping):
        if wrong := next(
            (key for key in value if key is not None and not isinstance(key, str | int | float)),
            None,
        ):
            raise InvalidRun(
                f"the method's checkpoint has the key {wrong!r:.80} {_at(path)}; keys are texts "
                "or numbers."
            )
        return {
            "dict": [
                [key, flatten(item, tensors, f"{path}[{key!r:.80}]")] for key, item in value.items()
            ]
        }
    if not path:
        raise InvalidRun(
            f"the method's checkpoint is a {type(value).__name__}; a dict of tensors and plain "
            "data by name is wanted."
        )
    if hasattr(value, "detach") and hasattr(value, "layout"):
        if strange := no_plain(value):
            kind, _, remedy = strange.partition("; ")
            raise InvalidRun(
                f"the method's checkpoint holds {kind} {_at(path)}; {remedy or 'a plain one'}, "
                "which can be kept."
            )
        name = f"{len(tensors)}"
        tensors[name] = value.detach().contiguous().cpu().clone()
        return {"tensor": name}
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        raise InvalidRun(
            f"the method's checkpoint holds {_kind(value)} {_at(path)}; tensors, dicts of them, "
            "and plain data are kept: numbers, texts, lists of these, None."
        ) from None
    return {"value": value}


def unflatten(page: Any, load: Callable[[str], Any]) -> Any:
    """Return the state of :func:`flatten`."""
    match page:
        case {"dict": items}:
            return {key: unflatten(item, load) for key, item in items}
        case {"tensor": name}:
            return load(name)
    return page["value"]


def _kind(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _at(path: str) -> str:
    return f"at {path}" if path else "at its top"
