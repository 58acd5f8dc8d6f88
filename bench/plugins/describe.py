"""Side process of the index: import one file and print the card and
parameters of each of its plugins as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import msgspec

from bench.cards import KINDS
from bench.contracts import Dataset, Method, Task
from bench.plugins.source import Target, import_module, import_target
from bench.plugins.types import type_to_text
from bench.texts import decode


def main() -> None:
    """Describe the target given as JSON in the first argument and, since
    importing takes long, every other plugin of its file.
    """
    target = decode(sys.argv[1].encode(), Target)
    module = import_module(target)
    classes = {
        name: found
        for name, found in vars(module).items()
        if isinstance(found, type) and "card" in vars(found) and found.__module__ == target.module
    }
    classes[target.qualname] = import_target(target)
    sys.stdout.write(
        json.dumps({name: _described(name, found) for name, found in classes.items()}) + "\n"
    )


def _described(name: str, found: Any) -> dict[str, Any] | str:
    """Return a plugin's kind, card and parameters as plain data, or what is wrong with it."""
    try:
        if not issubclass(found, Method | Task | Dataset):
            raise TypeError(f"{name} is no Method, Task or Dataset of bench")
        kind = next((kind for kind, card in KINDS.items() if isinstance(found.card, card)), None)
        if kind is None:
            raise TypeError(
                f"the card of {name} is a {type(found.card).__name__}, and must be a MethodCard, "
                "TaskCard or DatasetCard"
            )
        params = {
            name: (
                type_to_text(param.type),
                None if param.default is msgspec.UNSET else param.default,
                param.default is msgspec.UNSET,
                "",
            )
            for name, param in found.schema().items()
        }
        described = {"kind": kind, "card": msgspec.to_builtins(found.card), "params": params}
        json.dumps(described)
        return described
    except Exception as error:  # what is wrong with one class is no fault of the others
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main()
