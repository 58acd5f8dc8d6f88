"""What this package registers with datacentric-bench."""

from __future__ import annotations

from collections.abc import Callable

from bench import hookimpl


@hookimpl
def bench_methods(register: Callable[[str], None]) -> None:
    """Register the methods of this package; the file is read, and not
    imported until a run needs it.
    """
    register("sce.methods")
