"""Which form of a stack is quickest, as measured. Written by ``bench tune``: names, device classes and shapes to the quickest candidate."""

from __future__ import annotations

TABLE: dict[str, dict[str, list[tuple[dict[str, int], str]]]] = {}
