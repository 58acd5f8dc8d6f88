"""Solubility of molecules with scaffolds, or of sizes, that are not in training."""

from __future__ import annotations

from typing import ClassVar

from bench import Preset, Reference, TaskCard

from ._molecule_task import MoleculeTask
from ._scores import ERRORS


class SolubilityShift(MoleculeTask):
    """1,282 molecules and the logarithm of their solubility in water."""

    card: ClassVar = TaskCard(
        name="solubility",
        title="Solubility of molecules unlike those in training",
        track="graph-ood",
        datasets=("solubility",),
        libraries=("torch_geometric",),
        metrics=ERRORS,
        presets={
            "smoke": Preset(
                variants={"scaffold": {"split": "scaffold"}},
                params={"hidden": 16, "epochs": 8},
                seeds=1,
                timeout=120,
            ),
            "default": Preset(
                variants={"scaffold": {"split": "scaffold"}},
                params={"hidden": 64, "epochs": 60},
                seeds=3,
                timeout=300,
            ),
            "more": Preset(
                variants={"size": {"split": "size"}},
                params={"hidden": 64, "epochs": 60},
                seeds=3,
                timeout=300,
            ),
        },
        test_set="fixed",
        budget="60 epochs of batch 128",
        references=(Reference(name="erm", kind="low"),),
    )
    source: ClassVar = "solubility"
