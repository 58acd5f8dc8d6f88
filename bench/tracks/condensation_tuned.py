"""Which backend is quickest, as measured. Written by ``bench tune``."""

from __future__ import annotations

TABLE: dict[str, dict[str, list[tuple[dict[str, int], str]]]] = {
    "condensation/evaluation": {
        "cpu": [
            ({"images": 10, "side": 8, "width": 32, "nets": 5}, "grouped"),  # grouped 8.5 ms, sequential 22 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
            ({"images": 100, "side": 8, "width": 32, "nets": 5}, "grouped"),  # grouped 46 ms, sequential 59.2 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
            ({"images": 256, "side": 8, "width": 32, "nets": 5}, "grouped"),  # grouped 125 ms, sequential 129 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
            ({"images": 10, "side": 14, "width": 32, "nets": 5}, "grouped"),  # grouped 23.3 ms, sequential 47 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
            ({"images": 100, "side": 14, "width": 32, "nets": 5}, "grouped"),  # grouped 156 ms, sequential 166 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
            ({"images": 10, "side": 28, "width": 32, "nets": 5}, "grouped"),  # grouped 79.2 ms, sequential 102 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
        ],
        "cuda": [
            ({"images": 10, "side": 32, "width": 128, "nets": 20}, "grouped"),  # grouped 22.4 ms, sequential 217 ms, stacked 26.5 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
            ({"images": 100, "side": 32, "width": 128, "nets": 20}, "grouped"),  # grouped 164 ms, sequential 251 ms, stacked 188 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
            ({"images": 256, "side": 32, "width": 128, "nets": 20}, "grouped"),  # grouped 395 ms, sequential 387 ms, stacked 455 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
        ],
    },
    "condensation/matching": {
        "cpu": [
            ({"side": 8, "channels": 1, "width": 32, "ipc": 1, "real": 32}, "grouped"),  # grouped 16 ms, hybrid 22 ms, loop 38 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
            ({"side": 8, "channels": 1, "width": 32, "ipc": 10, "real": 32}, "grouped"),  # grouped 24.1 ms, hybrid 31.4 ms, loop 57 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
            ({"side": 28, "channels": 1, "width": 32, "ipc": 1, "real": 32}, "grouped"),  # grouped 163 ms, hybrid 183 ms, loop 210 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
            ({"side": 28, "channels": 1, "width": 32, "ipc": 10, "real": 32}, "grouped"),  # grouped 312 ms, hybrid 328 ms, loop 367 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-29
        ],
        "cuda": [
            ({"side": 32, "channels": 3, "width": 128, "ipc": 1, "real": 256}, "vmap"),  # grouped 72.8 ms, hybrid 58.8 ms, loop 111 ms, vmap 55.9 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
            ({"side": 32, "channels": 3, "width": 128, "ipc": 10, "real": 256}, "vmap"),  # grouped 81.9 ms, hybrid 68.2 ms, loop 133 ms, vmap 63.6 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
            ({"side": 32, "channels": 3, "width": 128, "ipc": 50, "real": 256}, "vmap"),  # grouped 117 ms, hybrid 103 ms, loop 122 ms, vmap 95.9 ms; NVIDIA H200, torch 2.11.0+cu130, 2026-11-26
        ],
    },
}
