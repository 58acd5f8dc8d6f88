"""What listens to a run while its operations are counted, and where it need not."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any


class Watch:
    """Something that hears the interpreter's events as its profile."""

    def hear(self, frame: FrameType, event: str, argument: Any) -> None:
        """Hear an event."""
        raise NotImplementedError


class Unwatched:
    """A part of a trainer in which nobody's code but this project's runs, with torch alone: what is
    heard there says nothing, and takes longer than what is done. Profiles of others hear all.
    """

    def __enter__(self) -> None:
        self._watch = sys.getprofile()
        if isinstance(getattr(self._watch, "__self__", None), Watch):
            sys.setprofile(None)

    def __exit__(self, *_: object) -> None:
        if sys.getprofile() is None:
            sys.setprofile(self._watch)
