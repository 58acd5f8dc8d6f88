"""The progress of runs in a notebook: one line in the cell's output that changes.

A kernel's stderr is no terminal, so a bar would not show.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.runs.keys import Keyed

_EVERY = 0.5
"""Seconds between two changes of the line: each is a message to the
browser, and is kept until the notebook is saved.
"""


def line() -> Callable[[str], None] | None:
    """Return a function that shows a text in place of the one before, in the output of the
    notebook's cell; None: no notebook is asking.
    """
    # not imported: then this is no notebook
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if getattr(shell, "kernel", None) is None:
        return None
    from IPython.display import display

    handle = display({"text/plain": ""}, raw=True, display_id=True)
    return lambda text: handle.update({"text/plain": text}, raw=True)


@contextmanager
def notebook_progress(
    show: Callable[[str], None], total: int, cached: int
) -> Iterator[tuple[Callable[[str, float], None], Callable[[Keyed], None]]]:
    """Say how many runs have ended, which one last, and about how long the others take; at the end,
    what came of it.

    Args:
        show: shows a text in place of the one before.
        total: the number of runs.
        cached: how many more are recorded already.

    Yields:
        what is to be called when a job has come further, and when a run has ended.
    """
    fractions: dict[str, float] = {}
    began, shown, finished, last = time.monotonic(), float("-inf"), 0, ""
    beside = f", {cached} recorded already" if cached else ""

    def draw() -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown < _EVERY:
            return
        shown = now
        done = min(finished + sum(fractions.values()), total)
        left = (
            f", about {in_words((now - began) * (total - done) / done)} left"
            if 0.02 * total < done < total
            else ""
        )
        show(f"{finished} of {total} runs{beside} ({100 * done / total:.0f} %{left}){last}")

    def notice(identity: str, fraction: float) -> None:
        fractions[identity] = min(fraction, 0.99)
        draw()

    def advance(keyed: Keyed) -> None:
        nonlocal finished, last
        finished, last = finished + 1, f": {keyed.cell.spec.label()}"
        fractions.clear()
        draw()

    draw()
    ended = "stopped"
    try:
        yield notice, advance
        ended = "done"
    finally:
        show(
            f"{ended}: {finished} of {total} runs{beside}, in {in_words(time.monotonic() - began)}"
        )


def in_words(seconds: float) -> str:
    """Say how long something takes."""
    return (
        f"{seconds:.0f} s"
        if seconds < 100
        else f"{seconds / 60:.0f} min"
        if seconds < 6000
        else f"{seconds / 3600:.1f} h"
    )
