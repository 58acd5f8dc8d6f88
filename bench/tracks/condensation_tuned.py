"""Which backend is quickest, as measured. Written by ``bench tune``."""

from __future__ import annotations

TABLE: dict[str, dict[str, list[tuple[dict[str, int], str]]]] = {
    "condensation/evaluation": {
        "cpu": [
            ({"images": 10, "side": 8, "width": 32, "nets": 5}, "grouped"),  # grouped 23.3 ms, sequential 70.4 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-25
            ({"images": 100, "side": 8, "width": 32, "nets": 5}, "grouped"),  # grouped 191 ms, sequential 187 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-25
            ({"images": 256, "side": 8, "width": 32, "nets": 5}, "sequential"),  # grouped 435 ms, sequential 387 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-25
            ({"images": 10, "side": 14, "width": 32, "nets": 5}, "grouped"),  # grouped 48.2 ms, sequential 111 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-25
            ({"images": 100, "side": 14, "width": 32, "nets": 5}, "sequential"),  # grouped 586 ms, sequential 487 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-25
            ({"images": 10, "side": 28, "width": 32, "nets": 5}, "sequential"),  # grouped 289 ms, sequential 280 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-25
        ],
    },
    "condensation/matching": {
        "cpu": [
            (
                {"side": 8, "channels": 1, "width": 32, "ipc": 1, "real": 32},
                "grouped",
            ),  # grouped 45.2 ms, hybrid 71.8 ms, loop 119 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-25
            (
                {"side": 8, "channels": 1, "width": 32, "ipc": 10, "real": 32},
                "grouped",
            ),  # grouped 73.6 ms, hybrid 103 ms, loop 175 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-25
            (
                {"side": 28, "channels": 1, "width": 32, "ipc": 1, "real": 32},
                "hybrid",
            ),  # grouped 800 ms, hybrid 530 ms, loop 616 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-25
            (
                {"side": 28, "channels": 1, "width": 32, "ipc": 10, "real": 32},
                "hybrid",
            ),  # grouped 1.07e+03 ms, hybrid 833 ms, loop 868 ms; AMD EPYC, torch 2.13.0+cpu, 2026-11-25
        ],
    },
}
