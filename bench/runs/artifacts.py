"""Things built once and used by many runs: tensors as safetensors beside a JSON page that says how they came to be."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import msgspec

from bench.digests import digest
from bench.errors import BenchWarning
from bench.runs.record import Flops, without_folders
from bench.texts import utf8_name


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

        place = self._place(recipe, parts)
        if not (place / "recipe.json").is_file() and (built := self._build(place, {"recipe": recipe, **parts}, build)) is not None:
            return {name: tensor.to(device, copy=True) for name, tensor in built[0].items()}, built[1]
        page = json.loads((place / "recipe.json").read_text("utf-8"))
        with utf8_name(place / "tensors.safetensors") as name:
            return load_file(name, device=device), float(page["seconds"])

    def _place(self, recipe: Mapping[str, Any], parts: Mapping[str, Any]) -> Path:
        return self.folder / digest({"recipe": recipe, **parts})

    def flops(self, recipe: Mapping[str, Any], parts: Mapping[str, Any]) -> Flops | None:
        """Return what building an artifact took; None: nobody has counted it, or the folder can't keep it."""
        file = self._place(recipe, parts) / "recipe.json"
        page = json.loads(file.read_text("utf-8")) if file.is_file() else {}
        return msgspec.convert(page["flops"], Flops) if "flops" in page else None

    def note(self, recipe: Mapping[str, Any], parts: Mapping[str, Any], flops: Flops) -> None:
        """Keep on the page of an artifact what building it took; where the folder can't be written, the next run counts again."""
        page = self._place(recipe, parts) / "recipe.json"
        with contextlib.suppress(OSError):
            handle, temporary = tempfile.mkstemp(dir=page.parent, prefix=".counted-")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(json.dumps({**json.loads(page.read_text("utf-8")), "flops": msgspec.to_builtins(flops)}, indent=1))
            _sync(Path(temporary))
            Path(temporary).replace(page)

    def _build(self, place: Path, page: dict[str, Any], build: Callable[[], Mapping[str, Any]]) -> tuple[dict[str, Any], float] | None:
        """Build an artifact and keep it; return the tensors and the seconds where the folder can't keep them, None where it holds them."""
        from safetensors import SafetensorError

        why, lock = "", None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = _locked(self.folder / f"{place.name}.lock", wait=True)
        except OSError as error:
            why = error.strerror or type(error).__name__
        try:
            if (place / "recipe.json").is_file():
                return None
            self._clear(place.name)
            start = time.perf_counter()
            tensors = {name: tensor.detach().contiguous().cpu() for name, tensor in build().items()}
            seconds = time.perf_counter() - start
            if lock is not None:
                try:
                    self._keep(place, tensors, {**page, "seconds": seconds, "built": time.time()})
                    return None
                except OSError as error:
                    why = error.strerror or type(error).__name__
                except SafetensorError as error:  # what its own code says of a write that failed
                    why = without_folders(str(error))
            warnings.warn(
                f"an artifact could not be kept in the cache ({why}), so every run that wants it builds it; see BENCH_CACHE.", BenchWarning, stacklevel=2
            )
            return tensors, seconds
        finally:
            self._clear(place.name)
            if lock is not None:
                Path(lock.name).unlink(missing_ok=True)  # while it is held: see _locked
                lock.close()

    def _keep(self, place: Path, tensors: dict[str, Any], page: dict[str, Any]) -> None:
        """Write an artifact whole or not at all.

        Raises:
            OSError, SafetensorError: it can't be written.
        """
        from safetensors.torch import save_file

        temporary = Path(tempfile.mkdtemp(dir=self.folder, prefix=f".building-{place.name}-"))
        save_file(tensors, temporary / "tensors.safetensors")
        (temporary / "recipe.json").write_text(json.dumps(page, indent=1), encoding="utf-8")
        for file in temporary.iterdir():
            _sync(file)
        shutil.rmtree(place, ignore_errors=True)
        os.replace(temporary, place)  # noqa: PTH105
        _sync(self.folder)

    def _clear(self, key: str) -> None:
        """Remove what builders of ``key`` left half-made; the caller holds its lock, so none of them is at work."""
        for left in self.folder.glob(f".building-{key}-*"):
            shutil.rmtree(left, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what builders that were killed left behind; one that is at work is not disturbed."""
        keys = {path.name.split("-")[1] for path in self.folder.glob(".building-*-*")} | {path.stem for path in self.folder.glob("*.lock")}
        for key in keys:
            with contextlib.suppress(OSError), _locked(self.folder / f"{key}.lock", wait=False) or contextlib.nullcontext() as lock:
                if lock is not None:
                    self._clear(key)
                    Path(lock.name).unlink(missing_ok=True)


def _locked(path: Path, wait: bool) -> IO[bytes] | None:
    """Open a lock file and lock it; None where another process holds it and ``wait`` is false.

    A holder may remove the file before it lets go: whoever waited for it then holds a lock on a file that is no longer there, and tries again.
    """
    while True:
        file = path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if os.fstat(file.fileno()).st_ino == path.stat().st_ino:
                return file
        except FileNotFoundError:
            pass
        except BlockingIOError:
            file.close()
            return None
        file.close()


def _sync(path: Path) -> None:
    """See that what was written there outlasts a loss of power."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
