"""What ``bench show`` says of a record, and how its pictures are had."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from bench.cli._options import table, warn
from bench.errors import EnvironmentFault, UsageError, near
from bench.files import put
from bench.params import render_call

if TYPE_CHECKING:
    from bench.plugins.registry import Registry
    from bench.runs.record import Record


def is_record(name: str) -> bool:
    """Tell whether ``name`` is the beginning of a record's id, or a file: no card is called so."""
    return (
        re.fullmatch(r"(?=.*\d)[0-9a-f]{6,16}(-[0-9a-f]{0,16}(-\d*)?)?", name) is not None
        or name.endswith(".json")
        or ("/" in name and Path(name).is_file())
    )


class Shown:
    """A record and the folder that holds its arrays and pictures."""

    def __init__(self, name: str, results: Path) -> None:
        from bench.runs.store import Store

        self.record: Record = Store(results).find(name)
        path = Path(name)
        root = (
            path.resolve().parents[2]
            if path.is_file() and len(path.resolve().parents) > 2
            else results
        )
        self.folder = root / "files" / self.record.id

    def document(self) -> dict[str, Any]:
        """Return the record and its files as plain data."""
        return {
            "schema_version": 1,
            "record": msgspec.to_builtins(self.record),
            "images": {
                name: {"file": str(path), "here": path.is_file()}
                for name, path in self._pictures().items()
            },
            "arrays": self._arrays(),
        }

    def text(self, registry: Registry) -> str:
        """Return the record laid out for a terminal."""
        record = self.record
        lines = [
            f"record {record.id}",
            (
                f"{render_call(f'{record.track}/{record.method}', record.params)} on "
                f"{render_call(record.task, record.task_params)}"
            ),
            "",
        ]
        facts = {
            "status": record.status
            + (f": {record.error.type}: {record.error.message}" if record.error else ""),
            "cell": (
                f"preset {record.preset}, variant {record.variant}, seed {record.seed}, "
                f"{record.device}, {record.dtype}, {record.form}"
            ),
            "not rankable": record.not_rankable or "",
            "reference": record.reference + (", saw the hidden part" if record.peeks else ""),
            "needs": ", ".join(record.needs),
            "cost": ", ".join(
                f"{name} {value:.4g}"
                for name, value in {**record.cost, **record.counters}.items()
                if value is not None
            ),
            "ended": record.ended,
            "warnings": "; ".join(record.warnings),
        }
        lines += [f"{name + ':':<14} {value}" for name, value in facts.items() if value]
        card = registry.cards().get(record.identity)
        declared = {metric.name: metric for metric in card.metrics} if card else {}
        rows = []
        for name, value in record.metrics.items():
            metric = declared.get(name)
            rows.append(
                [
                    name + (" *" if metric and metric.primary else ""),
                    "—" if value is None else f"{value:.6g}",
                    *_about(metric),
                ]
            )
        lines += ["", table(rows, ["metric", "value", "unit", "what"])] if rows else []
        pictures = [[name, _pixels(path), str(path)] for name, path in self._pictures().items()]
        lines += ["", table(pictures, ["picture", "pixels", "file"])] if pictures else []
        arrays = [
            [name, about["dtype"], " x ".join(map(str, about["shape"]))]
            for name, about in self._arrays().items()
        ]
        lines += ["", table(arrays, ["array", "type", "shape"])] if arrays else []
        if record.error and (ended := record.error.log.rstrip() or "\n".join(record.error.frames)):
            lines += ["", ended]
        return "\n".join(lines)

    def write_pictures(self, wanted: Sequence[str]) -> None:
        """Write pictures: each text is ``NAME=FILE``, or ``FILE`` where the record has one picture
        or FILE is called like one.

        Raises:
            UsageError: no such picture. EnvironmentFault: its file is not here, or FILE can't be
                written.
        """
        pictures = self._pictures()
        if not pictures:
            raise UsageError(
                f"the record {self.record.id} has no pictures; 'bench show {self.record.id}' "
                "shows what it has."
            )
        chosen = []
        for text in wanted:
            name, equals, file = text.partition("=")
            if not equals:
                name, file = (next(iter(pictures)) if len(pictures) == 1 else Path(text).stem), text
            if name not in pictures or not file:
                raise UsageError(
                    f"--image got {text!r}, which names none of its "
                    f"pictures.{near(name, pictures)} They are {', '.join(pictures)}; write "
                    "--image NAME=FILE."
                )
            if not pictures[name].is_file():
                raise EnvironmentFault(
                    f"the picture {name!r} is not at {str(pictures[name])!r}; an export carries "
                    "records without their pictures."
                )
            if not _is_whole(pictures[name]):
                raise EnvironmentFault(
                    f"the picture {name!r} at {str(pictures[name])!r} is no whole PNG file; "
                    "restore it from a copy, or run the cell again."
                )
            chosen.append((name, file))
        for name, file in chosen:
            _copy(pictures[name], Path(file))
            warn(f"wrote {name} to {file}.")

    def save(self, folder: Path) -> None:
        """Write into a new folder what a record of its track holds to take away, all of it or
        nothing.

        A track offers that by a module ``bench.tracks.<track>_export`` with a function
        ``export(record, arrays, folder)``.

        Raises:
            UsageError: the track offers nothing, or the folder holds something. EnvironmentFault:
                the arrays are not here, or it can't be written.
        """
        record = self.record
        module = f"bench.tracks.{record.track.replace('-', '_')}_export"
        if importlib.util.find_spec(module) is None:
            raise UsageError(
                f"--save has nothing to take away from a record of the track {record.track!r}; "
                f"'bench show {record.id}' names its arrays."
            )
        arrays = self.folder / Path(record.arrays or "none").name
        if not arrays.is_file():
            raise EnvironmentFault(
                f"the arrays of {record.id} are not at {str(arrays)!r}; an export carries records "
                "without them. Run the cell again."
            )
        if _heads(arrays) is None:
            raise EnvironmentFault(_damaged(arrays))
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(
                f"--save got {str(folder)!r}, which is there already and not an empty folder; "
                "name another."
            )
        folder = folder.absolute()
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".save-"))
            try:
                importlib.import_module(module).export(record, arrays, temporary)
                temporary.chmod(0o755)
                temporary.replace(folder)
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise
        except OSError as error:
            raise EnvironmentFault(
                f"{str(folder)!r} can't be written ({error.strerror}); name another folder."
            ) from None
        warn(f"wrote {', '.join(sorted(path.name for path in folder.iterdir()))} to {folder}.")

    def _pictures(self) -> dict[str, Path]:
        return {name: self.folder / Path(file).name for name, file in self.record.images.items()}

    def _arrays(self) -> dict[str, Any]:
        """Return type and shape of every array; of a damaged file nothing, which is said."""
        file = self.folder / Path(self.record.arrays).name
        if not self.record.arrays or not file.is_file():
            return {}
        if (found := _heads(file)) is None:
            warn(_damaged(file))
        return found or {}


def _heads(file: Path) -> dict[str, Any] | None:
    """Return type and shape of every array in a file of safetensors, from its head alone; None: it
    is damaged or cut off.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        head = stream.read(length) if 0 < length <= size - 8 else b""
    try:
        arrays = msgspec.json.decode(head, type=dict[str, Any])
        arrays.pop("__metadata__", None)
        heads = msgspec.convert(arrays, dict[str, _Head])
    except msgspec.MsgspecError:
        return None
    if size != 8 + length + max((item.data_offsets[1] for item in heads.values()), default=0):
        return None
    return {
        name: {"dtype": item.dtype, "shape": item.shape} for name, item in sorted(heads.items())
    }


class _Head(msgspec.Struct):
    """What a file of safetensors says of an array."""

    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


def _damaged(file: Path) -> str:
    return (
        f"the arrays at {str(file)!r} are damaged or cut off; restore the file from a copy, or run "
        "the cell again."
    )


def _is_whole(picture: Path) -> bool:
    """Say whether a file begins and ends as a PNG does."""
    data = picture.read_bytes()
    return data.startswith(b"\x89PNG\r\n\x1a\n") and data.endswith(b"IEND\xaeB`\x82")


def _about(metric: Any) -> list[str]:
    return [metric.unit, metric.title] if metric else ["", ""]


def _pixels(path: Path) -> str:
    """Return ``width x height`` from the head of a PNG."""
    if not path.is_file():
        return "not here"
    if not _is_whole(path):
        return "damaged"
    with path.open("rb") as stream:
        head = stream.read(24)
    return f"{int.from_bytes(head[16:20], 'big')} x {int.from_bytes(head[20:24], 'big')}"


def _copy(source: Path, target: Path) -> None:
    """Write a copy whole or not at all."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        put(target, source.read_bytes())
    except OSError as error:
        raise EnvironmentFault(
            f"the picture can't be written to {str(target)!r} ({error.strerror}); name another "
            "file."
        ) from None
