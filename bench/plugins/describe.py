"""Side process of the index: import one class and print its card and parameters as JSON."""

from __future__ import annotations

import json
import sys

import msgspec

from bench.cards import KINDS
from bench.contracts import Dataset, Method, Task
from bench.plugins.source import Target, import_target
from bench.plugins.types import type_to_text
from bench.texts import decode


def main() -> None:
    """Describe the target given as JSON in the first argument."""
    target = decode(sys.argv[1].encode(), Target)
    found = import_target(target)
    if not issubclass(found, Method | Task | Dataset):
        raise TypeError(f"{target.qualname} is no Method, Task or Dataset of bench")
    kind = next(kind for kind, card in KINDS.items() if isinstance(found.card, card))
    params = {
        name: (type_to_text(param.type), None if param.default is msgspec.UNSET else param.default, param.default is msgspec.UNSET, "")
        for name, param in found.schema().items()
    }
    sys.stdout.write(json.dumps({"kind": kind, "card": msgspec.to_builtins(found.card), "params": params}) + "\n")


if __name__ == "__main__":
    main()
