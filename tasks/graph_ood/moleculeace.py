"""Activities of molecules with scaffolds, or of sizes, that are not in training."""

from __future__ import annotations

from typing import Any, ClassVar

from bench import Preset, Reference, TaskCard

from ._molecule_task import MoleculeTask
from ._scores import ERRORS


class ActivityShift(MoleculeTask):
    """Molecules measured at one ChEMBL target, with activity cliffs: pairs
    that look alike and act differently.
    """

    card: ClassVar = TaskCard(
        name="moleculeace",
        title="Activities of molecules unlike those in training",
        track="graph-ood",
        datasets=("moleculeace",),
        libraries=("torch_geometric",),
        metrics=ERRORS,
        presets={
            "smoke": Preset(
                variants={"chembl2835": {"target": "CHEMBL2835_Ki"}},
                params={"hidden": 16, "epochs": 5},
                seeds=1,
                timeout=120,
            ),
            "default": Preset(
                variants={"chembl234": {"target": "CHEMBL234_Ki"}},
                params={"hidden": 64, "epochs": 60},
                seeds=3,
                timeout=600,
            ),
            "more": Preset(
                variants={
                    "chembl2147": {"target": "CHEMBL2147_Ki"},
                    "chembl204": {"target": "CHEMBL204_Ki"},
                },
                params={"hidden": 64, "epochs": 60},
                seeds=3,
                timeout=600,
            ),
        },
        test_set="fixed",
        budget="60 epochs of batch 128",
        references=(Reference(name="erm", kind="low"),),
        paper="doi:10.1021/acs.jcim.2c01073",
    )
    source: ClassVar = "moleculeace"
    target: str = "CHEMBL234_Ki"
    """Name of the target in MoleculeACE."""

    def ask(self) -> dict[str, Any]:
        """Name the target."""
        return {"target": self.target}
