"""The rows whose predicted label has the highest entropy (doi:10.1145/584091.584093 defines it)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.active_learning import ActiveMethod, View, entropy


class Entropy(ActiveMethod):
    """Ask the rows of the highest entropy."""

    card: ClassVar = MethodCard(
        name="entropy",
        title="Highest entropy",
        track="active-learning",
        needs=("classes",),
        stacked=True,
        plain=True,
        defaults_from="here",
    )

    def ask(self, state: None, view: View) -> torch.Tensor:
        """Return the open rows (count,) of the highest -sum_c p_c log p_c."""
        return view.highest(entropy(view.p))
