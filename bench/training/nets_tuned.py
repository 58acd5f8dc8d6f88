"""Which form of a stack is quickest, as measured. Written by ``bench tune``: names, device classes and shapes to the quickest candidate."""

from __future__ import annotations

TABLE: dict[str, dict[str, list[tuple[dict[str, int], str]]]] = {
    "nets/cnn": {
        "cpu": [
            (
                {"batch": 128, "channels": 1, "side": 8, "bits": 32},
                "sequence-last",
            ),  # sequence 42.6 ms, sequence-last 37.7 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-25
            (
                {"batch": 128, "channels": 1, "side": 28, "bits": 32},
                "sequence",
            ),  # sequence 372 ms, sequence-last 386 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-25
            (
                {"batch": 128, "channels": 3, "side": 32, "bits": 32},
                "sequence-last",
            ),  # sequence 448 ms, sequence-last 333 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-25
        ],
    },
}
