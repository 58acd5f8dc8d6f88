"""Which form of a stack is quickest, as measured. Written by ``bench tune``: names, device classes and shapes to the quickest candidate."""

from __future__ import annotations

TABLE: dict[str, dict[str, list[tuple[dict[str, int], str]]]] = {
    "nets/cnn": {
        "cuda": [
            ({"batch": 128, "channels": 1, "side": 8, "bits": 32}, "grouped"),  # grouped 3.33 ms, sequence 6.83 ms, sequence-last 7.2 ms, grouped-last 3.71 ms, vmap 5.03 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
            ({"batch": 128, "channels": 1, "side": 28, "bits": 32}, "grouped"),  # grouped 3.57 ms, sequence 8.51 ms, sequence-last 8.92 ms, grouped-last 4.79 ms, vmap 5.88 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
            ({"batch": 128, "channels": 3, "side": 32, "bits": 32}, "grouped-last"),  # grouped 5.3 ms, sequence 7.65 ms, sequence-last 7.86 ms, grouped-last 4.27 ms, vmap 6.5 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
            ({"batch": 128, "channels": 3, "side": 32, "bits": 16}, "grouped"),  # grouped 3.36 ms, sequence 7.1 ms, sequence-last 7.06 ms, grouped-last 3.47 ms, vmap fails; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
            ({"batch": 512, "channels": 3, "side": 32, "bits": 32}, "grouped-last"),  # grouped 17.9 ms, sequence 17.6 ms, sequence-last 13.4 ms, grouped-last 12.6 ms, vmap 21.5 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
            ({"batch": 512, "channels": 3, "side": 32, "bits": 16}, "grouped-last"),  # grouped 6.44 ms, sequence 12.7 ms, sequence-last 8.78 ms, grouped-last 4.81 ms, vmap fails; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
        ],
    },
}
