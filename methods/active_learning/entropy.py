"""The rows whose predicted label has the highest entropy (doi:10.1109/IJCNN.2014.6889457)."""

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
        paper="doi:10.1109/IJCNN.2014.6889457",
        bibtex="""@inproceedings{wang2014active,
  title = {A New Active Labeling Method for Deep Learning},
  author = {Wang, Dan and Shang, Yi},
  booktitle = {IJCNN},
  year = {2014}
}""",
        claim="A net that queries its least certain rows needs fewer labels.",
        deviates="No row gets its predicted label.",
        needs=("classes",),
        stacked=True,
        defaults_from="paper",
    )

    def ask(self, state: None, view: View) -> torch.Tensor:
        """Return the open rows (count,) of the highest -sum_c p_c log p_c."""
        return view.highest(entropy(view.p))
