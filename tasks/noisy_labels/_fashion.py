"""What the tasks of wrong labels on Fashion-MNIST share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from ._official import OfficialTask

GCE = {9: 7, 7: 5, 2: 6, 4: 3, 3: 4}
"""Ankle boot to sneaker, sneaker to sandal, pullover to shirt, coat to dress and dress to coat
(arXiv:1805.07836).
"""
LOOK_ALIKES = {6: 0, 0: 6, 2: 4, 4: 2, 5: 7, 7: 5, 9: 7}
"""Shirt and T-shirt, pullover and coat, sandal and sneaker either way, ankle boot to sneaker."""


class FashionTask(OfficialTask):
    """Fashion-MNIST with corrupted labels, judged on its own 10,000 test pictures."""

    source: ClassVar = "fashion-mnist"
    n_test: ClassVar = 10000
    watched: ClassVar = 2000

    confused: Literal["gce", "look-alikes"] = "gce"
    """Where ``asym`` moves labels: as GCE's authors do, or to what looks most alike."""

    def look_alikes(self) -> Mapping[int, int]:
        """Return the map that ``confused`` names."""
        return GCE if self.confused == "gce" else LOOK_ALIKES
