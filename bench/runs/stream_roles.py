"""The named streams of a run."""

from __future__ import annotations

ROLES = {
    "split": False,
    "corruption": False,
    "init": True,
    "order": True,
    "augment": True,
    "eval": False,
    "method": True,
}
"""The named streams, and whether problem k of a case has its own.

Only ``method`` depends on the method's name.
"""
