"""Places on GPUs: which runs may run at a time, and the one GPU that each may see."""

from __future__ import annotations

import functools
import json
import subprocess
import sys

_PROBE = """
import json, torch
cuda = torch.cuda
every = range(cuda.device_count())
print(json.dumps([[cuda.get_device_name(k), cuda.get_device_capability(k)] for k in every]))
"""


@functools.cache
def usable_gpus(visible: str | None = None) -> tuple[str, ...]:
    """Return the GPUs that runs may use, as ``CUDA_VISIBLE_DEVICES`` names them: those of the first
    one's model, since the key names one model.

    Args:
        visible: ``CUDA_VISIBLE_DEVICES`` of this process, None where it is not set.
    """
    done = subprocess.run(
        [sys.executable, "-c", _PROBE], capture_output=True, text=True, check=False, timeout=120
    )
    models = (
        json.loads(done.stdout.splitlines()[-1])
        if done.returncode == 0 and done.stdout.strip()
        else []
    )
    return of_one_model(models, visible) or ((visible or "0").partition(",")[0],)


def of_one_model(models: list[list[object]], visible: str | None) -> tuple[str, ...]:
    """Return the names of the GPUs whose model is the first one's;
    ``models`` are in the order of ``visible``.
    """
    names = (
        [name.strip() for name in visible.split(",")]
        if visible
        else [str(position) for position in range(len(models))]
    )
    return tuple(name for name, model in zip(names, models, strict=False) if model == models[0])


class Slots:
    """Places to run at: ``parallel`` of them on a CPU; on GPUs at most
    ``per_gpu`` on each, spread evenly.
    """

    def __init__(self, parallel: int, gpus: tuple[str, ...] = (), per_gpu: int = 1) -> None:
        places = [gpu for _ in range(per_gpu) for gpu in gpus] if gpus else [""] * parallel
        self._free = places[:parallel]

    def __len__(self) -> int:
        """Return how many places are free."""
        return len(self._free)

    def take(self) -> str | None:
        """Return the GPU of a free place (an empty text: none is to be
        seen), or None where no place is free.
        """
        return self._free.pop(0) if self._free else None

    def give_back(self, place: str) -> None:
        """Free a place."""
        self._free.append(place)


def environment(place: str) -> dict[str, str]:
    """Return the variables of a run at a place: it sees its GPU, and no other."""
    return {"CUDA_VISIBLE_DEVICES": place}
