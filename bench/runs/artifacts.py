"""Things built once and used by many runs: tensors as safetensors beside a
JSON page that says how they came to be.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec

from bench.digests import digest
from bench.errors import BenchError, BenchWarning, InvalidRun
from bench.files import put, sync
from bench.runs.artifact_lock import locked
from bench.runs.guard import no_plain
from bench.runs.inputs import Inputs, look
from bench.runs.read_observer import NETWORK, ReadObserver, aside, attentive, noted
from bench.runs.record import Flops, without_folders
from bench.texts import utf8_name

_TRIES = 5
"""Times that an artifact is read, where another process builds it anew meanwhile."""


class Artifacts:
    """A folder of artifacts: ``<key>/tensors.safetensors`` and ``<key>/recipe.json``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "artifacts"

    def get(
        self,
        recipe: Mapping[str, Any],
        parts: Mapping[str, Any],
        build: Callable[[], Mapping[str, Any]],
        device: str,
        inside: Inside | None = None,
    ) -> tuple[dict[str, Any], float]:
        """Return the tensors of ``recipe`` and the seconds that building them took, building them
        if nobody has, or where what was read to build them changed.

        Args:
            recipe: what the builder was asked for, as plain data.
            parts: what else the result depends on: data, code, libraries, device class.
            build: makes the tensors.
            device: where they are loaded.
            inside: serves the builder: knows which datasets it loads.
        """
        from safetensors.torch import load_file

        inside = inside or Nobody()
        place = self._place(recipe, parts)
        with aside():
            for _ in range(_TRIES):
                page = _page(place)
                if page is None or not _holds(place, page, inside):
                    built = self._build(place, {"recipe": recipe, **parts}, build, inside)
                    if built is not None:
                        return {
                            name: tensor.to(device, copy=True) for name, tensor in built[0].items()
                        }, built[1]
                    page = _page(place)
                with (
                    contextlib.suppress(FileNotFoundError),
                    utf8_name(place / "tensors.safetensors") as name,
                ):
                    tensors = load_file(name, device=device)
                    if page is not None and _built(_page(place)) == _built(page):
                        noted(_inputs(page))
                        return tensors, float(page["seconds"])
        raise BenchError(
            f"the artifact {place.name!r} changes while it is read: runs on different data share "
            "this cache folder; name another with BENCH_CACHE."
        )

    def _place(self, recipe: Mapping[str, Any], parts: Mapping[str, Any]) -> Path:
        return self.folder / digest({"recipe": recipe, **parts})

    def flops(self, recipe: Mapping[str, Any], parts: Mapping[str, Any]) -> Flops | None:
        """Return what building an artifact took; None: nobody has counted
        it, or the folder can't keep it.
        """
        file = self._place(recipe, parts) / "recipe.json"
        page = json.loads(file.read_text("utf-8")) if file.is_file() else {}
        return msgspec.convert(page["flops"], Flops) if "flops" in page else None

    def note(self, recipe: Mapping[str, Any], parts: Mapping[str, Any], flops: Flops) -> None:
        """Keep on the page of an artifact what building it took; where the
        folder can't be written, the next run counts again.
        """
        _add(self._place(recipe, parts), {"flops": msgspec.to_builtins(flops)})

    def _build(
        self,
        place: Path,
        page: dict[str, Any],
        build: Callable[[], Mapping[str, Any]],
        inside: Inside,
    ) -> tuple[dict[str, Any], float] | None:
        """Build an artifact and keep it; return the tensors and the seconds where the folder can't
        keep them, None where it holds them.
        """
        from safetensors import SafetensorError

        why, lock = "", None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = locked(self.folder / f"{place.name}.lock", wait=True)
        except OSError as error:
            why = error.strerror or type(error).__name__
        try:
            if (known := _page(place)) is not None and _holds(place, known, inside):
                return None
            self._clear(place.name)
            start = time.perf_counter()
            with (
                attentive(),
                ReadObserver(thorough=page.get("owner") == "Setup", apart=True) as observer,
            ):
                tensors = {
                    name: tensor.detach().contiguous().cpu()
                    for name, tensor in _tensors(build()).items()
                }
            seconds = time.perf_counter() - start
            if lock is not None:
                try:
                    inputs = observer.inputs()
                    page = {
                        **page,
                        "inputs": msgspec.to_builtins(inputs),
                        "loaded": inside.fingerprints(),
                    }
                    self._keep(place, tensors, {**page, "seconds": seconds, "built": time.time()})
                    return None
                except OSError as error:
                    why = error.strerror or type(error).__name__
                except SafetensorError as error:  # what its own code says of a write that failed
                    why = without_folders(str(error))
            warnings.warn(
                f"an artifact could not be kept in the cache ({why}), so every run that wants it "
                "builds it; see BENCH_CACHE.",
                BenchWarning,
                stacklevel=2,
            )
            return tensors, seconds
        finally:
            self._clear(place.name)
            if lock is not None:
                Path(lock.name).unlink(missing_ok=True)  # while it is held: see locked
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
            sync(file)
        shutil.rmtree(place, ignore_errors=True)
        os.replace(temporary, place)  # noqa: PTH105
        sync(self.folder)

    def _clear(self, key: str) -> None:
        """Remove what builders of ``key`` left half-made; the caller holds
        its lock, so none of them is at work.
        """
        for left in self.folder.glob(f".building-{key}-*"):
            shutil.rmtree(left, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what builders that were killed left behind; one that is
        at work is not disturbed.
        """
        keys = {path.name.split("-")[1] for path in self.folder.glob(".building-*-*")} | {
            path.stem for path in self.folder.glob("*.lock")
        }
        for key in keys:
            with (
                contextlib.suppress(OSError),
                locked(self.folder / f"{key}.lock", wait=False) or contextlib.nullcontext() as lock,
            ):
                if lock is not None:
                    self._clear(key)
                    Path(lock.name).unlink(missing_ok=True)


class Inside(Protocol):
    """What an artifact's builder is served by."""

    def fingerprints(self) -> dict[str, str]:
        """Return the datasets that it loaded, by their call, with their fingerprints."""
        ...

    def unchanged(self, loaded: Mapping[str, str]) -> bool:
        """Say whether datasets that a builder loaded are as they were
        then, and count them as loaded if so.
        """
        ...


class Nobody:
    """Serves a builder that loads no dataset."""

    def fingerprints(self) -> dict[str, str]:
        """Return nothing."""
        return {}

    def unchanged(self, loaded: Mapping[str, str]) -> bool:
        """Say that nothing is known of any."""
        return not loaded


def _page(place: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((place / "recipe.json").read_bytes())
    except (OSError, ValueError):
        return None
    return found


def _built(page: dict[str, Any] | None) -> Any:
    """Return what tells one building of an artifact from another; what was
    counted of it may join its page at any time.
    """
    return page and (page["built"], page["seconds"])


def _inputs(page: dict[str, Any]) -> Inputs:
    return msgspec.convert(page.get("inputs", {}), Inputs)


def _holds(place: Path, page: dict[str, Any], inside: Inside) -> bool:
    """Say whether what was read to build an artifact is as it was; the stamps of files that were
    touched are kept, so that the next run need not read them.
    """
    try:
        inputs = _inputs(page)
    except msgspec.ValidationError:
        return False
    if inputs.unseen == NETWORK:  # fetched once; its recipe says what
        inputs = msgspec.structs.replace(inputs, unseen="")
    found = look(inputs)
    if found.fresh is not None:
        fresh = msgspec.structs.replace(found.fresh, unseen=_inputs(page).unseen)
        _add(place, {"inputs": msgspec.to_builtins(fresh)})
    return not found.changed and inside.unchanged(page.get("loaded", {}))


def _add(place: Path, parts: Mapping[str, Any]) -> None:
    """Add to an artifact's page; what can't be written is found out again by the next run."""
    page = _page(place)
    if page is not None:
        with contextlib.suppress(OSError):
            text = json.dumps({**page, **parts}, indent=1)
            put(place / "recipe.json", text.encode(), durable=True)


def _tensors(built: Any) -> Mapping[str, Any]:
    """Return what a builder made, if it can be kept."""
    wrong = "" if isinstance(built, Mapping) else f"a {type(built).__name__}"
    for name, tensor in built.items() if not wrong else ():
        if not isinstance(name, str) or not hasattr(tensor, "detach"):
            wrong = wrong or f"{name!r:.80}: a {type(tensor).__name__}"
        elif strange := no_plain(tensor):
            wrong = wrong or f"{name!r:.80}: {strange.partition(';')[0]}"
    if wrong:
        raise InvalidRun(
            f"what run.cached was to build is {wrong}; a dict of plain tensors by name is wanted."
        )
    return built  # type: ignore[no-any-return]
