"""Molecules of the Open Graph Benchmark with scaffolds that are not in training."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np

from bench import Preset, Reference, Setup, TaskCard

from ._file_task import FULL, SHORT, FileTask, carved
from ._scores import AUCS, ERRORS

BIBTEX = """@inproceedings{hu2020ogb,
  title = {Open Graph Benchmark: Datasets for Machine Learning on Graphs},
  author = {Hu, Weihua and Fey, Matthias and Zitnik, Marinka and Dong, Yuxiao and Ren,
    Hongyu and Liu, Bowen and Catasta, Michele and Leskovec, Jure},
  booktitle = {NeurIPS},
  year = {2020},
  eprint = {2005.00687},
  archivePrefix = {arXiv}
}"""


class _OfficialScaffolds(FileTask):
    """The official validation and test parts, whose scaffolds are not in
    training, are out of distribution.
    """

    source: ClassVar = "ogb"

    def rows(self, data: Any, run: Setup) -> dict[str, np.ndarray]:
        """Carve ID validation and ID test out of the official training part."""
        part = data.part.cpu().numpy()
        return {
            **carved(np.flatnonzero(part == 0), run),
            "ood_val": np.flatnonzero(part == 1),
            "ood_test": np.flatnonzero(part == 2),
        }


class OgbAnswers(_OfficialScaffolds):
    """Does a molecule act on a target? One question, or twelve; not every answer is known."""

    card: ClassVar = TaskCard(
        name="ogb-mol",
        title="OGB molecules with scaffolds that are not in training: yes or no",
        track="graph-ood",
        datasets=("ogb",),
        libraries=("torch_geometric",),
        paper="arXiv:2005.00687",
        bibtex=BIBTEX,
        metrics=AUCS,
        presets={
            "smoke": Preset(
                variants={"bace": {"subset": "bace"}}, params=SHORT, seeds=1, timeout=300
            ),
            "paper": Preset(
                variants={
                    "bace": {"subset": "bace"},
                    "bbbp": {"subset": "bbbp"},
                    "clintox": {"subset": "clintox"},
                    "tox21": {"subset": "tox21"},
                    "hiv": {"subset": "hiv"},
                },
                params=FULL,
                seeds=10,
                timeout=36000,
            ),
        },
        test_set="official",
        budget="100 epochs of batch 32",
        references=(Reference(name="erm", kind="low"),),
    )
    subset: Literal["bace", "bbbp", "clintox", "tox21", "hiv", "sider", "toxcast", "muv"] = "bace"
    """Which of OGB's sets."""

    def ask(self) -> dict[str, Any]:
        """Name the set."""
        return {"subset": self.subset}


class OgbNumbers(_OfficialScaffolds):
    """Predict a number of a molecule."""

    card: ClassVar = TaskCard(
        name="ogb-mol-numbers",
        title="OGB molecules with scaffolds that are not in training: a number",
        track="graph-ood",
        datasets=("ogb",),
        libraries=("torch_geometric",),
        paper="arXiv:2005.00687",
        bibtex=BIBTEX,
        metrics=ERRORS,
        presets={
            "smoke": Preset(
                variants={"esol": {"subset": "esol"}}, params=SHORT, seeds=1, timeout=300
            ),
            "paper": Preset(
                variants={
                    "esol": {"subset": "esol"},
                    "freesolv": {"subset": "freesolv"},
                    "lipo": {"subset": "lipo"},
                },
                params=FULL,
                seeds=10,
                timeout=36000,
            ),
        },
        test_set="official",
        budget="100 epochs of batch 32",
        references=(Reference(name="erm", kind="low"),),
    )
    subset: Literal["esol", "freesolv", "lipo"] = "esol"
    """Which of OGB's sets."""

    def ask(self) -> dict[str, Any]:
        """Name the set."""
        return {"subset": self.subset}
