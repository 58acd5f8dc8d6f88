"""Parts of TRL's batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class Scores:
    """Log-probability of each token taken, and entropy, under the policy that generated: one
    forward pass a row, without gradient, when asked for.

    Args:
        score: from row numbers (M,) to both (M, T).
        like: anything of the shape of all completions (N, T).
    """

    def __init__(
        self, score: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]], like: torch.Tensor
    ) -> None:
        self._score = score
        self._known = torch.zeros(len(like), dtype=torch.bool, device=like.device)
        self._log_p, self._entropy = (torch.zeros(like.shape, device=like.device) for _ in range(2))

    def of(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return log-probabilities and entropies (M, T)."""
        new = rows[~self._known[rows]]
        if len(new):
            with torch.no_grad():
                log_p, entropy = self._score(new)
            self._log_p[new], self._entropy[new], self._known[new] = (
                log_p.float(),
                entropy.float(),
                True,
            )
        return self._log_p[rows], self._entropy[rows]


def cut(found: dict[str, Any], rows: torch.Tensor, width: int) -> dict[str, Any]:
    """Return the rows of every tensor that has rows; columns of completions up to ``width``, of
    prompts from the first that any row uses.
    """
    columns = found["completion_ids"].shape[1]
    first = int(found["prompt_mask"][rows].any(0).int().argmax())
    kept = {}
    for name, value in found.items():
        if isinstance(value, torch.Tensor) and value.dim() > 0:
            value = value[rows]
            if name in ("prompt_ids", "prompt_mask"):
                value = value[:, first:]
            elif value.dim() == 2 and value.shape[1] == columns:
                value = value[:, :width]
        kept[name] = value
    return kept


def padded(values: torch.Tensor, rows: int, width: int) -> torch.Tensor:
    """Return the first ``width`` columns with ``rows`` rows of zeros below."""
    return torch.cat([values[:, :width], values.new_zeros(rows, width)])
