"""What the cards of tables with label errors share: the protocol of the 8x8 digits as it is."""

from __future__ import annotations

from bench import Preset

PRESETS = {
    "smoke": Preset(
        variants={"sym40": {"noise": "sym", "rate": 0.4}},
        params={"n_train": 300, "epochs": 5},
        seeds=1,
        timeout=60,
    ),
    "default": Preset(
        variants={
            "sym40": {"noise": "sym", "rate": 0.4},
            "confusion40": {"noise": "confusion", "rate": 0.4},
        },
        params={"n_train": 4000, "epochs": 16},
        seeds=3,
        timeout=300,
    ),
}
BUDGET = (
    "the passes of the task's protocol for each net; out-of-fold probabilities are charged to who "
    "asks for them"
)
