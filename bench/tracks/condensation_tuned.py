"""Which backend is quickest, as measured. Written by ``bench tune``."""

from __future__ import annotations

TABLE: dict[str, dict[str, list[tuple[dict[str, int], str]]]] = {
    "condensation/evaluation": {
        "cpu": [
            ({"images": 10, "side": 8, "width": 32, "nets": 5}, "grouped"),  # grouped 7.1 ms, sequential 19.9 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
            ({"images": 100, "side": 8, "width": 32, "nets": 5}, "sequential"),  # grouped 64.5 ms, sequential 48.9 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
            ({"images": 256, "side": 8, "width": 32, "nets": 5}, "sequential"),  # grouped 151 ms, sequential 102 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
            ({"images": 10, "side": 14, "width": 32, "nets": 5}, "grouped"),  # grouped 16.4 ms, sequential 32 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
            ({"images": 100, "side": 14, "width": 32, "nets": 5}, "sequential"),  # grouped 197 ms, sequential 127 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
            ({"images": 10, "side": 28, "width": 32, "nets": 5}, "grouped"),  # grouped 74.8 ms, sequential 83.7 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
        ],
        "cuda": [
            ({"images": 10, "side": 32, "width": 128, "nets": 20}, "grouped"),  # grouped 22.4 ms, sequential 217 ms, stacked 26.5 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
            ({"images": 100, "side": 32, "width": 128, "nets": 20}, "grouped"),  # grouped 164 ms, sequential 251 ms, stacked 188 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
            ({"images": 256, "side": 32, "width": 128, "nets": 20}, "grouped"),  # grouped 395 ms, sequential 387 ms, stacked 455 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
        ],
    },
    "condensation/matching": {
        "cpu": [
            ({"side": 8, "channels": 1, "width": 32, "ipc": 1, "real": 32}, "grouped"),  # grouped 15.2 ms, hybrid 20.7 ms, loop 35.3 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
            ({"side": 8, "channels": 1, "width": 32, "ipc": 10, "real": 32}, "grouped"),  # grouped 24.8 ms, hybrid 31.7 ms, loop 55.5 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
            ({"side": 28, "channels": 1, "width": 32, "ipc": 1, "real": 32}, "hybrid"),  # grouped 315 ms, hybrid 178 ms, loop 197 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
            ({"side": 28, "channels": 1, "width": 32, "ipc": 10, "real": 32}, "loop"),  # grouped 413 ms, hybrid 345 ms, loop 328 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
        ],
        "cuda": [
            ({"side": 32, "channels": 3, "width": 128, "ipc": 1, "real": 256}, "vmap"),  # grouped 72.8 ms, hybrid 58.8 ms, loop 111 ms, vmap 55.9 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
            ({"side": 32, "channels": 3, "width": 128, "ipc": 10, "real": 256}, "vmap"),  # grouped 81.9 ms, hybrid 68.2 ms, loop 133 ms, vmap 63.6 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
            ({"side": 32, "channels": 3, "width": 128, "ipc": 50, "real": 256}, "vmap"),  # grouped 117 ms, hybrid 103 ms, loop 122 ms, vmap 95.9 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
        ],
    },
}
