"""Whether several models train quicker together or one by one. Written by ``bench tune``."""

from __future__ import annotations

TABLE: dict[str, dict[str, list[tuple[dict[str, int], str]]]] = {
    "unlearning/models": {
        "cpu": [
            ({"members": 8, "inputs": 64, "width": 64, "batch": 32}, "stacked"),  # stacked 0.975 ms, serial 5.22 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
            ({"members": 32, "inputs": 64, "width": 64, "batch": 32}, "stacked"),  # stacked 2.46 ms, serial 22.2 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
            ({"members": 8, "inputs": 784, "width": 128, "batch": 64}, "stacked"),  # stacked 7.17 ms, serial 11.9 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
            ({"members": 32, "inputs": 784, "width": 128, "batch": 64}, "stacked"),  # stacked 21.7 ms, serial 39.1 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
        ],
        "cuda": [
            ({"members": 8, "inputs": 64, "width": 64, "batch": 32}, "stacked"),  # stacked 1.31 ms, serial 10.3 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
            ({"members": 32, "inputs": 64, "width": 64, "batch": 32}, "stacked"),  # stacked 1.67 ms, serial 53.4 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
            ({"members": 8, "inputs": 784, "width": 128, "batch": 64}, "stacked"),  # stacked 1.35 ms, serial 11 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
            ({"members": 32, "inputs": 784, "width": 128, "batch": 64}, "stacked"),  # stacked 1.51 ms, serial 46.7 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
        ],
    },
}
