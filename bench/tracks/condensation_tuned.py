"""Which backend is quickest, as measured. Written by ``bench tune``."""

from __future__ import annotations

TABLE: dict[str, dict[str, list[tuple[dict[str, int], str]]]] = {
    "condensation/evaluation": {
        "cpu": [
            ({"images": 10, "side": 8, "width": 32, "nets": 5}, "grouped"),  # grouped 14.6 ms, sequential 41.6 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-26
            ({"images": 100, "side": 8, "width": 32, "nets": 5}, "grouped"),  # grouped 93.8 ms, sequential 97 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-26
            ({"images": 256, "side": 8, "width": 32, "nets": 5}, "sequential"),  # grouped 251 ms, sequential 199 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-26
            ({"images": 10, "side": 14, "width": 32, "nets": 5}, "grouped"),  # grouped 28.6 ms, sequential 72.1 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-26
            ({"images": 100, "side": 14, "width": 32, "nets": 5}, "sequential"),  # grouped 288 ms, sequential 262 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-26
            ({"images": 10, "side": 28, "width": 32, "nets": 5}, "sequential"),  # grouped 148 ms, sequential 139 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-26
        ],
        "cuda": [
            ({"images": 10, "side": 32, "width": 128, "nets": 20}, "grouped"),  # grouped 22.4 ms, sequential 217 ms, stacked 26.5 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
            ({"images": 100, "side": 32, "width": 128, "nets": 20}, "grouped"),  # grouped 164 ms, sequential 251 ms, stacked 188 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
            ({"images": 256, "side": 32, "width": 128, "nets": 20}, "grouped"),  # grouped 395 ms, sequential 387 ms, stacked 455 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
        ],
    },
    "condensation/matching": {
        "cpu": [
            ({"side": 8, "channels": 1, "width": 32, "ipc": 1, "real": 32}, "grouped"),  # grouped 24.3 ms, hybrid 40.5 ms, loop 63.2 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-26
            ({"side": 8, "channels": 1, "width": 32, "ipc": 10, "real": 32}, "grouped"),  # grouped 35.9 ms, hybrid 54 ms, loop 94.3 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-26
            ({"side": 28, "channels": 1, "width": 32, "ipc": 1, "real": 32}, "hybrid"),  # grouped 472 ms, hybrid 263 ms, loop 319 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-26
            ({"side": 28, "channels": 1, "width": 32, "ipc": 10, "real": 32}, "loop"),  # grouped 738 ms, hybrid 572 ms, loop 491 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-26
        ],
        "cuda": [
            ({"side": 32, "channels": 3, "width": 128, "ipc": 1, "real": 256}, "vmap"),  # grouped 72.8 ms, hybrid 58.8 ms, loop 111 ms, vmap 55.9 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
            ({"side": 32, "channels": 3, "width": 128, "ipc": 10, "real": 256}, "vmap"),  # grouped 81.9 ms, hybrid 68.2 ms, loop 133 ms, vmap 63.6 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
            ({"side": 32, "channels": 3, "width": 128, "ipc": 50, "real": 256}, "vmap"),  # grouped 117 ms, hybrid 103 ms, loop 122 ms, vmap 95.9 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
        ],
    },
}
