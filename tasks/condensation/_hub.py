"""What the tasks share whose data bring a test part: that part, and the papers' sizes."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import torch

from bench import Meta, Preset, Reference, Setup
from bench.training.data import Examples, stratified_split

from ._parts import Part, pooled
from ._task import CondensationTask

JUDGES_SEED = 12345
"""Where a part of the test images is judged by, it is the same for every
seed, as the whole test part is.
"""

SMOKE: dict[str, Any] = {
    "n_train": 400,
    "n_test": 100,
    "updates": 3,
    "inner": 1,
    "epochs": 3,
    "epochs_full": 1,
    "nets": 2,
    "width": 8,
    "batch_real": 4,
}
PAPER: dict[str, Any] = {
    "batch_real": 256,
    "nets": 20,
    "nets_aug": 20,
    "epochs": 301,
    "epochs_aug": 1001,
    "epochs_full": 100,
    "n_val": 0,
    "architectures": ["mlp", "resnet", "vit"],
}
"""VICO-UoE/DatasetCondensation, main.py and utils.py: 20 nets a set, 300 epochs, or 1,000 with
augmentation, of which the loop makes one more; 256 real images a class; nothing is held out.
"""
LOOPS = {
    "ipc1": {"ipc": 1, "updates": 1000, "inner": 1, "net_epochs": 1},
    "ipc10": {"ipc": 10, "updates": 10000, "inner": 10, "net_epochs": 50},
    "ipc50": {"ipc": 50, "updates": 50000, "inner": 50, "net_epochs": 10},
}
"""A thousand nets, the changes at each, and a net's epochs between two of them: the same file's
get_loops. DCC's repository takes ten changes a net with one image a class (its settings).
"""

PRESETS = {
    "smoke": Preset(variants={"ipc1": {"ipc": 1}}, params=SMOKE, seeds=1, timeout=300),
    "paper": Preset(variants=LOOPS, params=PAPER, seeds=5, timeout=86400),
}
BUDGET = (
    "ipc stored images a class; 1,000 changes of one image a class, 10,000 of ten, 50,000 of "
    "fifty; 256 real images a class in each; a thousand nets for methods that train them"
)
REFERENCES = (
    Reference(name="random", kind="low"),
    Reference(name="full-data", kind="high", title="All training images", solve="full_data"),
)


class HubTask(CondensationTask):
    """Pictures judged on their own test part; of the others a tenth, or ``n_val``, is held out to
    fit temperatures on.
    """

    width: Annotated[int, Meta(ge=1)] = 128
    """Channels of the ConvNet."""
    depth: Annotated[int, Meta(ge=1)] = 3
    """Blocks of the ConvNet."""
    n_test: Annotated[int, Meta(ge=0)] = 0
    """Judge by this many test images, the same for every seed; 0: all."""
    n_val: Annotated[int, Meta(ge=0)] | None = None
    """Training images to hold out for what is fitted on validation images; none given: a tenth. 0:
    none, and no ``ece_ts``.
    """
    epochs_aug: Annotated[int, Meta(ge=0)] = 0
    """Passes of the evaluation with augmentation; 0: as many as without."""
    anchors: bool = True
    """Compare with random images and with nets trained on all data, for ``recovery``, ``lrs`` and
    ``ars``; these nets cost a processor days at the papers' sizes.
    """
    best: bool = True
    """Look at the test images ten times while evaluation nets train, for ``acc_best``."""

    def epochs_augmented(self) -> int:
        """Return the passes of the evaluation with augmentation."""
        return self.epochs_aug or self.epochs

    def compares(self) -> bool:
        """Say whether a set is compared with random images and with nets trained on all data."""
        return self.anchors

    def looks(self) -> bool:
        """Say whether the test images are looked at while evaluation nets train."""
        return self.best

    def parts(self, run: Setup) -> tuple[Part, Part, Part, int]:
        """Return images and labels of train, validation and test, and the number of classes."""
        given: Examples = run.dataset(self.source, split="train")
        test: Examples = run.dataset(self.source, split="test")
        y, generator = given.y.cpu().numpy(), run.numpy_generator("split")
        n_val = len(y) // 10 if self.n_val is None else self.n_val
        train, val = stratified_split(y, n_val, generator)
        if 0 < self.n_train < len(train):
            train = train[stratified_split(y[train], self.n_train, generator)[1]]
        judges = np.arange(len(test.y))
        if 0 < self.n_test < len(judges):
            judges = stratified_split(
                test.y.cpu().numpy(), self.n_test, np.random.Generator(np.random.PCG64(JUDGES_SEED))
            )[1]

        def part(data: Examples, rows: np.ndarray) -> Part:
            own = torch.from_numpy(rows)
            return pooled(data.x[own], self.pool, white=255), data.y[own]

        return part(given, train), part(given, val), part(test, judges), given.classes
