"""Things built once and used by many runs: tensors as safetensors beside a JSON page that says how they came to be."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.digests import digest
from bench.errors import BenchError


class Artifacts:
    """A folder of artifacts: ``<key>/tensors.safetensors`` and ``<key>/recipe.json``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "artifacts"

    def get(self, recipe: Mapping[str, Any], parts: Mapping[str, Any], build: Callable[[], Mapping[str, Any]], device: str) -> tuple[dict[str, Any], float]:
        """Return the tensors of ``recipe`` and the seconds that building them took, building them if nobody has.

        Args:
            recipe: what the builder was asked for, as plain data.
            parts: what else the result depends on: data, code, libraries, device class.
            build: makes the tensors.
            device: where they are loaded.
        """
        from safetensors.torch import load_file

        key = digest({"recipe": recipe, **parts})
        place = self.folder / key
        if not (place / "recipe.json").is_file():
            self._build(place, {"recipe": recipe, **parts}, build)
        page = json.loads((place / "recipe.json").read_text())
        return load_file(place / "tensors.safetensors", device=device), float(page["seconds"])

    def _build(self, place: Path, page: dict[str, Any], build: Callable[[], Mapping[str, Any]]) -> None:
        from safetensors.torch import save_file

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = (self.folder / f"{place.name}.lock").open("w")
        except OSError as error:
            raise BenchError(f"the cache folder {str(self.folder)!r} can't be written ({error.strerror}); name another with BENCH_CACHE.") from None
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if (place / "recipe.json").is_file():
                return
            start = time.perf_counter()
            tensors = {name: tensor.detach().contiguous().cpu() for name, tensor in build().items()}
            seconds = time.perf_counter() - start
            temporary = Path(tempfile.mkdtemp(dir=self.folder, prefix=".building-"))
            try:
                save_file(tensors, temporary / "tensors.safetensors")
                (temporary / "recipe.json").write_text(json.dumps({**page, "seconds": seconds, "built": time.time()}, indent=1))
                shutil.rmtree(place, ignore_errors=True)
                os.replace(temporary, place)  # noqa: PTH105
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
