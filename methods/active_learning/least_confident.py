"""The rows whose likeliest label is least likely (doi:10.1109/IJCNN.2014.6889457, eq. 1)."""

from __future__ import annotations

from typing import ClassVar

import torch

from bench import MethodCard
from bench.tracks.active_learning import ActiveMethod, View


class LeastConfident(ActiveMethod):
    """Ask the rows of the smallest largest probability."""

    card: ClassVar = MethodCard(
        name="least-confident",
        title="Least confident",
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
        """Return the open rows (count,) of the smallest max_c p_c."""
        return view.highest(-view.p.amax(1))
