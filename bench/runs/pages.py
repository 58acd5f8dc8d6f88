"""A checkpoint's nested state as a page of plain data beside named tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def flatten(value: Any, tensors: dict[str, Any], path: str) -> Any:
    """Return the page of ``value``, and put its tensors into ``tensors`` by their path."""
    if isinstance(value, Mapping):
        return {"dict": [[key, flatten(item, tensors, f"{path}/{key}")] for key, item in value.items()]}
    if hasattr(value, "detach"):
        tensors[path] = value
        return {"tensor": path}
    return {"value": value}


def unflatten(page: Any, load: Callable[[str], Any]) -> Any:
    """Return what :func:`flatten` made a page of; ``load`` gives a tensor by its path."""
    match page:
        case {"dict": items}:
            return {key: unflatten(item, load) for key, item in items}
        case {"tensor": path}:
            return load(path)
    return page["value"]
