"""The sizes of one record on its way through the checks."""

from __future__ import annotations

from typing import Any

import torch


class Scope:
    """The sizes that are bound, and the records that have more under their names; the tensors that
    were found finite, which several problems share.
    """

    def __init__(
        self,
        *records: Any,
        parent: Scope | None = None,
        finite: dict[int, torch.Tensor] | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.records, self.parent, self.bound = records, parent, dict[str, int]()
        self.finite: dict[int, torch.Tensor] = (
            parent.finite if parent else {} if finite is None else finite
        )
        self.device: torch.device | None = parent.device if parent else device

    def size(self, name: str) -> int | None:
        """Return the size of a name; None: not known yet."""
        if name in self.bound:
            return self.bound[name]
        for record in self.records:
            value = getattr(record, name, None)
            if isinstance(value, int) and not isinstance(value, bool):
                return value
        return self.parent.size(name) if self.parent else None

    def holder(self, name: str) -> Any:
        """Return the record that has something under a name; None: none has."""
        for record in self.records:
            if hasattr(record, name):
                return record
        return self.parent.holder(name) if self.parent else None

    def bind(self, name: str, size: int) -> None:
        """Note the size of a name."""
        self.bound[name] = size

    def rest(self) -> None:
        """Let go of the records and their tensors; the sizes stay."""
        self.records, self.finite = (), {}
