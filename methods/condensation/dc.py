"""Dataset condensation with gradient matching (arXiv:2006.05929)."""

from __future__ import annotations

from typing import Any, ClassVar

from bench import MethodCard
from bench.tracks.condensation_matching import GradientMatching


class GradientMatchingDC(GradientMatching):
    """Match the gradients of each class by themselves: the sum over
    classes of the distance of real and synthetic gradient.
    """

    card: ClassVar = MethodCard(
        name="dc",
        title="Dataset condensation with gradient matching",
        track="condensation",
        paper="arXiv:2006.05929",
        bibtex="""@inproceedings{zhao2021dataset,
  title = {Dataset Condensation with Gradient Matching},
  author = {Zhao, Bo and Mopuri, Konda Reddy and Bilen, Hakan},
  booktitle = {ICLR},
  year = {2021},
  eprint = {2006.05929},
  archivePrefix = {arXiv}
}""",
        claim="Far above every selection of real images of the same number.",
        official_code="ok",
        deviates="Starts from real images, where the authors' default is noise (init=noise); "
        "loops and real batch are the task's, the same for all that match gradients: a fresh net "
        "for each change, as the authors take with one image a class; with ten and more they train "
        "each net on the images between ten and more changes (paper-ipc10).",
        defaults_from="paper",
        tuning={"lr_img": (0.03, 0.1, 0.3, 1.0), "mom_img": (0.5, 0.9)},
    )
    settings: ClassVar[dict[str, dict[str, Any]]] = {
        "paper-ipc1": {"init": "noise", "outer": 1000, "inner": 1, "net_epochs": 1},
        "paper-ipc10": {"init": "noise", "outer": 1000, "inner": 10, "net_epochs": 50},
        "paper-ipc50": {"init": "noise", "outer": 1000, "inner": 50, "net_epochs": 10},
    }
