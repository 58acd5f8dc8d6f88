"""The presets that the tasks on the 8x8 digits share."""

from __future__ import annotations

from bench import Preset

SMOKE = Preset(
    variants={"ipc1": {"ipc": 1}},
    params={
        "n_train": 300,
        "updates": 10,
        "inner": 2,
        "epochs": 20,
        "epochs_full": 3,
        "nets": 2,
        "width": 8,
    },
    seeds=1,
    timeout=60,
)
DEFAULT = Preset(
    variants={
        "ipc1": {"ipc": 1},
        "ipc3": {"ipc": 3, "updates": 240},
        "ipc5": {"ipc": 5, "updates": 320},
    },
    seeds=3,
    timeout=300,
)
