"""The rows whose two likeliest labels are nearest (doi:10.1109/IJCNN.2014.6889457, eq. 2)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.active_learning import ActiveMethod, View


class Margin(ActiveMethod):
    """Ask the rows of the smallest difference of the two largest probabilities."""

    card: ClassVar = MethodCard(
        name="margin",
        title="Smallest margin",
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
        """Return the open rows (count,) of the smallest p_(1) - p_(2)."""
        best = view.p.topk(2, dim=1).values
        return view.highest(best[:, 1] - best[:, 0])
