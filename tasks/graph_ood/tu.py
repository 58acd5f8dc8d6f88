"""Graphs of the TU Dortmund collection that are larger than any in training."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from bench import Preset, Reference, Setup, TaskCard

from ._file_task import FULL, SHORT, FileTask, by_size
from ._scores import ACCURACIES


class TuSize(FileTask):
    """Classify proteins, molecules or networks of people; OOD: larger
    graphs than any in training.
    """

    card: ClassVar = TaskCard(
        name="tu-size",
        title="TU graphs larger than those in training",
        track="graph-ood",
        datasets=("tu",),
        libraries=("torch_geometric",),
        paper="arXiv:2007.08663",
        bibtex="""@inproceedings{morris2020tudataset,
  title = {TUDataset: A collection of benchmark datasets for learning with graphs},
  author = {Morris, Christopher and Kriege, Nils M. and Bause, Franka and Kersting, Kristian and
    Mutzel, Petra and Neumann, Marion},
  booktitle = {ICML Workshop on Graph Representation Learning and Beyond},
  year = {2020},
  eprint = {2007.08663},
  archivePrefix = {arXiv}
}""",
        metrics=ACCURACIES,
        presets={
            "smoke": Preset(
                variants={"proteins": {"subset": "PROTEINS"}}, params=SHORT, seeds=1, timeout=300
            ),
            "paper": Preset(
                variants={
                    "proteins": {"subset": "PROTEINS"},
                    "dd": {"subset": "DD"},
                    "collab": {"subset": "COLLAB"},
                },
                params=FULL,
                seeds=10,
                timeout=36000,
            ),
        },
        test_set="fixed",
        budget="100 epochs of batch 32",
        references=(Reference(name="erm", kind="low"),),
    )
    source: ClassVar = "tu"
    subset: str = "PROTEINS"
    """Name of the set in the collection."""

    def ask(self) -> dict[str, Any]:
        """Name the set."""
        return {"subset": self.subset}

    def rows(self, data: Any, run: Setup) -> dict[str, np.ndarray]:
        """Split by size."""
        return by_size(data, run)
