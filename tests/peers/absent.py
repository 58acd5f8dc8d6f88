"""Stand-ins for large packages that OpenDataVal imports for pictures, language and transport, none of
which the comparison uses.
"""

from __future__ import annotations

import sys
from unittest.mock import MagicMock

STANDING_IN = (
    "geomloss",
    "torchvision",
    "torchvision.datasets",
    "torchvision.transforms",
    "torchvision.transforms.functional",
    "transformers",
)
sys.modules.update({name: MagicMock() for name in STANDING_IN})
