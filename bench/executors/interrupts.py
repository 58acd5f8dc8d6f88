"""What Ctrl-C, SIGTERM and the end of the terminal mean while runs run."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

GRACE = 5.0
"""Seconds in which runs may end after the first signal."""

CUT_OFF = "it was cut off when the command was interrupted; the same command runs it again"
"""What the record of a run says that a signal ended."""

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts(contextlib.AbstractContextManager["Interrupts"]):
    """Counts signals instead of dying of them: after one, runs have :data:`GRACE` seconds to end;
    after two, none; a third one raises.

    Signals that are ignored, as SIGHUP is under nohup, stay ignored. Outside the main thread
    nothing is changed.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._count, self._first, self._said = say, 0, 0.0, False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in _NUMBERS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, *_: object) -> None:
        self._count += 1
        if self._count == 1:
            self._first = time.monotonic()
        elif self._count > 2:
            raise KeyboardInterrupt

    def stop(self) -> None:
        """Do as after two signals; may be called from another thread."""
        self._count = max(self._count, 2)

    @property
    def asked(self) -> bool:
        """Whether no new run is to start; says so to the user once."""
        if self._count and not self._said:
            self._said = True
            self._say(
                f"stopping: what ends within {GRACE:g} s is finished, the rest is recorded as "
                "interrupted. Once more kills at once."
            )
        return self._count > 0

    @property
    def due(self) -> bool:
        """Whether what still runs is to be killed."""
        return self._count > 1 or (self._count == 1 and time.monotonic() - self._first > GRACE)
