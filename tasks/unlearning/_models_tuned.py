"""Whether several models train quicker together or one by one. Written by ``bench tune``."""

from __future__ import annotations

TABLE: dict[str, dict[str, list[tuple[dict[str, int], str]]]] = {
    "unlearning/models": {
        "cpu": [
            ({"members": 8, "inputs": 64, "width": 64, "batch": 32}, "stacked"),  # stacked 2.4 ms, serial 12.6 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-25
            ({"members": 32, "inputs": 64, "width": 64, "batch": 32}, "stacked"),  # stacked 5.32 ms, serial 52.5 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-25
            ({"members": 8, "inputs": 784, "width": 128, "batch": 64}, "stacked"),  # stacked 13.9 ms, serial 27.8 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-25
            ({"members": 32, "inputs": 784, "width": 128, "batch": 64}, "stacked"),  # stacked 51.5 ms, serial 111 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-25
        ],
    },
}
