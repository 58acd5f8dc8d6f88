"""Hydration free energies of molecules with scaffolds, or of sizes, that are not in training."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, Reference, TaskCard

from ._molecule_task import MoleculeTask
from ._scores import ERRORS


class FreeSolvShift(MoleculeTask):
    """642 small molecules and their measured free energy of hydration in kcal/mol."""

    card: ClassVar = TaskCard(
        name="freesolv",
        title="Hydration free energies of molecules unlike those in training",
        track="graph-ood",
        datasets=("freesolv",),
        libraries=("torch_geometric",),
        metrics=ERRORS,
        presets={
            "smoke": Preset(
                variants={"scaffold": {"split": "scaffold"}},
                params={"hidden": 16, "epochs": 8},
                seeds=1,
                timeout=120,
            ),
            "more": Preset(
                variants={"scaffold": {"split": "scaffold"}, "size": {"split": "size"}},
                params={"hidden": 64, "epochs": 60},
                seeds=3,
                timeout=300,
            ),
        },
        test_set="fixed",
        budget="60 epochs of batch 128",
        references=(Reference(name="erm", kind="low"),),
    )
    source: ClassVar = "freesolv"
